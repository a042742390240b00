"""A recipe for generative adversarial networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from pgm.errors import PlanError
from pgm.neural import Joined
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.standardised import spread_of
from ..evaluate.beside import MIXTURES, memorised
from ..evaluate.figure import Figure
from ..evaluate.judge import judged_right
from ..evaluate.rows import place
from ..evaluate.samples import modes, sliced_wasserstein
from ..networks import Network, mlp
from ..networks.dcgan import LEAK, dcgan_discriminator, dcgan_generator
from ..networks.norms import Norm
from ..networks.spectral import spectral
from ..pictures.generated import neighbours, sums, walks
from ..training.schedules import Schedule, constant, geometric
from ..zoo.adversarial import Game, hinge, least_squares, minimax, non_saturating, wasserstein
from ..zoo.adversarial import Gan as Model
from ..zoo.adversarial import gan as made
from ..zoo.adversarial.latent import ink, slant
from ..zoo.adversarial.learning import adversarial
from ..zoo.adversarial.penalties import Penalty, gradient_penalty, r1
from .games import in_shades, playing, shown, told
from .recipe import Recipe
from .setup import Setup

Games = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
GAMES: Mapping[str, Callable[[], Game]] = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "least_squares": least_squares,
    "hinge": hinge,
    "wasserstein": wasserstein,
}
PENALTIES: Mapping[str, tuple[Callable[[float], Penalty], float]] = {
    "gradient": (gradient_penalty, 10.0),
    "r1": (r1, 0.02),
}
NOISY, QUIET = 0.7, 0.02  # the share of turns in which noise dies away, and what then is left of it
FADED = 0.9  # the share of turns in which a penalty fades
DRAWN, ACROSS = 2500, 10  # samples that figures are of; columns of pictures


@dataclass(frozen=True)
class GAN(Recipe):
    """A generative adversarial network: convolutions for images, whose shades go from -1 to 1, dense for points.

    Args:
        game: what the two players pay: 'non_saturating', 'minimax', 'least_squares', 'hinge' or 'wasserstein'.
        penalty: what keeps the discriminator smooth: 'none', 'gradient' between real and fake rows, 'r1' at real ones,
            or 'auto': 'r1' for points, none for images.
        weight: of the penalty; by default 10 of 'gradient' and 0.02 of 'r1'.
        fade: the share of the penalty that is left in the end: it spreads points over modes, then lets them be narrow.
        spectral: whether each layer of the discriminator is divided by its largest singular value.
        critic_steps: steps of the discriminator for each one of the generator.
        critic_rate: its learning rate; by default that of the generator.
        momentum: of Adam, for both.
        network: 'dcgan', 'dense', or 'auto': convolutions for images, dense for points.
        channels: of the convolutions, at half of the full size, at a quarter of it, and so on.
        attention: the longest side of sizes at which every pixel looks at all others; 0 for none.
        norm: of the discriminator's convolutions: 'batch', 'layer', 'instance' or 'none'; under a penalty any but
            'batch'. That of the generator is of the batch.
        hidden: units of each layer of dense networks.
        latents: how many numbers rows are made of.
        pack: rows that are judged together.
        noise: the deviation of what is added at first to all rows that the discriminator sees, and dies away.
        truncation: the largest number that latent variables have when sampling; none for any.
    """

    sampling: ClassVar[tuple[str, ...]] = ("truncation",)

    binarise: Binarisation = "no"
    epochs: float = 175
    batch: int = 64
    decay: bool = True
    average: float | None = 0.99
    game: Games = "non_saturating"
    penalty: Literal["auto", "none", "gradient", "r1"] = "auto"
    weight: float | None = None
    fade: float = 1.0
    spectral: bool = False
    critic_steps: int = 1
    critic_rate: float | None = None
    momentum: float = 0.5
    network: Literal["auto", "dcgan", "dense"] = "auto"
    channels: tuple[int, ...] = (32, 64)
    attention: int = 0
    norm: Norm = "batch"
    hidden: tuple[int, ...] = (128, 128, 128)
    latents: int = 32
    pack: int = 1
    noise: float = 0.0
    truncation: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("critic_steps", "latents", "pack", "weight", "critic_rate", "truncation"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise PlanError(f"GAN: {name} is {value!r}, expected a number above 0.")
        if self.pack > self.batch:
            raise PlanError(f"GAN: pack is {self.pack} and batch {self.batch}, expected a pack within a batch.")
        if not self.noise >= 0 or not 0 < self.fade <= 1:
            raise PlanError(
                f"GAN: noise is {self.noise!r} and fade {self.fade!r}, expected 0 or more, and above 0 up to 1."
            )

    def load(self, split: Split = "train") -> Data:
        return in_shades(self, split)

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        phases = adversarial(
            model,
            GAMES[self.game](),
            steps=self.critic_steps,
            penalty=self._penalty(points=len(model.x.shape) == 1),
            fade=self._fading(data),
            noise=self._dying(data),
            critic=playing(self, self.momentum, self._turns(data) * self.critic_steps, self.critic_rate),
            **playing(self, self.momentum, self._turns(data)),
        )
        return Setup(
            {"generator": model.pair.model, "discriminator": model.pair.guide},
            phases,
            partial(self._sample, model),
            partial(self._measured, model, data),
            pictures=self._pictures(model, data) if len(model.x.shape) > 1 else {},
            watched=self._watched,
        )

    def model(self, data: Data) -> Model:
        """The networks for data like these, before they have learned anything."""
        x = self.x(data)
        generator, discriminator = self._networks(x)
        discriminator = spectral(discriminator) if self.spectral else discriminator
        return made(
            x, self.latents, label=self.label(data), generator=generator, discriminator=discriminator, pack=self.pack
        )

    def _networks(self, x: Variable) -> tuple[Network, Network]:
        points = len(x.shape) == 1
        if self.network == "dense" or (self.network == "auto" and points):
            judging = mlp(*self.hidden, activation=lambda: nn.LeakyReLU(LEAK))
            return mlp(*self.hidden) if points else bounded(*self.hidden), judging
        return (
            dcgan_generator(*self.channels, attention=self.attention),
            dcgan_discriminator(*self.channels, norm=self.norm, attention=self.attention),
        )

    def _turns(self, data: Data) -> int:
        return ceil(self.steps(data) / (1 + self.critic_steps))

    def _penalty(self, points: bool) -> Penalty | None:
        kind = ("r1" if points else "none") if self.penalty == "auto" else self.penalty
        if kind == "none":
            if self.weight is not None or self.fade != 1:
                raise PlanError("GAN: weight and fade are of a penalty, and there is none; name it, such as 'r1'.")
            return None
        make, weight = PENALTIES[kind]
        return make(self.weight or weight)

    def _fading(self, data: Data) -> Schedule:
        """What the penalty is multiplied by."""
        return constant() if self.fade == 1 else geometric(1.0, self.fade, ceil(FADED * self._turns(data)))

    def _dying(self, data: Data) -> Schedule | None:
        """Noise that is smaller and smaller; None for none."""
        over = ceil(NOISY * self._turns(data))
        return geometric(self.noise, QUIET * self.noise, over) if self.noise else None

    def _drawn(self, model: Model, rows: int, given: Mapping[str, Tensor]) -> Tensor:
        """Draws of x, `[rows, *event]`, whose latent variables are no larger than they may be."""
        if self.truncation is None:
            return model.sample(rows, given)
        z = torch.empty(rows, self.latents, device=place(model.pair.model))
        z = nn.init.trunc_normal_(z, a=-self.truncation, b=self.truncation)
        return model.sample(rows, {**given, "z": z})

    def _sample(self, model: Model, rows: int, labels: Tensor | None) -> Tensor:
        return shown(self._drawn(model, rows, {} if labels is None else {"label": labels}))

    def _measured(self, model: Model, data: Data, held: Data) -> tuple[Figure, ...]:
        given = told(model, DRAWN)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            drawn = self._drawn(model, DRAWN, given).cpu()
        held, name = held.to("cpu"), model.x.name
        found = [distance(drawn, held[name], data[name])]
        found += mixture(drawn, named(self.data)) if self.data in ("ring", "grid") else []
        found += [judged_right(drawn, given["label"].cpu(), data, held)] if given else []
        return (*found, *(memorised(drawn, data, held) if len(model.x.shape) > 1 else ()))

    def _watched(self, samples: Tensor) -> dict[str, float]:
        """Figures of samples for the history: the modes that they have found, where those are known."""
        found = mixture(samples.cpu(), named(self.data)) if self.data in ("ring", "grid") else []
        return {figure.name: figure.value for figure in found}

    def _pictures(self, model: Model, data: Data) -> dict[str, Callable[[Data, Path], object]]:
        given = told(model, ACROSS)
        rows = data[model.x.name]

        def nearest(held: Data, path: Path) -> object:
            return neighbours(self._drawn(model, ACROSS, given).cpu(), rows, path=path)

        flat = len(model.x.shape) == 2  # a slant is that of one channel
        attributes = {"bold": ink, **({"slanted": slant} if flat else {})}
        return {
            "interpolation": lambda held, path: walks(model, given, ACROSS, path=path),
            "arithmetic": lambda held, path: sums(model, attributes, given, ACROSS, path=path),
            "neighbours": nearest,
        }


def bounded(*hidden: int) -> Network:
    """Makes multilayer perceptrons whose results go from -1 to 1, as shades do."""

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        return Joined(nn.Sequential(mlp(*hidden)(given, shape), nn.Tanh()))

    return make


def mixture(samples: Tensor, data: Data) -> list[Figure]:
    """The modes that samples of standardised points have found, and the share of them within three deviations of one.

    Args:
        samples: `[rows, 2]`.
        data: the ring or the grid, as it was before it was standardised.
    """
    (centres, deviation), (middle, spread) = MIXTURES[data.name], spread_of(data)
    found = modes(samples, (centres - middle) / spread, deviation / spread.item())
    how = f"within 3 deviations, {len(samples):,} samples, {data.name}"
    return [
        Figure("modes captured", found.captured, "exact", f"of {found.of}, {how}"),
        Figure("samples of high quality", found.high_quality, "exact", how),
    ]


def distance(samples: Tensor, held: Tensor, train: Tensor) -> Figure:
    """The sliced Wasserstein distance from samples to held-out rows, and that from rows learned from."""
    n = min(len(samples), len(held), len(train))
    value, own = (sliced_wasserstein(rows[:n].cpu(), held[:n]) for rows in (samples, train))
    how = f"{n:,} samples, as many held-out rows; of training rows {own:.4g}"
    return Figure("sliced Wasserstein distance", value, "estimate", how)
