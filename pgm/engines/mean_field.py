"""Mean field inference, plain and structured."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..approximate.variational.ascent import HARD
from ..approximate.variational.climb import Summit, climbed
from ..approximate.variational.family import family
from ..approximate.variational.support import impossible_rows, supported
from ..errors import ConvergenceWarning, GraphError, PlanError
from ..fields.answers import Settings, Solved, answered, nothing_to_sum
from ..fields.carried import carried
from ..fields.field import Field

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior


@dataclass(frozen=True)
class MeanField:
    """The nearest distribution in which clusters of variables are independent: q maximises E_q[log p(x)] + H(q).

    The maximum is a lower bound of the log evidence, which `log_evidence` is: it never falls from sweep to sweep, and
    is found by updating one cluster after the other. Without clusters every variable is on its own; inside a cluster
    inference is exact, so that one cluster of everything is exact inference. Bounds differ from start to start; the
    best one is kept.

    Args:
        clusters: variables that stay dependent, names (numbers, for fields), no variable twice; a tree or a chain of
            hundreds of variables is fine. Others are on their own.
        iterations: sweeps at most.
        tolerance: the largest change of a probability in a sweep at which it has converged.
        restarts: how many starts, the first one from single variables alone, the others at random.
        seed: of the randomness.
        device: where to compute; by default where the model's parameters are.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, infer
        >>> a, b = Variable("a"), Variable("b")
        >>> net = MarkovNetwork(Table([a, b], [[30, 5], [1, 10]]))
        >>> post = infer(net, engine=MeanField())
        >>> post.log_evidence < 3.8286  # log 46
        tensor(True)

    Reference: Saul and Jordan (1996), Exploiting tractable substructures in intractable networks; Wainwright and
    Jordan (2008), Graphical models, exponential families, and variational inference.
    """

    clusters: Sequence[Sequence[str | int]] = ()
    iterations: int = 1000
    tolerance: float = 1e-6
    restarts: int = 4
    seed: int = 0
    device: str | torch.device | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("iterations", 1), ("restarts", 1), ("tolerance", 0)):
            if not getattr(self, name) >= least:
                raise PlanError(f"MeanField: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if any(isinstance(cluster, str) for cluster in self.clusters):
            raise PlanError(f"MeanField: clusters are {self.clusters!r}, expected collections of names.")
        object.__setattr__(self, "clusters", tuple(tuple(cluster) for cluster in self.clusters))
        every = [variable for cluster in self.clusters for variable in cluster]
        if len(set(every)) < len(every):
            twice = next(variable for variable in every if every.count(variable) > 1)
            raise PlanError(f"MeanField: {twice!r} is in two clusters; keep one, or join them.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        model.graph.require([str(name) for cluster in self.clusters for name in cluster], "MeanField: clusters")
        return answered(Settings("MeanField", device=self.device), model, targets, evidence, impossible, self.solve)

    @torch.no_grad()
    def solve(self, field: Field) -> Solved:
        """The best q of a field: its marginals, and a lower bound of the log of the sum over all joint states."""
        if not field.variables:
            return nothing_to_sum(field)
        wider, wide = carried(field.to(dtype=torch.float64))
        base, clusters = supported(wider), self._numbers(field)
        generator = torch.Generator(base.device).manual_seed(self.seed)
        summit = self._climbed(base, _joined([], wide), _random(base, self.restarts, generator))
        if clusters:
            plain = summit.beliefs.flat[:, :, : base.unary.shape[1]]
            starts = torch.cat([plain, _random(base, self.restarts, generator)])
            summit = self._climbed(base, _joined(clusters, wide), starts)
        return self._solved(field, summit, impossible_rows(base))

    def _climbed(self, base: Field, clusters: list[list[int]], singles: Tensor) -> Summit:
        return climbed(family(base, clusters), singles, self.iterations, self.tolerance, self.progress)

    def _solved(self, field: Field, summit: Summit, impossible: Tensor) -> Solved:
        bound = summit.bounds[-1]
        converged, found = summit.residual <= self.tolerance, ~bound.isneginf()
        self._warn(converged | impossible, found | impossible, summit)
        evidence = torch.where(found | impossible, bound.masked_fill(impossible, -torch.inf), torch.nan)
        diagnostics = {
            "converged": (converged & found).tolist(),
            "iterations": [len(summit.bounds)] * field.rows,
            "residual": summit.residual.tolist(),
            "log_evidence_lower": bound.tolist(),
            "history": summit.bounds.T.tolist(),
            "interrupted": [summit.interrupted] * field.rows,
        }
        marginals = summit.beliefs.flat[0, :, : field.unary.shape[1]]
        return Solved(marginals, evidence, summit.joint, diagnostics)

    def _warn(self, converged: Tensor, found: Tensor, summit: Summit) -> None:
        if not bool(converged.all()):
            rows = torch.nonzero(~converged).flatten().tolist()
            warnings.warn(
                f"MeanField: {len(rows)} of {len(converged)} rows (first {rows[0]}) still change by "
                f"{float(summit.residual.max()):.2g} after {len(summit.bounds)} sweeps (tolerance {self.tolerance:g}); "
                "the bound holds all the same. Give more iterations.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if not bool(found.all()):
            rows = torch.nonzero(~found).flatten().tolist()
            warnings.warn(
                f"MeanField: no distribution of positive weight was found in {len(rows)} of {len(found)} rows (first "
                f"{rows[0]}), so there is no bound. Put variables that determine one another into one of the clusters, "
                "or give more restarts.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _numbers(self, field: Field) -> list[list[int]]:
        """The clusters by variable number; what is observed has dropped out."""
        number = {name: k for k, name in enumerate(field.names)}
        numbers = [[number.get(v, -1) if isinstance(v, str) else v for v in cluster] for cluster in self.clusters]
        for v in (v for cluster in numbers for v in cluster):
            if v >= field.variables:
                raise GraphError(f"MeanField: clusters have variable {v}; there are {field.variables}.")
        kept = [[v for v in cluster if v >= 0] for cluster in numbers]
        return [cluster for cluster in kept if len(cluster) > 1]


def _joined(clusters: list[list[int]], wide: Sequence[Tensor]) -> list[list[int]]:
    """Clusters that also hold what trains carry: those of the train's variables, or new ones with those left over."""
    found, held = [list(cluster) for cluster in clusters], {v: k for k, each in enumerate(clusters) for v in each}
    for members in (row for rows in wide for row in rows.tolist()):
        added = [v for v in members if v not in held]
        own = {held[v] for v in members if v in held}
        if len(own) == 1 and len(added) == len(members) // 2:  # all of its variables are in one cluster
            found[own.pop()] += added
        else:
            found.append(added)
            held |= dict.fromkeys(added, len(found) - 1)
    return found


def _random(field: Field, starts: int, generator: torch.Generator) -> Tensor:
    """Probabilities of single variables to begin with, `[starts, rows, states]`: first from their own weights.

    The same noise for all rows: what a row gets does not depend on the others.
    """
    of = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    noise = field.unary.new_empty(starts, 1, len(of)).exponential_(generator=generator).log()
    noise[0] = 0.0
    weights = field.unary.clamp_min(-HARD) + noise
    peaks = weights.new_full((*weights.shape[:2], field.variables), -torch.inf)
    peaks = peaks.scatter_reduce(2, of.expand(weights.shape), weights, "amax")
    numbers = (weights - peaks[:, :, of]).exp()
    totals = peaks.new_zeros(peaks.shape).index_add(2, of, numbers)
    return numbers / totals[:, :, of]
