"""The no-U-turn sampler."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import EvidenceError, PlanError
from .coordinates import Coordinates, coordinates
from .draws import answer, gathered, seeded
from .joint import Joint
from .progress import counted
from .question import ask, one_row

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior

TRIES = 100  # draws from the prior among which each chain's start is looked for
DENSE = 100  # numbers up to which the masses are a matrix
FEWEST = 4  # draws a chain that can be judged
SITE = "latent"


@dataclass(frozen=True)
class NUTS:
    """Draws from the posterior by Hamiltonian trajectories whose length adapts itself; runs Pyro's sampler.

    It moves the numeric variables that are not observed; the finite ones are summed exactly inside the density.
    `log_evidence` is NaN: draws from the posterior do not tell it. `diagnostics` has, by variable and in its shape, the
    split `r_hat` of the chains (above 1.01 they have not mixed) and the `effective_samples`, and by chain the
    `divergences` (any are a warning) and the `acceptance`. Stopping it with Ctrl-C answers with the draws so far.

    Args:
        samples: draws a chain, after the warm-up.
        warmup: draws a chain in which step size and masses are tuned.
        chains: how many, one after the other.
        acceptance: the rate that the step size is tuned to.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Gaussian, LinearGaussian, Real, Variable, infer
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> net = BayesianNetwork(Gaussian(x, 0.0, 1.0), LinearGaussian(y, [x], [1.0], 0.0, 1.0))
        >>> post = infer(net, ["x"], given={"y": 2.0}, engine=NUTS(samples=200, warmup=100, chains=1))
        >>> len(post.samples)
        200

    Reference: Hoffman and Gelman (2014), The no-U-turn sampler; Vehtari et al. (2021), Rank-normalization, folding, and
    localization: an improved R-hat.
    """

    samples: int = 1000
    warmup: int = 500
    chains: int = 4
    acceptance: float = 0.8
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("samples", FEWEST), ("warmup", 1), ("chains", 1)):
            if getattr(self, name) < least:
                raise PlanError(f"NUTS: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if not 0 < self.acceptance < 1:
            raise PlanError(f"NUTS: acceptance is {self.acceptance!r}, expected a number between 0 and 1.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number, for one row of evidence."""
        one_row(evidence, "NUTS")
        question = ask(model, targets, evidence, 0, "NUTS")
        if not targets:
            raise PlanError("NUTS: it finds no log evidence, only posteriors. Use engine=Importance() or engine=SVI().")
        if not question.latent:
            raise PlanError("NUTS: no numeric variable is unknown, so nothing is to be drawn. Use engine=Exact().")
        with seeded(self.seed, question.device) as generator:
            joint, where = question.joint(question.terms), coordinates(question)
            chains, said = self._run(joint, where)
            with torch.no_grad():
                values, _ = where.values(chains.flatten(0, 1))
                by_chain = {name: value.unflatten(0, chains.shape[:2]) for name, value in values.items()}
                even = torch.zeros(chains.shape[:2].numel(), dtype=torch.float64, device=chains.device)
                found = answer(question, joint, values, even, nan, said | _mixing(by_chain), generator)
        return gathered([found], False, "NUTS")

    def _run(self, joint: Joint, where: Coordinates) -> tuple[Tensor, dict[str, Any]]:
        """Draws `[chains, samples, length]`, of chains equally long, and what the sampler says of each."""
        from pyro.infer import NUTS as Kernel

        def potential(at: dict[str, Tensor]) -> Tensor:
            values, log_det = where.values(at[SITE].unsqueeze(0))
            return -(joint.log_prob(values) + log_det).squeeze(0)

        drawn: list[tuple[Kernel, list[Tensor]]] = []
        with suppress(KeyboardInterrupt), closing(self._bar()) as bar:
            for _ in range(self.chains):
                dense = len(where.centre) <= DENSE
                kernel = Kernel(potential_fn=potential, target_accept_prob=self.acceptance, full_mass=dense)
                kernel.initial_params = at = {SITE: _start(potential, where)}
                kernel.setup(self.warmup)
                drawn.append((kernel, []))
                for step in range(self.warmup + self.samples):
                    next(bar)
                    at = kernel.sample(at)
                    drawn[-1][1].extend([at[SITE].detach()] * (step >= self.warmup))
        longest = max(len(draws) for _, draws in drawn)
        if longest < FEWEST:
            raise KeyboardInterrupt
        kept = [(kernel.diagnostics(), torch.stack(draws)) for kernel, draws in drawn if len(draws) == longest]
        said = {
            "divergences": [len(diagnostics["divergences"]) for diagnostics, _ in kept],
            "acceptance": [float(diagnostics["acceptance rate"]) for diagnostics, _ in kept],
        }
        return torch.stack([draws for _, draws in kept]), said

    def _bar(self) -> Generator[int, None, None]:
        return counted(self.chains * (self.warmup + self.samples) + 1, "draws", self.progress)


def _start(potential: Callable[[dict[str, Tensor]], Tensor], where: Coordinates) -> Tensor:
    """A point, drawn from about the prior, at which the density is positive."""
    for _ in range(TRIES):
        point = torch.randn_like(where.centre)
        if bool(torch.isfinite(potential({SITE: point}))):
            return point
    raise EvidenceError(f"NUTS: the evidence has probability 0 at {TRIES} draws from the prior; look at the model.")


def _mixing(by_chain: dict[str, Tensor]) -> dict[str, Any]:
    """R-hat and effective sample sizes of each variable, from its draws `[chains, samples, *event]`."""
    from pyro.ops.stats import effective_sample_size, split_gelman_rubin

    return {
        "r_hat": {name: split_gelman_rubin(draws, 0, 1) for name, draws in by_chain.items()},
        "effective_samples": {name: effective_sample_size(draws, 0, 1) for name, draws in by_chain.items()},
    }
