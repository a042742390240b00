"""Annealed importance sampling, up from independent variables and back down."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor

from ..approximate.annealed.base import LEAST, rebased
from ..approximate.annealed.estimate import Mean, log_mean
from ..approximate.annealed.exactly import exact_states
from ..approximate.annealed.walk import Way, picked
from ..errors import ConvergenceWarning, PlanError, ShapeError
from ..fields.answers import Settings, Solved, answered, nothing_to_sum
from ..fields.field import Field
from ..terms import Numbers
from .loopy import LoopyBP

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior

STEEPNESS = 4.0  # of the sigmoid along which powers rise: the slowest at both ends
Z95 = 1.96
FEW = 3.0  # effective chains below which their error is not known
ROUNDS = 50  # of loopy belief propagation for a base
DOUBT = 0.3  # the share of even odds in it: without them states that it thinks impossible are missed
OUT_OF_ORDER = 3.0  # standard errors by which the two estimates may be the wrong way round


class Solver(Protocol):
    """An engine whose marginals of a field can be a base distribution."""

    def solve(self, field: Field) -> Solved:
        """What it says of a field."""


@dataclass(frozen=True, eq=False)
class AIS:
    """Annealed importance sampling: log Z between an estimate from below and one from above, and marginals.

    Chains are drawn from independent variables, whose sum is known, and led to the field by Gibbs sweeps under p_b(x)
    proportional to base(x)^(1 - b) p(x)^b as the power b rises from 0 to 1. The mean of the weights

        w = prod_t p_{b_t}(x_t) / p_{b_{t-1}}(x_t)

    is an unbiased estimate of Z over the base's, so that its logarithm errs downwards (`log_evidence_forward`, which is
    also the `log_evidence`). The same way downwards, from samples of p, errs upwards (`log_evidence_reverse`). The
    `diagnostics` say `reverse_from`: 'exact' samples, where the field is small enough for `Exact`, make this a
    stochastic upper bound; a 'long run' of the chains that went up makes one as far as these have found all modes.
    `interval_low` and `interval_high` are the outer ends of both estimates' 95% intervals: log Z lies between with that
    confidence or more, as far as the way back is a bound. `bracketed` says whether the two are in order, within three
    standard errors.
    Weights sum one colour of variables out in closed form.

    Args:
        chains: how many independent ones a row of evidence.
        temperatures: how many steps from the base to the field, along a sigmoid; or the powers themselves, from 0 to 1.
        base: 'beliefs' (of a few rounds of loopy belief propagation, and doubts), 'unary' (the factors of single
            variables), 'uniform', probabilities (of data, say), or an engine whose marginals of the field are taken.
            Probabilities are given of all states end to end, `[states]` or `[rows, states]`, or by name, `[states]`
            each; variables not named keep their own factors.
        reverse: whether to go back down.
        sweeps: how many at the end of the way up; marginals average over them, and the way down begins after them.
        tolerance: how far apart in nats the two estimates may be before a warning is given; fewer than three effective
            chains are a warning too.
        seed: of the randomness.
        dtype, device: of the numbers; the device is that of the model's parameters by default.
        progress: whether to show a bar when it takes long. Ctrl-C jumps to the end: what is said stays true, with
            larger errors.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import Field, grid
        >>> ising = grid(torch.zeros(10, 10, 2, dtype=torch.float64), torch.tensor([[0.3, -0.3], [-0.3, 0.3]]))
        >>> found = AIS(chains=50, temperatures=100).solve(ising)
        >>> low, high = (found.diagnostics[name][0] for name in ("interval_low", "interval_high"))
        >>> low < 77.98 < high, high - low < 1
        (True, True)

    Reference: Neal (2001), Annealed importance sampling; Burda, Grosse and Salakhutdinov (2015), Accurate and
    conservative estimates of MRF log-likelihood using reverse annealing; Grosse, Ghahramani and Adams (2015),
    Sandwiching the marginal likelihood using bidirectional Monte Carlo.
    """

    chains: int = 100
    temperatures: int | Sequence[float] = 1000
    base: Literal["beliefs", "unary", "uniform"] | Tensor | Mapping[str, Numbers] | Solver = "beliefs"
    reverse: bool = True
    sweeps: int = 50
    tolerance: float = 1.0
    seed: int = 0
    dtype: torch.dtype = torch.float64
    device: torch.device | str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("chains", 2), ("sweeps", 1)):
            if getattr(self, name) < least:
                raise PlanError(f"AIS: {name} is {getattr(self, name)!r}, expected {least} or more.")
        powers = self.powers
        if len(powers) < 2 or powers[0] != 0 or powers[-1] != 1 or any(a >= b for a, b in pairwise(powers)):
            raise PlanError(
                f"AIS: temperatures is {self.temperatures!r}, expected a number of steps, or powers that rise from 0 "
                "to 1."
            )
        if isinstance(self.base, str) and self.base not in ("beliefs", "unary", "uniform"):
            raise PlanError(
                f"AIS: base is {self.base!r}, expected 'beliefs', 'unary', 'uniform', probabilities, or an engine with "
                "solve()."
            )

    @property
    def powers(self) -> list[float]:
        """The powers of the factors along the way up, from 0 to 1."""
        if not isinstance(self.temperatures, int):
            return [float(power) for power in self.temperatures]
        levels = torch.linspace(-1, 1, self.temperatures + 1, dtype=torch.float64).mul(STEEPNESS).sigmoid()
        found: list[float] = ((levels - levels[0]) / (levels[-1] - levels[0])).tolist()
        return found

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        settings = Settings("AIS", dtype=self.dtype, device=self.device, copies=self.chains)
        return answered(settings, model, targets, evidence, impossible, self.solve)

    @torch.no_grad()
    def solve(self, field: Field) -> Solved:
        """log Z and marginals of a field, for each of its rows.

        Raises:
            ShapeError: when the base's probabilities do not fit the field.
        """
        field = field.to(self.device, self.dtype)
        if not field.variables:
            return nothing_to_sum(field)
        field = self._based(field)
        way = Way(field, self.powers, torch.Generator(field.device).manual_seed(self.seed), self.progress)
        walk, known = way.up(self.chains), _independent(field)
        forward, seen = log_mean(walk.logs), way.around(walk, self.sweeps)
        total = torch.where(known.isneginf(), known, (known + forward.log).masked_fill(forward.effective == 0, nan))
        notes: dict[str, list[Any]] = {
            "log_evidence_forward": total.tolist(),
            "log_evidence_error": forward.error.tolist(),
            "effective_samples": forward.effective.tolist(),
        }
        hurried = walk.hurried
        if self.reverse:
            alive = torch.nonzero(total.isfinite()).flatten().tolist()
            exact = exact_states(field, self.chains, alive, self.seed)
            back = way.down(picked(seen.states, forward.shares, way.generator) if exact is None else exact)
            notes |= _sandwich(total, forward.error, known, log_mean(back.logs))
            notes["reverse_from"] = ["long run" if exact is None else "exact"] * field.rows
            hurried |= back.hurried
        notes["interrupted"] = [hurried] * field.rows
        faults = [self._fault({name: column[row] for name, column in notes.items()}) for row in range(field.rows)]
        notes["converged"] = [not fault for fault in faults]
        if any(faults):
            row = next(row for row, fault in enumerate(faults) if fault)
            text = f"AIS: {sum(map(bool, faults))} of {field.rows} rows did not settle; row {row}: {faults[row]}"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)
        return Solved(seen.mean, total, seen.joints.mean, notes, seen.error, seen.joints.error)

    def _fault(self, said: dict[str, Any]) -> str:
        """What is wrong with a row, and what to try; nothing when all is well."""
        low, error = said["log_evidence_forward"], said["log_evidence_error"]
        if isnan(low):
            return "all chains ended in impossible states, which its evidence may be. Try more chains or temperatures."
        high, chains = said.get("log_evidence_reverse", low), said["effective_samples"]
        if not said.get("bracketed", True):
            return f"the way up says {low:.4g}, the way down only {high:.4g}. Try more sweeps, or another base."
        if low > -inf and (high - low > self.tolerance or chains < FEW):
            return (
                f"the way up says {low:.4g} ± {error:.2g}, by {chains:.1f} effective chains, and the way down "
                f"{high:.4g}; tolerance {self.tolerance:g}. Try more temperatures, or another base."
            )
        return ""

    def _based(self, field: Field) -> Field:
        """The field with the base as its log weights of single states."""
        if self.base == "beliefs":
            return rebased(field, _logs(field, _beliefs(field)))
        if isinstance(self.base, str):
            return field if self.base == "unary" else rebased(field, torch.zeros_like(field.unary[:1]))
        if isinstance(self.base, Mapping):
            return rebased(field, _by_name(field, self.base))
        p = self.base if isinstance(self.base, Tensor) else self.base.solve(field).marginals
        states = field.unary.shape[1]
        if p.dim() not in (1, 2) or p.shape[-1] != states or p.numel() not in (states, field.unary.numel()):
            raise ShapeError(
                f"AIS: base has shape {tuple(p.shape)}, expected ({states},) or ({field.rows}, {states}): the "
                "probabilities of all states of all variables."
            )
        return rebased(field, _logs(field, p).reshape(-1, states))


def _beliefs(field: Field) -> Tensor:
    """Marginals that need not be right, and are not to be too sure of themselves, `[rows, states]`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = LoopyBP(iterations=ROUNDS, progress=False).solve(field)
    sure = torch.where(found.log_evidence.isneginf()[:, None], 1.0, found.marginals)
    return (1 - DOUBT) * sure + DOUBT / field.sizes.repeat_interleave(field.sizes)


def _by_name(field: Field, given: Mapping[str, Numbers]) -> Tensor:
    """Log weights of single states `[rows, states]`, given by name for some variables."""
    base = field.unary.clone()
    for v, (start, name) in enumerate(zip(field.starts.tolist(), field.names, strict=False)):
        if name in given:
            p, size = torch.as_tensor(given[name]), int(field.sizes[v])
            if p.shape != (size,):
                raise ShapeError(f"AIS: base of {name!r} has shape {tuple(p.shape)}, expected ({size},), one a state.")
            base[:, start : start + size] = _logs(field, p)
    return base


def _logs(field: Field, p: Tensor) -> Tensor:
    """The logarithms of probabilities, none too small, so that no possible state is out of reach."""
    return p.to(field.unary).clamp_min(LEAST).log()


def _sandwich(low: Tensor, error: Tensor, known: Tensor, back: Mean) -> dict[str, list[Any]]:
    """What the way down says, beside the way up."""
    high = torch.where(low.isfinite(), known - back.log, low)
    slack = OUT_OF_ORDER * (error**2 + back.error**2).sqrt()
    return {
        "log_evidence_reverse": high.tolist(),
        "interval_low": torch.minimum(low - Z95 * error, high - Z95 * back.error).tolist(),
        "interval_high": torch.maximum(low + Z95 * error, high + Z95 * back.error).tolist(),
        "bracketed": (low.isinf() | (low <= high + slack)).tolist(),
    }


def _independent(field: Field) -> Tensor:
    """The log of the sum over all joint states without factors, `[rows]`."""
    assert field.constant is not None
    variable = torch.arange(field.variables, device=field.device).repeat_interleave(field.sizes)
    peaks = field.unary.new_full((field.rows, field.variables), -torch.inf)
    peaks = peaks.scatter_reduce(1, variable.expand_as(field.unary), field.unary, "amax")
    scaled = (field.unary - peaks.nan_to_num(neginf=0.0)[:, variable]).exp()
    sums = torch.zeros_like(peaks).index_add(1, variable, scaled)
    return (sums.log() + peaks).sum(1) + field.constant
