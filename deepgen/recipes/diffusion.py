"""Recipes for diffusion models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.coarse import coarsened
from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.shades import centred
from ..data.standardised import standardised
from ..evaluate.figure import Figure, Side
from ..networks.network import Network
from ..networks.timed import timed_mlp
from ..networks.unet import unet
from ..pair import Pair
from ..pictures.process import bound_terms, process, schedules
from ..zoo.diffusion import Diffusion as Model
from ..zoo.diffusion import diffusion
from ..zoo.diffusion.bound import Costs, sampled_costs
from ..zoo.diffusion.learning import Goal, denoised
from ..zoo.diffusion.noise import Noise, cosine_noise, linear_noise
from ..zoo.diffusion.prediction import Prediction
from ..zoo.diffusion.schedule import LearnedNoise, learned_noise
from .recipe import Recipe
from .setup import Setup

SCHEDULES: Mapping[str, Callable[[int], Noise | LearnedNoise]] = {
    "cosine": cosine_noise,
    "learned": learned_noise,
    "linear": linear_noise,
}
Timed = Literal["auto", "unet", "dense"]
SMALL = 16  # pixels a side from which on images get a U-Net
HIDDEN, HIDDEN_OF_IMAGES = (256, 256, 256), (512, 512, 512, 512)  # units of dense networks
OCTAVES = 7  # of points, whose modes may be much narrower than all of them together
DRAWN = 3  # steps in pictures of the graphs
IMAGES, POINTS, MEASURED = 3, 1000, 100  # rows in a picture of the process, and those that the bound's terms are of


@dataclass(frozen=True)
class Diffusion(Recipe):
    """A diffusion model: a U-Net for images, whose shades go from -1 to 1, a dense network for points and small images.

    Args:
        noise_steps: T, how many steps add noise.
        schedule: how the noise grows: 'cosine', 'linear', or 'learned' with the goal 'bound'.
        predicts: what the network says: 'noise', 'data', 'mean' or 'v'.
        goal: 'simple' for images, 'bound' for likelihoods, 'hybrid' for both, with learned variances.
        network: 'unet', 'dense', or 'auto': dense for points, and for images of fewer than 16 pixels a side.
        channels: of the U-Net, at full size, at half of it, and so on.
        attention: the longest side of sizes at which every pixel looks at all others; in the middle they always do.
        hidden: units of each layer of the dense network; by default 256,256,256 for points, four of 512 for images.
        dropped: share of rows that are learned without their label.
        coarse: how many times fewer pixels each way the images have that are given, for super-resolution; 0 for none.
            Samples are then of held-out images.
        guidance: how far to go beyond what a label asks for, when sampling.
        sample_steps: steps when sampling; all T where it is 0, or more than these.
        eta: 0 for a deterministic way when sampling, 1 for an ancestral one; none for the variances of the model.
    """

    sampling: ClassVar[tuple[str, ...]] = ("guidance", "sample_steps", "eta")

    binarise: Binarisation = "no"
    epochs: float = 200
    rate: float = 2e-3
    decay: bool = True
    average: float | None = 0.995
    noise_steps: int = 200
    schedule: Literal["cosine", "linear", "learned"] = "cosine"
    predicts: Prediction = "v"
    goal: Goal = "simple"
    network: Timed = "auto"
    channels: tuple[int, ...] = (32, 64)
    attention: int = 8
    hidden: tuple[int, ...] | None = None
    dropped: float = 0.1
    coarse: int = 0
    guidance: float = 0.0
    sample_steps: int = 50
    eta: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coarse and self.labels:
            raise PlanError("Diffusion: coarse images show their label already; take labels=False or coarse=0.")
        if self.guidance and not (self.dropped and (self.labels or self.coarse)):
            need = "labels=True" if self.dropped else "dropped above 0"
            raise PlanError(f"Diffusion: guidance is {self.guidance:g}, which needs {need} while training.")

    def load(self, split: Split = "train") -> Data:
        found = named(self.data, split, self.binarise)
        found = centred(found) if "image" in found.columns else standardised(found, named(self.data))
        return coarsened(found, self.coarse) if self.coarse else found

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        model.route(self._steps, self.eta)  # says what is wrong with them before anything is learned
        phase = denoised(model, self.goal, **self.options(data))
        sample, figures = partial(self._sample, model), partial(likelihood, model)
        return Setup(_graphs(model), (phase,), sample, figures, pictures=self._pictures(model))

    def model(self, data: Data) -> Model:
        """The model of data like these, before it has learned anything."""
        x, label = self.x(data), self.label(data)
        images = len(x.shape) > 1
        return diffusion(
            x,
            timed(self.network, x, self.channels, self.attention, self.hidden),
            label=label,
            given=[data.variable("coarse")] if self.coarse else [],
            noise=SCHEDULES[self.schedule](self.noise_steps),
            predicts=self.predicts,
            variance="learned" if self.goal == "hybrid" else "posterior",
            levels=data[x.name].unique().numel() if images else None,
            dropped=self.dropped if label is not None or self.coarse else 0.0,
        )

    @property
    def _steps(self) -> int:
        """When sampling."""
        return min(self.sample_steps or self.noise_steps, self.noise_steps)

    def _sample(self, model: Model, rows: int, labels: Tensor | None) -> Tensor:
        given = {} if labels is None else {"label": labels}
        if self.coarse:
            held = self.load("test")["coarse"].to(model.denoiser.place.device)
            given = {"coarse": held[torch.arange(rows, device=held.device) % len(held)]}
        found = model.sample(rows, given, steps=self._steps, guidance=self.guidance, eta=self.eta)
        return found if model.levels is None else (found + 1) / 2

    def _pictures(self, model: Model) -> Mapping[str, Callable[[Data, Path], object]]:
        """What can be drawn of a diffusion model and held-out rows."""
        options: dict[str, Any] = {"steps": self._steps, "guidance": self.guidance, "eta": self.eta}
        strips = IMAGES if len(model.x.shape) > 1 else POINTS

        def seen(data: Data, rows: int) -> Mapping[str, Tensor]:
            return data.rows(slice(0, rows)).columns

        return {
            "process": lambda data, path: process(model, seen(data, strips), path=path, **options),
            "schedule": lambda data, path: schedules({self.schedule: model.noise}, path=path),
            "terms": lambda data, path: bound_terms(model.costs(seen(data, MEASURED)), path=path),
        }


def timed(kind: Timed, x: Variable, channels: Sequence[int], attention: int, hidden: Sequence[int] | None) -> Network:
    """The network that a recipe asks for; arguments as its settings."""
    wide = len(x.shape) > 1 and min(x.shape[-2:]) >= SMALL
    if kind == "dense" or (kind == "auto" and not wide):
        points = len(x.shape) == 1
        return timed_mlp(*(hidden or (HIDDEN if points else HIDDEN_OF_IMAGES)), octaves=OCTAVES if points else 0)
    return unet(*channels, attention=attention)


def likelihood(model: Model, data: Data, draws: int = 10, seed: int = 0) -> tuple[Figure, ...]:
    """The evidence lower bound of rows in nats, for shades in bits per dimension as well, and its three terms.

    Args:
        model: whose bound it is.
        data: rows.
        draws: how many steps are looked at for each row, besides the first and the last.
        seed: of the draws.
    """
    device, found = model.denoiser.place.device, list[Costs]()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for rows in torch.arange(len(data)).split(500):
            batch = {name: column[rows].to(device) for name, column in data.columns.items()}
            measure = partial(sampled_costs, model.denoiser, batch[model.x.name], *model.told(batch))
            found.append(measure(event=model.event, levels=model.levels, draws=draws))
    rows = f"{len(data):,} rows of {data.name}"
    how = f"ELBO, {draws} of {model.noise.steps} steps a row, {rows}"
    bound = _mean("log p(x)", [-costs.total for costs in found], "lower bound", how)
    bits = [] if model.levels is None else [bound.bits(data[model.x.name][0].numel())]
    terms = [
        _mean("minus that bound, prior L_T", [costs.prior for costs in found], "estimate", rows),
        _mean("minus that bound, steps L_1 to L_{T-1}", [costs.steps.sum(0) for costs in found], "estimate", rows),
        _mean("minus that bound, data L_0", [costs.data for costs in found], "estimate", rows),
    ]
    return (bound, *bits, *terms)


def _mean(name: str, values: Sequence[Tensor], side: Side, how: str) -> Figure:
    nats = torch.cat(list(values)).double()
    return Figure(name, nats.mean().item(), side, how, nats.std().item() / sqrt(len(nats)), "nats")


def _graphs(model: Model) -> Pair:
    """Both graphs of a few steps, to be drawn."""
    return model.respaced(min(DRAWN, model.noise.steps)).pair
