"""Asking a model: marginals and joints, log evidence, most probable explanations, exact samples.

Every verb compiles its question once per pattern of evidence, keeps it with the model, and never changes the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from . import finite
from .divorce import divorced
from .engines.engine import Differentiable, Engine, Explainer, Sampler
from .engines.exact import Exact
from .errors import EvidenceError, GraphError, PlanError
from .evidence import Given, Likelihood, read_evidence
from .explanation import Explanation
from .model import Model
from .plan import Plan, Query, Task
from .posterior import Posterior
from .samples import Samples

Target = str | Sequence[str]  # a variable, or several for their joint
DEFAULT = Exact()


def infer(
    model: Model,
    targets: Iterable[Target] | None = None,
    *,
    given: Given | None = None,
    likelihood: Likelihood | None = None,
    jeffrey: Likelihood | None = None,
    engine: Engine | None = None,
    impossible: Literal["raise", "nan"] = "raise",
) -> Posterior:
    """Posterior probabilities p(target | evidence), for one row of evidence or many.

    Args:
        model: any model; those with numeric variables are answered exactly where they are linear and Gaussian once
            what is observed is known, and refused with a reason elsewhere.
        targets: names, and tuples of names for joints; all variables when None.
        given: observed states: a label, a list of labels or an integer tensor or array of state numbers (-1 is missing)
            for each variable, numbers (NaN is missing) for each numeric one, or a DataFrame of those.
        likelihood: virtual evidence: for each variable a vector proportional to p(observation | state), `[states]`
            or `[rows, states]`, multiplied in.
        jeffrey: soft evidence: for each variable the distribution that its posterior must have; `log_evidence` is then
            that of likelihoods with a largest entry of 1 which have the same effect.
        engine: how to answer, `Exact()` by default.
        impossible: what a row of probability 0 does: raise, or give NaN for that row.

    Raises:
        EvidenceError: on unknown names and states, or evidence of probability 0.
        PlanError: when the question is beyond the engine's limits.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> infer(net, ["rain"], given={"wet": ["yes", "no"]})["rain", "yes"]
        tensor([0.6667, 0.0526], dtype=torch.float64)
    """
    asked = None if targets is None else _listed(targets)
    plain = likelihood is None and jeffrey is None and (given is None or type(given) is dict)
    plain = plain and (engine is None or isinstance(engine, Exact))
    key = (asked, tuple(given or ()), engine) if plain else None
    quick = model.sessions.kept.get(key)
    found = quick.row(given) if quick is not None else None
    if found is not None:
        model.sessions.touch(key)
        return found
    if impossible not in ("raise", "nan"):
        raise EvidenceError(f"infer: impossible is {impossible!r}, expected 'raise' or 'nan'.")
    evidence = read_evidence(model.graph, given, likelihood)
    scopes, chosen = _scopes(model, asked), _engine(engine)
    if jeffrey is not None:
        from .jeffrey import with_jeffrey

        evidence = with_jeffrey(model, evidence, jeffrey, _exact(engine))
    if model.finite and plain and not evidence.batched and not any(states[0] < 0 for states in evidence.hard.values()):
        quick = model.sessions.get(key, lambda: finite.Quick(model, scopes, evidence, _exact(engine)))
        found = quick.row(given)
    return found if found is not None else chosen.answer(model, scopes, evidence, impossible)


def _listed(targets: Iterable[Target] | str) -> tuple[Target, ...]:
    """Targets in a form that can be compared: a lone name stands for itself."""
    if isinstance(targets, str):
        return (targets,)
    try:
        found = tuple(target if isinstance(target, str) else tuple(target) for target in targets)
        hash(found)
        return found
    except TypeError:
        raise GraphError(f"targets: {targets!r} are no targets; give names, and tuples of names for joints.") from None


def log_evidence(
    model: Model,
    *,
    given: Given | None = None,
    likelihood: Likelihood | None = None,
    engine: Engine | None = None,
) -> Tensor:
    """log p(evidence); without evidence log Z, the log of the partition function (0 for a Bayesian network).

    Differentiable in all parameters of the model, with `Exact()` and other engines that are `Differentiable`: its
    gradient in a table's logarithm is the expected count. The value takes the shortest way; a gradient, if one is asked
    for, is computed from all terms.

    Args:
        model, given, likelihood, engine: as for `infer`.

    Returns:
        `[*batch]`, in nats; -inf for evidence of probability 0.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable
        >>> a, b = Variable("a"), Variable("b")
        >>> net = MarkovNetwork(Table([a, b], [[30, 5], [1, 10]]))
        >>> round(log_evidence(net).exp().item(), 6)
        46.0
    """
    evidence = read_evidence(model.graph, given, likelihood, "log_evidence")
    chosen = _engine(engine)
    if isinstance(chosen, Differentiable):
        return chosen.log_evidence(model, evidence)
    if not isinstance(chosen, Exact):
        return chosen.answer(model, (), evidence, "nan").log_evidence
    if not model.finite:
        from .hybrid import evidence_of

        return evidence_of(divorced(model), evidence, chosen)
    return finite.evidence_of(model, evidence, chosen)


def mpe(
    model: Model,
    targets: Iterable[str] | None = None,
    *,
    given: Given | None = None,
    likelihood: Likelihood | None = None,
    k: int = 1,
    engine: Engine | Explainer | None = None,
) -> Explanation:
    """The k most probable joint states: argmax_x max over targets of the sum over all else of p(x, evidence).

    Without targets the maximum is over all variables (most probable explanation); with targets all others are summed
    out first (marginal MAP), exactly. These are joint states, not the most probable state of each variable alone.

    Args:
        model, given, likelihood, engine: as for `infer`.
        targets: names to maximise over; all when None. Observed ones come out as observed.
        k: how many explanations, best first.

    Raises:
        EvidenceError: when the evidence has probability 0.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable
        >>> a, b = Variable("a"), Variable("b")
        >>> best = mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), k=2)
        >>> best.assignment(0), best.assignment(1)
        ({'a': '0', 'b': '0'}, {'a': '1', 'b': '1'})
    """
    if k < 1:
        raise EvidenceError(f"mpe: k is {k}, expected 1 or more.")
    evidence = read_evidence(model.graph, given, likelihood, "mpe")
    names = model.graph.names if targets is None else model.graph.require(targets, "mpe")
    number = model.graph.numbers
    wanted = tuple(dict.fromkeys(number[name] for name in names))
    if isinstance(engine, Explainer) and not isinstance(engine, type):
        return engine.explain(model, wanted, evidence, k)
    if not model.finite:
        from .hybrid import explain

        return explain(model, wanted, evidence, k, _exact(engine))
    return finite.explanation(model, wanted, evidence, k, _exact(engine), "raise")


def sample(
    model: Model,
    n: int,
    targets: Iterable[str] | None = None,
    *,
    given: Given | None = None,
    likelihood: Likelihood | None = None,
    seed: int | None = None,
    generator: torch.Generator | None = None,
    engine: Engine | Sampler | None = None,
) -> Samples:
    """n samples of p(targets | evidence); by default exact and independent, no burn-in, no rejection.

    Args:
        model, given, likelihood, engine: as for `infer`, for a single row of evidence.
        n: how many.
        targets: names to sample; all variables when None.
        seed: for reproducible draws; fresh ones when None.
        generator: a source of randomness instead of a seed.

    Raises:
        EvidenceError: when the evidence has probability 0 or is a batch.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> len(sample(BayesianNetwork(Tabular(coin, [], [0.5, 0.5])), 10, seed=1))
        10
    """
    if n < 0:
        raise EvidenceError(f"sample: n is {n}, expected 0 or more.")
    evidence = read_evidence(model.graph, given, likelihood, "sample")
    if evidence.batched:
        raise EvidenceError(f"sample: evidence has {evidence.rows} rows, expected one; call sample once a row.")
    names = model.graph.names if targets is None else model.graph.require(targets, "sample")
    number = model.graph.numbers
    wanted = tuple(dict.fromkeys(number[name] for name in names))
    if seed is None:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
    if isinstance(engine, Sampler) and not isinstance(engine, type):
        return engine.draw(model, n, wanted, evidence, seed)
    if not model.finite:
        from .hybrid import draw

        return draw(model, n, wanted, evidence, seed, _exact(engine))
    return finite.draw(model, n, wanted, evidence, seed, _exact(engine))


def plan_for(
    model: Model,
    targets: Iterable[Target] | None = None,
    *,
    given: Iterable[str] = (),
    likelihood: Iterable[str] = (),
    task: Task = "marginal",
    engine: Engine | None = None,
) -> Plan:
    """The plan that a question would use; print it before anything runs.

    Args:
        model, targets, engine: as for `infer`.
        given, likelihood: names of the variables that rows of evidence will give.
        task: 'marginal', 'log_evidence', 'maximum' or 'sample'.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable
        >>> a, b = Variable("a"), Variable("b")
        >>> print(plan_for(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]]))))  # doctest: +ELLIPSIS
        Plan for marginal of 2 targets, 0 observed:
          ...
    """
    graph = model.graph
    number = graph.numbers
    observed = frozenset(number[name] for name in graph.require(given, "plan_for"))
    soft = frozenset(number[name] for name in graph.require(likelihood, "plan_for"))
    scopes = _scopes(model, None if targets is None else _listed(targets))
    if task != "marginal":
        scopes = (tuple(dict.fromkeys(v for scope in scopes for v in scope)),) if task != "log_evidence" else ()
    query = Query(task, scopes, observed, soft)
    if not model.finite:
        from .hybrid import plan

        return plan(model, query, _exact(engine))
    return finite.session(model, query, _exact(engine)).plan


def _engine(engine: Engine | Explainer | Sampler | None) -> Engine:
    """The engine asked for, exact inference by default."""
    chosen = DEFAULT if engine is None else engine
    if isinstance(chosen, Engine) and not isinstance(chosen, type):
        return chosen
    raise _unfit(engine)


def _exact(engine: Engine | Explainer | Sampler | None) -> Exact:
    """The options of exact inference, where the engine given cannot answer."""
    if engine is None or isinstance(engine, Exact):
        return engine or DEFAULT
    raise _unfit(engine)


def _unfit(engine: object) -> PlanError:
    """What is wrong with what was given as an engine."""
    if isinstance(engine, type):
        return PlanError(f"engine is the class {engine.__name__}, expected a record of options: {engine.__name__}().")
    if isinstance(engine, Engine | Explainer | Sampler):
        return PlanError(f"engine is {engine!r}, which does not answer this question; Exact() does.")
    return PlanError(f"engine is {engine!r}, expected an engine such as Exact().")


def _scopes(model: Model, asked: tuple[Target, ...] | None) -> tuple[tuple[int, ...], ...]:
    """Targets as variable numbers; every variable on its own when none are named."""
    if asked is None:
        return tuple((v,) for v in range(len(model.variables)))
    number = model.graph.numbers
    scopes = []
    for target in asked:
        names = model.graph.require((target,) if isinstance(target, str) else target, "targets")
        if not names or len(set(names)) < len(names):
            raise GraphError(f"targets: {target!r} is no target; give a name or several different ones.")
        scopes.append(tuple(number[name] for name in names))
    return tuple(dict.fromkeys(scopes))
