"""Tree-reweighted belief propagation: an upper bound of the evidence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..approximate.messages.passing import Passing
from ..approximate.messages.settle import Options, Settled, settle
from ..approximate.variational.forests import appearances, forest, shared_information, upper_bound
from ..errors import ConvergenceWarning, PlanError
from ..fields.answers import Settings, Solved, answered
from ..fields.carried import carried
from ..fields.field import Field

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior


@dataclass(frozen=True)
class TreeReweighted:
    """Message passing in which each factor counts as often as a random spanning forest has it: a bound from above.

    log Z <= max over consistent marginals of E[log weight] + sum_i H_i - sum_f r_f I_f, where r_f is the share of
    forests that hold factor f and I_f the information its variables share: a concave problem, whose value is
    `log_evidence` and whose solution the marginals are. The bound holds after any number of iterations, and is exact
    on trees. Factors may be of any number of variables; of wide ones what they carry from variable to variable counts.

    Args:
        trees: how many random forests at least; more are drawn until each factor is in one.
        rounds: how often to move towards the forest with the most shared information, which tightens the bound: the
            lowest of all is kept. All rows of evidence share the forests.
        iterations: of message passing at most, in each round.
        tolerance: of the largest change of a message in an iteration, in probability where two states are about even.
        damping: the weight of the old logs in each new message, from 0 to below 1.
        seed: of the forests.
        device: where to compute; by default where the model's parameters are.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, infer
        >>> a, b, c = Variable("a"), Variable("b"), Variable("c")
        >>> ring = MarkovNetwork(*(Table(pair, [[2, 1], [1, 2]]) for pair in ([a, b], [b, c], [c, a])))
        >>> infer(ring, engine=TreeReweighted()).log_evidence > 3.3322  # log 28
        tensor(True)

    Reference: Wainwright, Jaakkola and Willsky (2005), A new class of upper bounds on the log partition function.
    """

    trees: int = 20
    rounds: int = 0
    iterations: int = 1000
    tolerance: float = 1e-6
    damping: float = 0.5
    seed: int = 0
    device: str | torch.device | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("trees", 1), ("rounds", 0), ("iterations", 1), ("tolerance", 0)):
            if not getattr(self, name) >= least:
                raise PlanError(f"TreeReweighted: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if not 0 <= self.damping < 1:
            raise PlanError(f"TreeReweighted: damping is {self.damping!r}, expected 0 or more and less than 1.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        settings = Settings("TreeReweighted", device=self.device)
        return answered(settings, model, targets, evidence, impossible, self.solve)

    @torch.no_grad()
    def solve(self, field: Field) -> Solved:
        """The pseudomarginals of a field, and an upper bound of the log of the sum over all joint states."""
        base, _ = carried(field.to(dtype=torch.float64))
        tables = sum(len(group) for group in field.groups)
        generator = torch.Generator().manual_seed(self.seed)
        passing = Passing(base, powers=appearances(base, self.trees, generator, tables))
        found = settle(passing, self._options)
        bound = upper_bound(passing, found.messages)
        for number in range(self.rounds):
            passing = _moved(passing, found.messages, min(2 / (self.trees + number), 0.5))
            found = settle(passing, self._options, found.messages)
            bound = torch.minimum(bound, upper_bound(passing, found.messages))
        bound = bound.clamp_max(field.ceiling)
        self._warn(found)
        diagnostics = {
            "converged": (found.residual <= self.tolerance).tolist(),
            "iterations": found.iterations.tolist(),
            "residual": found.residual.tolist(),
            "log_evidence_upper": bound.tolist(),
            "interrupted": [found.interrupted] * field.rows,
        }
        marginals = passing.marginals(found.messages)[:, : field.unary.shape[1]]
        return Solved(marginals, bound, lambda scope: passing.joint(found.messages, scope), diagnostics)

    @property
    def _options(self) -> Options:
        return Options(self.damping, self.iterations, self.tolerance, progress=self.progress)

    def _warn(self, found: Settled) -> None:
        rows = np.flatnonzero(~(found.residual <= self.tolerance))
        if len(rows):
            warnings.warn(
                f"TreeReweighted: {len(rows)} of {len(found.residual)} rows (first {rows[0]}) still change by "
                f"{found.residual.max():.2g} after {found.iterations.max()} iterations (tolerance {self.tolerance:g}); "
                "the bound holds all the same. Give more iterations or more damping.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _moved(passing: Passing, messages: Tensor, share: float) -> Passing:
    """Powers moved towards the forest in which factors share the most information."""
    information = shared_information(passing, messages).mean(0)
    best = forest(passing.field, torch.argsort(information, descending=True, stable=True).cpu().numpy())
    assert passing.powers is not None
    chosen = torch.from_numpy(best).to(passing.powers)
    return Passing(passing.field, powers=passing.powers + share * (chosen - passing.powers))
