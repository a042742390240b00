"""Diffusion models: a Markovian hierarchical VAE whose guide only adds noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.errors import PlanError
from pgm.variable import Variable

from ...networks.network import Network
from ...networks.timed import timed_mlp
from ...pair import Pair
from .bound import Costs, costs
from .chain import chain, told
from .denoiser import Denoiser, Variance
from .noise import Noise, cosine_noise
from .prediction import Prediction
from .respaced import respaced
from .route import Route, route
from .sampling import (
    Sampler,
    Watch,
    columns,
    given_values,
    known_part,
    require_guided,
    require_shades,
    require_start,
    walk,
)
from .schedule import LearnedNoise

DENSE = timed_mlp(256, 256, 256)


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A diffusion model: how noise is added to x, and one network that takes it away at every step.

    Args:
        x: what is observed, numbers of about unit variance, or shades from -1 to 1.
        denoiser: computes p(x_{t-1} | x_t).
        given: what the denoiser is told besides: labels, or images of another size.
        levels: how many shades x has; None when it is any number.
        dropped: share of rows of which the network is told nothing while training, for guidance.
        places: parts of x that may be told different things, `[rows, places, *event]`: the windows of a panorama.
    """

    x: Variable
    denoiser: Denoiser
    given: tuple[Variable, ...] = ()
    levels: int | None = None
    dropped: float = 0.0
    places: int = 1

    @cached_property
    def pair(self) -> Pair:
        """The model and its guide as two graphs with a variable for every step."""
        return chain(self.x, self.denoiser, self.given, self.levels)

    @property
    def noise(self) -> Noise:
        """The process."""
        return self.denoiser.noise

    @property
    def modules(self) -> dict[str, Denoiser]:
        """What learns, by name, as phases take it."""
        return {"denoiser": self.denoiser}

    @property
    def event(self) -> int:
        """How many axes x has."""
        return len(self.x.shape)

    @property
    def shades(self) -> tuple[float, float] | None:
        """The least and the most that x may be; None for any number."""
        return None if self.levels is None else (-1.0, 1.0)

    def told(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """What the network sees of what is given."""
        return told(self.given, columns(self.given, batch, "diffusion"))

    def costs(self, batch: Mapping[str, Tensor], draws: int = 1) -> Costs:
        """Minus the evidence lower bound of rows in its three terms, in nats.

        Args:
            batch: x and what is given, `[*batch, *event]` by name.
            draws: of x_t for each row and step.

        Raises:
            GraphError: when one of these is missing.
            EvidenceError: when x has shades that are not from -1 to 1.
        """
        (x,), told = columns([self.x], batch, "costs"), self.told(batch)
        require_shades(x, self.shades, f"shades of {self.x.name!r}", "costs")
        return costs(self.denoiser, x, *told, event=self.event, levels=self.levels, draws=draws)

    @torch.no_grad()
    def sample(
        self,
        rows: int,
        given: Mapping[str, Tensor] | None = None,
        *,
        steps: int | Sequence[int] | None = None,
        guidance: float = 0.0,
        eta: float | None = None,
        known: Tensor | None = None,
        mask: Tensor | None = None,
        repeats: int = 1,
        start: Tensor | None = None,
        strength: float = 0.5,
        seed: int | None = None,
        progress: bool = True,
        watch: Watch | None = None,
    ) -> Tensor:
        """Draws of x, `[rows, *event]`; Ctrl-C returns what the network has in mind by then.

        Args:
            rows: how many.
            given: what the model is conditioned on, `[rows, *event]` by name.
            steps: how many on the way from noise, spread evenly; or which, upwards; all T by default.
            guidance: how much further than the conditioned prediction to go, away from the unconditioned one; 0 for no
                further, -1 as if nothing were given. A scale, as others say, is 1 more than this.
            eta: 0 for a deterministic way (DDIM), 1 for an ancestral one; None for the variances of the model.
            known: values of a part of x that is known, `[rows, *event]`: what surrounds a hole, or one channel.
            mask: 1 where x is known and stays, 0 where it is made, `[*event]` or `[rows, *event]`; masks of image tools
                are often the other way round, white where to paint.
            repeats: how often each step is taken, so that the rest fits what is known.
            start: rows to begin from instead of noise, for editing, `[rows, *event]`.
            strength: how much noise these get first: 0 leaves them as they are, 1 leaves nothing of them.
            seed: of the draws; torch's own randomness when None.
            progress: whether to show a bar on a terminal once it takes long.
            watch: is shown the way: called at every step t with its `Leg` (which knows t and the share of signal), x_t
                and the x_0 that the network has in mind there, `[rows, *event]` each.

        Raises:
            PlanError: with guidance and nothing given, when the model never learned to do without, a variable is not
                given, or an option is outside its range.
            GraphError: when something is given that the model is not conditioned on.
            ShapeError: when what is given or known, a mask or a start does not fit.
            EvidenceError: when a label is no state, or what is known or a start goes beyond the shades.

        Example:
            >>> model, way = diffusion(Variable("x", Real(2)), noise=cosine_noise(100)), []
            >>> found = model.sample(5, steps=4, watch=lambda leg, now, start: way.append((leg.step, now)))
            >>> [step for step, now in way]
            [100, 75, 50, 25]

        Reference: Ho, Jain and Abbeel (2020); Song, Meng and Ermon (2021) for eta; Ho and Salimans (2022) for guidance;
        Lugmayr et al. (2022), RePaint, for what is known; Meng et al. (2022), SDEdit, for a start.
        """
        require_guided(guidance, self.given, self.dropped)
        clip = self.shades
        legs, sampler = self.route(steps, eta).legs, Sampler(guidance, clip, repeats, progress, watch)
        device, values = self.denoiser.place.device, given_values(self.given, given, rows, self.places)
        seen = [value.to(device) for value in told(self.given, values)]
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            now = torch.randn(rows, *self.x.shape, device=device)
            if start is not None:
                require_start(start, now, strength, self.x.name)
                require_shades(start, clip, "shades of the start")
                legs = legs[len(legs) - round(strength * len(legs)) :]
                kept = legs[0].kept if legs else 1.0
                now = kept**0.5 * start.to(now) + (1 - kept) ** 0.5 * now
            part = known_part(known, mask, now, clip)
            return walk(self.denoiser, now, seen, legs=legs, sampler=sampler, known=part)

    def route(self, steps: int | Sequence[int] | None = None, eta: float | None = None) -> Route:
        """The way from noise to data, which can be printed; arguments as for `sample`."""
        return route(self.denoiser, steps, eta)

    def respaced(self, steps: int | Sequence[int]) -> Diffusion:
        """The same network as the model of a shorter process through some of the steps: its bound, graphs and samples.

        Args:
            steps: how many, spread evenly; or which, upwards.

        Raises:
            PlanError: when there are steps that the process does not have.

        Example:
            >>> diffusion(Variable("x", Real(2))).respaced(10)
            Diffusion(x, 10 steps, predicts data)

        Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models.
        """
        return replace(self, denoiser=respaced(self.denoiser, steps))

    def __repr__(self) -> str:
        also = f" given {', '.join(v.name for v in self.given)}" if self.given else ""
        return f"Diffusion({self.x.name}{also}, {self.noise.steps} steps, predicts {self.denoiser.predicts})"


def diffusion(
    x: Variable,
    network: Network = DENSE,
    *,
    label: Variable | None = None,
    given: Sequence[Variable] = (),
    noise: Noise | LearnedNoise | None = None,
    predicts: Prediction = "noise",
    variance: Variance = "posterior",
    levels: int | None = None,
    dropped: float | None = None,
) -> Diffusion:
    """A diffusion model.

    Args:
        x: what is observed, `Real`: images with shades from -1 to 1, or numbers of about unit variance.
        network: makes the network of x, the time and what is given: `timed_mlp` or `unet`.
        label: a variable that the network is told.
        given: further ones, such as the same image in few pixels.
        noise: the process, or a `learned_noise`; `cosine_noise(1000)` by default.
        predicts: what the network says: 'noise', 'data', 'mean' or 'v'.
        variance: of each step back: 'posterior', 'added', 'learned' or 'fitted', as for `Denoiser`.
        levels: how many shades x has, for a likelihood of shades; None when it is any number.
        dropped: share of rows that the network is told nothing of while training; 0.1 by default where something is
            given, so that samples can be guided.

    Raises:
        PlanError: when x is not `Real`, or as `Denoiser`.

    Example:
        >>> diffusion(Variable("x", Real(2)), noise=cosine_noise(100))
        Diffusion(x, 100 steps, predicts noise)

    Reference: Sohl-Dickstein et al. (2015), Deep unsupervised learning using nonequilibrium thermodynamics; Ho, Jain
    and Abbeel (2020), Denoising diffusion probabilistic models.
    """
    if not isinstance(x.domain, Real) or not x.shape:
        raise PlanError(f"diffusion: {x.name!r} is {x.domain!r}, expected Real with a shape, such as Real(2).")
    told = (*([label] if label is not None else []), *given)
    shape = (*x.shape[:-1], (2 if variance == "learned" else 1) * x.shape[-1])
    net = network([x, Variable("time", Real(1)), *told], shape)
    denoiser = Denoiser(net, noise or cosine_noise(1000), predicts, variance)
    return Diffusion(x, denoiser, told, levels, (0.1 if told else 0.0) if dropped is None else dropped)
