"""Likelihood weighting: draws from the conditionals, weighted by what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import torch

from ..approximate.weighting.answers import Weighed, none_agrees, posterior, require_weight, warn_of_few
from ..approximate.weighting.draws import source
from ..approximate.weighting.problem import Problem, problems
from ..approximate.weighting.resample import chosen_by_weight
from ..approximate.weighting.sums import Sums, Target, stacked, summed
from ..errors import EvidenceError, PlanError
from ..samples import Samples
from .progress import Watched
from .question import check_targets

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior

NAME = "LikelihoodWeighting"
AT_ONCE = 2**20  # numbers in the draws that are made together


@dataclass(frozen=True)
class LikelihoodWeighting:
    """Draws of what is not observed, parents first, weighted by w = prod p(observed | its parents) and all potentials.

    p(x | evidence) is the share of the weight that is on x, p(evidence) the mean weight. Works for every model whose
    unobserved variables have conditionals, finite and numeric ones alike; observed variables and potentials only need
    a density. Answers carry standard errors; `diagnostics` has the `effective_samples`, the standard error of the log
    evidence, `log_evidence_error`, and whether Ctrl-C ended the draws, `interrupted`. Far fewer effective samples than
    draws mean that the evidence is unlikely beforehand; fewer than ten give a `ConvergenceWarning`.

    Args:
        samples: how many draws, for each row of evidence.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, infer
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> post = infer(net, ["rain"], given={"wet": "yes"}, engine=LikelihoodWeighting(100_000))
        >>> abs(post["rain", "yes"] - 2 / 3) < 4 * post.standard_error(("rain", "yes"))
        tensor(True)

    Reference: Fung and Chang (1990), Weighing and integrating evidence for stochastic simulation in Bayesian networks;
    Shachter and Peot (1990), Simulation approaches to general probabilistic inference on belief networks.
    """

    samples: int = 10_000
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise PlanError(f"{NAME}: samples is {self.samples!r}, expected 2 or more.")

    @torch.no_grad()
    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows without a weighted draw do is as in `infer`."""
        scopes = tuple(tuple(model.variables[v] for v in scope) for scope in targets)
        check_targets(scopes, NAME)
        wanted = dict.fromkeys(v.name for scope in scopes for v in scope)
        found = [self._weighed(asked, scopes) for asked in problems(model, wanted, evidence, NAME)]
        if impossible == "raise":
            for each in found:
                require_weight(each, evidence)
        for each in found:
            warn_of_few(each, evidence)
        return posterior(scopes, found, evidence)

    def _weighed(self, asked: Problem, scopes: Sequence[Target]) -> Weighed:
        """The sums over all draws for the rows of a problem, as many rows at once as fit."""
        draw, at_once = source(asked, self.seed, self.samples), max(1, AT_ONCE // asked.width)
        some, portions = max(1, at_once // self.samples), ceil(self.samples / at_once)
        rows = [slice(low, min(low + some, len(asked.rows))) for low in range(0, len(asked.rows), some)]
        sums: dict[int, Sums] = {}
        with Watched(len(rows) * portions, "portions of draws", self.progress) as steps:
            for step in steps:
                portion, k = divmod(step, len(rows))
                before = portion * at_once
                part = summed(draw(rows[k], before, min(at_once, self.samples - before)), scopes)
                sums[k] = sums[k].plus(part) if k in sums else part
                steps.say(f"{float(sums[k].effective.mean()):.0f} effective samples a row")
        if steps.done < len(rows):
            raise KeyboardInterrupt  # some rows have no draws at all
        return Weighed(asked, stacked([sums[k] for k in range(len(rows))]), steps.interrupted)

    @torch.no_grad()
    def draw(self, model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int) -> Samples:
        """n joint samples of variables by number, chosen by weight among `samples` draws, or n where that is more."""
        variables = tuple(model.variables[v] for v in wanted)
        names = [variable.name for variable in variables]
        (asked,) = problems(model, names, evidence, NAME)
        samples, at_once = max(n, self.samples), max(1, AT_ONCE // asked.width)
        made, generator = source(asked, seed, samples), torch.Generator(asked.device).manual_seed(seed)
        portions = (made(slice(0, 1), before, min(at_once, samples - before)) for before in range(0, samples, at_once))
        found = chosen_by_weight(portions, names, max(n, 1), generator)
        if found is None:
            raise EvidenceError(none_agrees(NAME, samples))
        return Samples(variables, tuple(column[:n] for column in found), n)
