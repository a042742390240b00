"""Flow matching models: a differential equation that carries noise to data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.engines.progress import Watched
from pgm.errors import PlanError
from pgm.model import Model
from pgm.variable import Variable

from ...networks.network import Network
from ...networks.rest import resting
from ...networks.timed import timed_mlp
from ..diffusion.chain import told
from ..diffusion.sampling import (
    Known,
    columns,
    given_values,
    known_part,
    require_guided,
    require_shades,
    require_start,
)
from .conditional import Flowed
from .density import log_density, signs
from .ode import SHORTEST, Field, Method, adapted, integrated
from .velocity import Velocity, around, field

DENSE = timed_mlp(256, 256, 256)


@dataclass(frozen=True, eq=False)
class FlowMatching:
    """A flow matching model: a velocity at every time and place, which carries noise to data.

    Time 0 is noise and time 1 the data. Where `steps` is asked for, a number is that of equal steps of a `method`
    ('euler', 'midpoint', 'heun' or 'rk4'); None takes as many as a `tolerance` needs (Dormand and Prince).

    Args:
        x: what is observed, numbers of about unit variance, or shades from -1 to 1.
        velocity: which way to go.
        given: what it is told besides: labels, or images of another size.
        levels: how many shades x has; None when it is any number.
        dropped: share of rows of which the network is told nothing while training, for guidance.
        places: parts of x that may be told different things, `[rows, places, *event]`: the windows of a panorama.
    """

    x: Variable
    velocity: Velocity
    given: tuple[Variable, ...] = ()
    levels: int | None = None
    dropped: float = 0.0
    places: int = 1

    @cached_property
    def model(self) -> Model:
        """The same as a graph, whose density is exact: x given what it is told."""
        return Model(Flowed(self.x, self.given, self), name="flow matching")

    @property
    def modules(self) -> dict[str, Velocity]:
        """What learns, by name, as phases take it."""
        return {"velocity": self.velocity}

    def told(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """What the network sees of what is given."""
        return told(self.given, columns(self.given, batch, "flow_matching"))

    @torch.no_grad()
    def sample(
        self,
        rows: int,
        given: Mapping[str, Tensor] | None = None,
        *,
        steps: int | None = None,
        method: Method = "midpoint",
        tolerance: float = 1e-4,
        guidance: float = 0.0,
        known: Tensor | None = None,
        mask: Tensor | None = None,
        start: Tensor | None = None,
        strength: float = 0.5,
        seed: int | None = None,
        progress: bool = True,
        watch: Callable[[float, Tensor], object] | None = None,
    ) -> Tensor:
        """Draws of x, `[rows, *event]`; Ctrl-C returns where the velocity points to by then.

        Args:
            rows: how many.
            given: what the model is conditioned on, `[rows, *event]` by name.
            steps: how many from noise to data; None for as many as the tolerance needs.
            method: of the steps, when their number is given.
            tolerance: of the error of a step, when it is not.
            guidance: how much further than the conditioned velocity to go, away from the unconditioned one.
            known: values of a part of x that is known, `[rows, *event]`: what surrounds a hole, or one channel.
            mask: 1 where they are known, `[*event]` or `[rows, *event]`.
            start: rows to begin from instead of noise, for editing, `[rows, *event]`.
            strength: how far back towards noise these go first: 0 leaves them as they are, 1 leaves nothing of them.
            seed: of the draws; torch's own randomness when None.
            progress: whether to show a bar on a terminal once it takes long.
            watch: is shown the way: called after every step with the time and x_t.

        Returns:
            Numbers; shades are rounded to the nearest of `levels`.

        Raises:
            PlanError: with guidance and nothing given, when the model never learned to do without, a variable is not
                given, or an option is outside its range.
            GraphError: when something is given that the model is not conditioned on.
            ShapeError: when what is given or known, a mask or a start does not fit.
            EvidenceError: when a label is no state, or what is known or a start goes beyond the shades.

        Reference: Ho and Salimans (2022), Classifier-free diffusion guidance; Meng et al. (2022), SDEdit, for a start.
        """
        require_guided(guidance, self.given, self.dropped)
        shades = None if self.levels is None else (-1.0, 1.0)
        values = given_values(self.given, given, rows, self.places)
        noise = self._noise(rows, seed)
        seen = [value.to(noise.device) for value in told(self.given, values)]
        now, begin = (noise, 0.0) if start is None else self._begun(start, noise, strength, shades)
        nothing = Known(noise, noise.new_zeros(()))
        part = known_part(known, mask, noise, shades) or nothing
        there = part.mask.bool()
        now = torch.where(there, self.velocity.between(noise, part.values, begin), now)
        way = around(field(self.velocity, seen, guidance), there, self.velocity.wanted(noise, part.values))
        left = None if steps is None else max(min(steps, 1), round(steps * (1 - begin)))
        with resting(self.velocity), Watched(left or round(1 / SHORTEST), "steps", progress) as numbers:
            for _, state in zip(numbers, path(way, now, begin, 1.0, left, method, tolerance), strict=False):
                time, now = state
                if watch is not None:
                    watch(time, now)
        if numbers.interrupted:
            with resting(self.velocity):
                now = self.velocity.data(now, time, way(time, now))
        return nearest(torch.where(there, part.values, now), self.levels)

    def _begun(
        self, start: Tensor, noise: Tensor, strength: float, shades: tuple[float, float] | None
    ) -> tuple[Tensor, float]:
        """Rows on their way between noise and a start, and the time there."""
        require_start(start, noise, strength, self.x.name)
        require_shades(start, shades, "the start")
        return self.velocity.between(noise, start.to(noise), 1 - strength), 1 - strength

    def _noise(self, rows: int, seed: int | None) -> Tensor:
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            return torch.randn(rows, *self.x.shape, device=self.velocity.place.device)

    @torch.no_grad()
    def carried(
        self,
        x: Tensor,
        given: Mapping[str, Tensor] | None = None,
        *,
        begin: float = 0.0,
        end: float = 1.0,
        steps: int | None = None,
        method: Method = "midpoint",
        tolerance: float = 1e-5,
    ) -> Tensor:
        """Where rows are carried from one time to another, `[rows, *event]`: the same way back as forth.

        Args:
            x: where they are at the beginning, `[rows, *event]`.
            given: what the model is conditioned on, `[rows, *event]` by name.
            begin, end: times, 0 is noise and 1 the data; from 1 to 0 data are carried to their noise.
            steps, method, tolerance: as for `sample`.

        Raises:
            PlanError: when an option is outside its range.
            GraphError: when something that the model is conditioned on is missing.
        """
        way = path(field(self.velocity, self.told(given or {})), x, begin, end, steps, method, tolerance)
        with resting(self.velocity):
            *_, (_, found) = way
        return found

    def log_prob(
        self,
        batch: Mapping[str, Tensor],
        *,
        steps: int | None = None,
        method: Method = "rk4",
        tolerance: float = 1e-5,
        probes: int | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """log p(x) of rows, in nats, `[rows]`: exact but for the steps.

            log p(x) = log N(x_0; 0, I) - integral of the divergence of the velocity from time 0 to 1

        Args:
            batch: x and what is given, `[rows, *event]` by name.
            steps, method, tolerance: as for `sample`.
            probes: random signs by which the divergence is estimated, without bias, for images; None for the exact
                one, which costs a derivative for each number of a row.
            seed: of the probes; torch's own randomness when None.

        Raises:
            PlanError: when there is no probe, or an option is outside its range.
            GraphError: when x or something that the model is conditioned on is missing.

        Reference: Chen, Rubanova, Bettencourt and Duvenaud (2018), Neural ordinary differential equations; Grathwohl
        et al. (2019), FFJORD, for probes.
        """
        if probes is not None and probes < 1:
            raise PlanError(f"log_prob: probes is {probes}, expected 1 or more, or None for exact divergences.")
        (x,) = columns([self.x], batch, "log_prob")
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            drawn = None if probes is None else signs(x, probes)
        way = partial(path, begin=1.0, end=0.0, steps=steps, method=method, tolerance=tolerance)
        with resting(self.velocity):
            return log_density(field(self.velocity, self.told(batch)), x, way, drawn).mean(0)

    def __repr__(self) -> str:
        also = f" given {', '.join(v.name for v in self.given)}" if self.given else ""
        return f"FlowMatching({self.x.name}{also})"


def flow_matching(
    x: Variable,
    network: Network = DENSE,
    *,
    label: Variable | None = None,
    given: Sequence[Variable] = (),
    smallest: float = 0.0,
    levels: int | None = None,
    dropped: float | None = None,
) -> FlowMatching:
    """A flow matching model.

    Args:
        x: what is observed, `Real`: images with shades from -1 to 1, or numbers of about unit variance.
        network: makes the network of x, the time and what is given: `timed_mlp` or `unet`.
        label: a variable that the network is told.
        given: further ones, such as the same image in few pixels.
        smallest: the deviation that is left around each row of data at time 1.
        levels: how many shades x has, which are then learned as numbers spread evenly around them; None when it is any
            number.
        dropped: share of rows that the network is told nothing of while training; 0.1 by default where something is
            given, so that samples can be guided.

    Raises:
        PlanError: when x is not `Real`, or as `Velocity`.

    Example:
        >>> flow_matching(Variable("x", Real(2)), label=Variable("label", range(3)))
        FlowMatching(x given label)

    Reference: Lipman, Chen, Ben-Hamu, Nickel and Le (2023), Flow matching for generative modeling; Liu, Gong and Liu
    (2023), Flow straight and fast; Albergo and Vanden-Eijnden (2023), Building normalizing flows with stochastic
    interpolants.
    """
    if not isinstance(x.domain, Real) or not x.shape:
        raise PlanError(f"flow_matching: {x.name!r} is {x.domain!r}, expected Real with a shape, such as Real(2).")
    told = (*([label] if label is not None else []), *given)
    velocity = Velocity(network([x, Variable("time", Real(1)), *told], x.shape), smallest)
    return FlowMatching(x, velocity, told, levels, (0.1 if told else 0.0) if dropped is None else dropped)


def path(
    slopes: Field, now: Tensor, begin: float, end: float, steps: int | None, method: Method, tolerance: float
) -> Iterator[tuple[float, Tensor]]:
    """The states from one time to another: so many equal steps of a method, or as many as a tolerance needs.

    Raises:
        PlanError: when there is no step, or as `integrated` and `adapted`.
    """
    if steps is None:
        return adapted(slopes, now, begin, end, tolerance)
    if steps < 1:
        raise PlanError(f"flow: steps is {steps}, expected 1 or more, or None for as many as a tolerance needs.")
    return integrated(slopes, now, torch.linspace(begin, end, steps + 1, dtype=torch.float64).tolist(), method)


def nearest(x: Tensor, levels: int | None) -> Tensor:
    """The nearest of so many shades from -1 to 1; numbers stay as they are."""
    if levels is None:
        return x
    return ((x.clamp(-1, 1) + 1) * (levels - 1) / 2).round() * 2 / (levels - 1) - 1
