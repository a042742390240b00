"""Exact answers where they are within reach, and elsewhere the engine that states its error best."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf, log2, prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..approximate.buckets.certified import held
from ..approximate.gibbs.start import deterministic
from ..approximate.search.unrolled import too_wide
from ..divorce import divorced
from ..errors import ConvergenceWarning, PlanError
from ..evidence import Evidence, patterns
from ..fields.build import reduced
from ..fields.field import Field
from ..finite import draw as draw_finite
from ..finite import evidence_of, explanation, questions, session
from ..hybrid import draw as draw_numeric
from ..hybrid import evidence_of as evidence_numeric
from ..hybrid import explain as explain_numeric
from ..plan import DENSE_BYTES, Plan, Query, human_bytes
from ..planner import make_plan
from ..slicing import fitting_plan
from .annealed import AIS
from .dual import DualDecomposition
from .engine import Engine, Explainer, Sampler
from .exact import Exact
from .gibbs import Gibbs
from .likelihood_weighting import LikelihoodWeighting
from .loopy import LoopyBP
from .mini_bucket import MiniBucket

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..graph import Graph
    from ..model import Model
    from ..plan import Task
    from ..posterior import Posterior
    from ..samples import Samples

LONGEST = 2.0**36  # multiply-adds a row, about a minute, beyond which an answer in seconds is worth an error
LONGEST_MAXIMUM = 2.0**32  # the same where products are maximised over: no matrix product does that
SLICES = 1024  # parts that exact inference may be cut into to keep to the memory
DRAWS = 100_000
ENOUGH = 1000  # effective samples of likelihood weighting that are worth keeping
SMALL = 2**10  # entries of a noisy or as a table beyond which sweeps over it would take minutes
ROWS = 64  # rows whose tables are looked at for zeros
ZEROS = "tables have zeros, which chains may not cross"
WIDE = 0.1  # nats between bounds of the log evidence beyond which an estimate between them is worth having
STEPS, CHAINS = 100, 10  # of annealing, and the effective ones of its 100 chains that make such an estimate
BOUNDS, QUICK = 2.0**26, 2.0**22  # bytes for bounds that are the answer, and for those beside another one

Scopes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Choice:
    """An engine, and why it.

    Args:
        engine: how a question will be answered.
        reason: one sentence.
    """

    engine: Engine | Explainer | Sampler
    reason: str


@dataclass(frozen=True)
class Auto:
    """Exact inference as far as it reaches, and beyond it the approximation that best states its error.

    Exact plans are made first. Where none keeps to the limits: most probable states come from `DualDecomposition`, with
    a bound; the log evidence from `MiniBucket`, between bounds, or from `AIS` where these are far apart; marginals from
    `LikelihoodWeighting` where nothing observed has parents that are not, else from `Gibbs` where no table has zeros
    and the chains agree, both with standard errors; else from `LoopyBP`, beside the bounds of `MiniBucket`.
    `diagnostics["choice"]` says which and why.

    Args:
        memory, seconds: limits of exact plans, as for `Exact`; bounds keep to the memory too.
        seed: of engines that draw.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Query, Tabular, Variable, infer
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> Auto().select(net.graph, Query("marginal", ((0,),))).reason
        'Exact: 2^0.0 multiply-adds a row and 96 B are within the limits.'
        >>> infer(net, ["rain"], given={"wet": "yes"}, engine=Auto()).engine
        'Exact'
    """

    memory: float | None = None
    seconds: float | None = None
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        Exact(self.memory, self.seconds)  # refuses what is no limit

    @property
    def limits(self) -> Exact:
        """Exact inference within the limits."""
        return Exact(self.memory, self.seconds)

    def select(self, graph: Graph, query: Query, limits: Exact | None = None) -> Choice:
        """The engine for a question, from structure alone; what tables hold may refine it when it is asked.

        Args:
            graph: of the model.
            query: what is asked.
            limits: of exact inference; those of this record by default.
        """
        exact = limits or self.limits
        plan = make_plan(graph, query, exact.seconds)
        if _lengthy(plan, exact):
            return self._beyond(graph, query, _lengthy(plan, exact))  # slices would make it longer still
        try:
            plan = fitting_plan(graph, query, exact.seconds, exact.bytes_allowed())
        except PlanError as error:
            return self._beyond(graph, query, _refusal(error))
        return (
            self._beyond(graph, query, _lengthy(plan, exact)) if _lengthy(plan, exact) else Choice(exact, _fits(plan))
        )

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        if not model.finite:
            return self._numeric(model, targets, evidence, impossible)
        choice = self._choice(model, "marginal", targets, evidence)
        if isinstance(choice.engine, MiniBucket):
            return self._estimated(model, evidence, impossible, choice)
        if isinstance(choice.engine, Gibbs):
            return self._mixing(model, targets, evidence, impossible, choice)
        assert isinstance(choice.engine, Engine)
        return choice.engine.answer(model, targets, evidence, impossible).noted(choice=choice.reason)

    def log_evidence(self, model: Model, evidence: Evidence) -> Tensor:
        """log p(evidence), `[*batch]`: exact and differentiable, or with a warning that says how far it may be off."""
        exact = self._exact_evidence(model, evidence)
        if exact is not None:
            return exact
        post = self.answer(model, (), evidence, "nan")
        warnings.warn(
            f"Auto: the log evidence is not exact: {_uncertainty(post)}. {post.diagnostics['choice']} "
            "infer(model, [], engine=Auto()) says it row by row.",
            ConvergenceWarning,
            stacklevel=3,
        )
        return post.log_evidence

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """The k most probable joint states of variables by number; beyond exact inference one, with a bound."""
        if not model.finite:
            return explain_numeric(model, wanted, evidence, k, self.limits)
        choice = self._choice(model, "maximum", (wanted,), evidence)
        if isinstance(choice.engine, Exact):
            found = explanation(model, wanted, evidence, k, choice.engine, "raise")
        else:
            if any(too_wide(field, SMALL) for field in _fields(model, None, evidence)):
                choice = Choice(self._bounds(BOUNDS), choice.reason.replace("DualDecomposition", "MiniBucket"))
            assert isinstance(choice.engine, Explainer)
            found = choice.engine.explain(model, wanted, evidence, k)
        return replace(found, diagnostics={**found.diagnostics, "choice": choice.reason})

    def draw(self, model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int) -> Samples:
        """n joint samples of variables by number, given one row of evidence; exact ones where they are in reach."""
        weighting = LikelihoodWeighting(DRAWS, seed, self.progress)
        if not model.finite:
            try:
                return draw_numeric(model, n, wanted, evidence, seed, self.limits)
            except PlanError as error:
                choice = Choice(weighting, f"LikelihoodWeighting: {error}")
                return _noted(weighting.draw(model, n, wanted, evidence, seed), choice)
        choice = self._choice(model, "sample", (wanted,), evidence)
        if isinstance(choice.engine, Exact):
            return _noted(draw_finite(model, n, wanted, evidence, seed, choice.engine), choice)
        if isinstance(choice.engine, Gibbs) and model.graph.kind == "directed" and _zeros(model, (wanted,), evidence):
            choice = Choice(weighting, f"LikelihoodWeighting: {_limit(choice)}; {ZEROS}.")
        assert isinstance(choice.engine, Sampler)
        return _noted(choice.engine.draw(model, n, wanted, evidence, seed), choice)

    def _choice(self, model: Model, task: Task, targets: Scopes, evidence: Evidence) -> Choice:
        """As `select`, with the plans that exact inference would use, which also know what tables hold."""
        graph, exact, reason = model.graph, self.limits, "Exact: there are no rows."
        for _, hard, soft, quiet in questions(model, evidence):
            query = Query(task, targets, frozenset(hard), frozenset(soft))
            plan = make_plan(divorced(model, quiet).graph, query, exact.seconds)
            if _lengthy(plan, exact):
                return self._beyond(graph, query, _lengthy(plan, exact))
            try:
                plan = session(model, query, exact, quiet).plan
            except PlanError as error:
                return self._beyond(graph, query, _refusal(error))
            if _lengthy(plan, exact):
                return self._beyond(graph, query, _lengthy(plan, exact))
            reason = _fits(plan)
        return Choice(exact, reason)

    def _beyond(self, graph: Graph, query: Query, refusal: str) -> Choice:
        """What answers where exact inference does not."""
        if query.task == "maximum":
            dual = DualDecomposition(progress=self.progress)
            return Choice(dual, f"DualDecomposition: {refusal}; its bound says how much better other states could be.")
        if query.task == "log_evidence" or not query.targets:
            return Choice(self._bounds(BOUNDS), f"MiniBucket: {refusal}; its bounds certainly hold.")
        if _forward(graph, query):
            weighting = LikelihoodWeighting(DRAWS, self.seed, self.progress)
            return Choice(weighting, f"LikelihoodWeighting: {refusal}; nothing observed has parents that are not.")
        gibbs = Gibbs(seed=self.seed, progress=self.progress)
        return Choice(gibbs, f"Gibbs: {refusal}; chains that agree state standard errors.")

    def _bounds(self, memory: float) -> MiniBucket:
        """Bounds that take seconds."""
        return MiniBucket(memory=min(memory, self.limits.bytes_allowed()), iterations=2, progress=self.progress)

    def _exact_evidence(self, model: Model, evidence: Evidence) -> Tensor | None:
        """The log evidence where exact inference reaches it."""
        if model.finite:
            fits = isinstance(self._choice(model, "log_evidence", (), evidence).engine, Exact)
            return evidence_of(model, evidence, self.limits) if fits else None
        with suppress(PlanError):
            return evidence_numeric(divorced(model), evidence, self.limits)
        return None

    def _estimated(self, model: Model, evidence: Evidence, impossible: str, choice: Choice) -> Posterior:
        """Bounds of the log evidence, and where they are far apart an estimate between them."""
        assert isinstance(choice.engine, MiniBucket)
        certain = choice.engine.answer(model, (), evidence, impossible)
        if _apart(certain) <= WIDE:
            return certain.noted(choice=choice.reason)
        chains = AIS(temperatures=STEPS, reverse=False, seed=self.seed, progress=self.progress)
        post = _quietly(chains, model, (), evidence, "nan")
        if any(size is not None and not size >= CHAINS for size in _each(post, "effective_samples")):
            return certain.noted(choice=choice.reason)
        apart = f"the bounds of MiniBucket, which certainly hold, are {_apart(certain):.2g} nats apart"
        return held(post, certain, ()).noted(choice=f"AIS: {_limit(choice)}; {apart}.")

    def _numeric(self, model: Model, targets: Scopes, evidence: Evidence, impossible: str) -> Posterior:
        """Exact where it is linear and Gaussian, else weighted draws."""
        try:
            return self.limits.answer(model, targets, evidence, impossible).noted(choice="Exact: linear and Gaussian.")
        except PlanError as error:
            weighting = LikelihoodWeighting(DRAWS, self.seed, self.progress)
            found = weighting.answer(model, targets, evidence, impossible)
            return found.noted(choice=f"LikelihoodWeighting: {error}")

    def _mixing(self, model: Model, targets: Scopes, evidence: Evidence, impossible: str, choice: Choice) -> Posterior:
        """Gibbs where it can be trusted, else likelihood weighting where it can, else messages with bounds beside."""
        assert isinstance(choice.engine, Gibbs)
        why = ZEROS
        if not _zeros(model, targets, evidence):
            post = _quietly(choice.engine, model, targets, evidence, impossible)
            if all(_each(post, "converged")):
                return post.noted(choice=choice.reason)
            why = "the chains of Gibbs did not agree"
        why = f"{_limit(choice)}; {why}"
        if model.graph.kind == "directed":
            weighting = LikelihoodWeighting(DRAWS, self.seed, self.progress)
            post = _quietly(weighting, model, targets, evidence, "nan")
            if all((size or 0.0) >= ENOUGH for size in _each(post, "effective_samples")):
                text = f"LikelihoodWeighting: {why}, and {ENOUGH} of {DRAWS} draws or more are effective."
                return post.noted(choice=text)
        return self._bounded(model, targets, evidence, impossible, why)

    def _bounded(self, model: Model, targets: Scopes, evidence: Evidence, impossible: str, why: str) -> Posterior:
        """Messages that pass until they settle, held to certain bounds where few enough states are asked for."""
        states = sum(prod(model.variables[v].size for v in scope) for scope in targets)
        bounds = self._bounds(QUICK)
        few = states <= bounds.intervals
        certain = bounds.answer(model, targets if few else (), evidence, impossible)
        try:
            post = LoopyBP(progress=self.progress).answer(model, targets, evidence, "nan")
        except PlanError:  # a joint that no factor has
            every = replace(bounds, intervals=states)
            text = f"MiniBucket: {why}, and messages know no joint of variables that share no term."
            return every.answer(model, targets, evidence, impossible).noted(choice=text)
        what = "its bounds certainly hold" if few else "its bounds hold for the log evidence, and nothing for the rest"
        names = [tuple(model.variables[v] for v in scope) for scope in targets]
        return held(post, certain, names).noted(choice=f"LoopyBP: {why}; MiniBucket is beside it, and {what}.")


def _quietly(engine: Engine, model: Model, targets: Scopes, evidence: Evidence, impossible: str) -> Posterior:
    """An attempt; whether it converged is looked at instead of warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return engine.answer(model, targets, evidence, impossible)


def _noted(samples: Samples, choice: Choice) -> Samples:
    return replace(samples, diagnostics={**samples.diagnostics, "choice": choice.reason})


def _limit(choice: Choice) -> str:
    """What exact inference would take, from a reason against it."""
    return choice.reason.partition(": ")[2].partition(";")[0]


def _each(post: Posterior, name: str) -> list[float]:
    """A diagnostic of each row."""
    found = post.diagnostics.get(name)
    return list(found) if isinstance(found, (list, torch.Tensor)) else [found or 0.0]


def _apart(post: Posterior) -> float:
    """By how much the bounds of the log evidence differ at most."""
    lower, upper = (_each(post, f"log_evidence_{side}") for side in ("lower", "upper"))
    known = [pair for pair in zip(lower, upper, strict=True) if None not in pair]  # None: everything was observed
    return max((b - a for a, b in known if b > -inf), default=0.0)


def _uncertainty(post: Posterior) -> str:
    """How far the log evidence may be off, of the row that is worst."""
    said, found = post.diagnostics, []
    if "log_evidence_error" in said:
        found.append(f"a standard error of up to {max(each or 0.0 for each in _each(post, 'log_evidence_error')):.2g}")
    if "log_evidence_upper" in said:
        found.append(f"bounds up to {_apart(post):.2g} nats apart")
    return ", ".join(found)


def _fields(model: Model, wanted: Sequence[int] | None, evidence: Evidence) -> Iterator[Field]:
    """What is left to know, in the first rows of each pattern of evidence."""
    for rows, hard, soft in patterns(evidence, model.graph.sizes):
        some = rows[:ROWS]
        seen, weighed = ({v: values[some] for v, values in part.items()} for part in (hard, soft))
        with torch.no_grad():
            yield reduced(model, seen, weighed, len(some), wanted).field


def _zeros(model: Model, targets: Scopes, evidence: Evidence) -> bool:
    """Whether tables of what is left to know have zeros."""
    wanted = list(dict.fromkeys(v for scope in targets for v in scope))
    return any(bool(deterministic(field).any()) for field in _fields(model, wanted, evidence))


def _forward(graph: Graph, query: Query) -> bool:
    """Whether draws from the conditionals are draws of the posterior: all that is observed comes before the rest."""
    seen = {graph.names[v] for v in query.observed}
    return graph.kind == "directed" and not query.soft and all(seen.issuperset(graph.parents[name]) for name in seen)


def _refusal(error: PlanError) -> str:
    """What exact inference would take, from its refusal."""
    return str(error).partition(": widest")[0].replace("plan: would", "exact inference would", 1)


def _lengthy(plan: Plan, exact: Exact) -> str:
    """What exact inference would take, where that is far too long or too large; else nothing."""
    memory = exact.bytes_allowed()
    longest = LONGEST_MAXIMUM if plan.query.task == "maximum" else LONGEST
    if plan.operations > longest:
        limit = f"worth it up to 2^{log2(longest):.0f}"
        return f"exact inference would take 2^{log2(plan.operations):.0f} operations ({limit})"
    if DENSE_BYTES * plan.entries > SLICES * memory:
        size = f"{human_bytes(DENSE_BYTES * plan.entries)} (limit {human_bytes(memory)})"
        return f"exact inference would take {size}"
    return ""


def _fits(plan: Plan) -> str:
    size = f"2^{log2(max(plan.operations, 1)):.1f} multiply-adds a row and {human_bytes(plan.peak_bytes)}"
    return f"Exact: {size} are within the limits."
