"""Gibbs sampling: many chains, with standard errors from how far they are apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..approximate.gibbs.layout import best
from ..approximate.gibbs.merge import merged
from ..approximate.gibbs.run import Chains, Run
from ..approximate.gibbs.start import begun, consistent, deterministic
from ..approximate.gibbs.sweep import Sweeper
from ..errors import ConvergenceWarning, EvidenceError, PlanError
from ..fields.answers import Settings, Solved, answered, drawn, nothing_to_sum
from ..fields.field import Field

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior
    from ..samples import Samples

MIXED = 1.05  # the split R-hat up to which chains are said to agree


@dataclass(frozen=True)
class Gibbs:
    """Markov chains that draw each variable given all others, x_i ~ p(x_i | x_others), many of them side by side.

    Probabilities are averages of those conditionals; their standard errors come from the spread of the chains, which
    are independent, and from what all of them may have missed. Small sets of variables that a table of zeros and other
    numbers ties together are drawn as one.
    `diagnostics` has `r_hat` (near 1 when the chains agree), `effective_samples`, `converged`, and `deterministic`:
    the exact zeros that are left may keep chains from going everywhere, which these numbers need not show. The log
    evidence is not estimated.

    Args:
        sweeps: how often each variable is drawn in each chain after the warm-up.
        chains: how many for each row of evidence; 2 or more.
        warmup: sweeps before, in the first half of which the factors fade in.
        thin: sweeps between states that are kept, for joints and samples.
        powers: a ladder from 1 downwards, (1, 0.6, 0.3), for replica exchange: chains at powers of the factors below 1
            cross from mode to mode and swap states with those above them. None is without.
        seed: of the randomness.
        dtype, device: of the arithmetic; the device is that of the model's parameters by default. On the CPU loops are
            compiled.
        progress: whether to show a bar with the worst R-hat when it takes long; Ctrl-C ends the run and keeps what
            there is.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, infer
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> post = infer(net, [("rain", "wet")], engine=Gibbs())
        >>> bool((post["rain", "wet"][1, 1] - 0.16).abs() < 5 * post.standard_error(("rain", "wet"))[1, 1])
        True

    Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images; Gelfand and Smith (1990), Sampling-based approaches to calculating marginal densities.
    """

    sweeps: int = 1000
    chains: int = 32
    warmup: int = 200
    thin: int = 10
    powers: tuple[float, ...] | None = None
    seed: int = 0
    dtype: torch.dtype = torch.float64
    device: str | torch.device | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("sweeps", 2), ("chains", 2), ("warmup", 0), ("thin", 1)):
            if getattr(self, name) < least:
                raise PlanError(f"Gibbs: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if self.dtype not in (torch.float64, torch.float32):
            raise PlanError(f"Gibbs: dtype is {self.dtype!r}, expected torch.float64 or torch.float32.")
        ladder = (1.0,) if self.powers is None else self.powers
        falling = all(a > b >= 0 for a, b in zip(ladder, ladder[1:], strict=False))
        if not ladder or ladder[0] != 1 or not falling:
            raise PlanError(f"Gibbs: powers is {self.powers!r}, expected to fall from 1, such as (1, 0.6, 0.3).")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        if not targets:
            raise PlanError("Gibbs: chains do not say the log evidence. Use AIS(), or MiniBucket() for bounds of it.")
        return answered(self._settings, model, targets, evidence, impossible, self.solve)

    def draw(self, model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int) -> Samples:
        """n joint samples of variables by number, given one row of evidence: states of the chains in random order."""
        chosen = replace(self, seed=seed, sweeps=max(self.sweeps, self.thin * -(-n // self.chains)))
        said: dict[str, Any] = {}

        def states(field: Field) -> Tensor:
            found, notes = chosen._drawn(field, n)
            said.update({name: values[0] for name, values in notes.items()})
            return found

        return replace(drawn(self._settings, model, wanted, evidence, states), diagnostics=said)

    def solve(self, field: Field) -> Solved:
        """Marginals of a field, for all its rows side by side.

        Args:
            field: what to sample; its dtype and device are used.

        Raises:
            PlanError: when no state of positive weight was found to start from.

        Example:
            >>> from pgm import grid
            >>> pull = torch.zeros(20, 20, 2, dtype=torch.float64)
            >>> pull[0, 0, 1] = 1.0
            >>> ising = grid(pull, torch.tensor([[0.2, -0.2], [-0.2, 0.2]], dtype=torch.float64))
            >>> Gibbs(sweeps=200).solve(ising).marginals.shape
            torch.Size([1, 800])
        """
        if not field.variables:
            return nothing_to_sum(field)
        chains, impossible = self._chains(field)
        run = chains.run(self.sweeps, self.thin, self.progress)
        found, notes = run.estimates, self._said(chains, run, impossible)
        total = torch.where(impossible, -torch.inf, nan).to(field.dtype)
        samples = found.states.flatten(1, 2)
        return Solved(found.marginals, total, found.joint, notes, found.errors, found.joint_errors, samples)

    def _said(self, chains: Chains, run: Run, impossible: Tensor) -> dict[str, list[Any]]:
        """How far to trust a run, one entry a row each; warns of chains that disagree."""
        r_hat = torch.where(impossible, nan, run.estimates.r_hat)
        self._warn(r_hat)
        notes: dict[str, list[Any]] = {
            "converged": (r_hat <= MIXED).tolist(),
            "r_hat": r_hat.tolist(),
            "effective_samples": run.estimates.effective_samples.tolist(),
            "iterations": [run.sweeps] * len(r_hat),
            "deterministic": deterministic(chains.sweeper.field).tolist(),
            "interrupted": [run.interrupted] * len(r_hat),
        }
        if self.powers is not None:
            notes["swaps_accepted"] = run.accepted.tolist()
        return notes

    def _chains(self, field: Field) -> tuple[Chains, Tensor]:
        """Chains after their warm-up, and which rows are known to be impossible."""
        generator = torch.Generator(field.device).manual_seed(self.seed)
        known = consistent(field)
        impossible = _impossible(known)
        ladder = torch.tensor(self.powers or (1.0,), dtype=field.dtype, device=field.device)
        together = merged(known)
        sweeper = Sweeper(consistent(together.field))
        states, possible = begun(sweeper, self.chains * len(ladder), generator)
        stuck = torch.nonzero(~possible & ~impossible).flatten().tolist()
        if stuck:
            raise PlanError(
                f"Gibbs: found no state of positive weight to start from in {len(stuck)} of {field.rows} rows (row "
                f"{stuck[0]} is the first); the evidence may be impossible, or the zeros hard to satisfy. Exact() and "
                "MiniBucket() know; more chains search more widely."
            )
        return Chains(together, sweeper, states, ladder, generator).warmed(self.warmup, self.progress), impossible

    def _drawn(self, field: Field, n: int) -> tuple[Tensor, dict[str, list[Any]]]:
        """States of the chains, `[n, variables]`, and how far to trust them."""
        if not field.variables:
            return torch.zeros(n, 0, dtype=torch.long), {}
        chains, impossible = self._chains(field)
        if bool(impossible.any()):
            raise EvidenceError("Gibbs: the evidence has probability 0, there is nothing to sample.")
        run = chains.run(self.sweeps, self.thin, self.progress)
        states = run.estimates.states[0].flatten(0, 1)  # [chains * kept, variables]
        order = torch.randperm(len(states), generator=chains.generator, device=states.device)
        return states[order[:n]], self._said(chains, run, impossible)

    @property
    def _settings(self) -> Settings:
        copies = self.chains * (1 + self.sweeps // self.thin // 32)  # what is kept of a state takes less room
        return Settings("Gibbs", dtype=self.dtype, device=self.device, copies=copies)

    def _warn(self, r_hat: Tensor) -> None:
        apart = torch.nonzero(r_hat > MIXED).flatten()
        if len(apart):
            worst = int(r_hat.nan_to_num(0.0).argmax())
            warnings.warn(
                f"Gibbs: the chains disagree in {len(apart)} of {len(r_hat)} rows; the worst R-hat is "
                f"{float(r_hat[worst]):.3f} in row {worst}, expected at most {MIXED}. Raise sweeps or warmup, or give "
                "powers=(1, 0.6, 0.3) to cross between modes.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _impossible(field: Field) -> Tensor:
    """Rows in which a variable has no possible state left, or the constant is zero, `[rows]`."""
    assert field.constant is not None
    return field.constant.isneginf() | best(field).isneginf().any(1)
