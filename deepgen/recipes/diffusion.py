"""Recipes for diffusion models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from pgm.model import Model as Graphs
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.shades import centred
from ..evaluate.figure import Figure
from ..networks.timed import timed_mlp
from ..networks.unet import unet
from ..zoo.diffusion import Diffusion as Model
from ..zoo.diffusion import diffusion
from ..zoo.diffusion.bound import sampled_total
from ..zoo.diffusion.chain import chain
from ..zoo.diffusion.denoiser import Denoiser
from ..zoo.diffusion.learning import Goal, denoised
from ..zoo.diffusion.noise import cosine_noise, linear_noise
from ..zoo.diffusion.prediction import Prediction
from .recipe import Recipe
from .setup import Setup

DRAWN = 3  # steps in pictures of the graphs


@dataclass(frozen=True)
class Diffusion(Recipe):
    """A diffusion model: a U-Net for images, whose shades go from -1 to 1, a dense network for points.

    Args:
        noise_steps: T, how many steps add noise.
        schedule: how the noise grows: 'cosine' or 'linear'.
        predicts: what the network says: 'noise', 'data', 'mean' or 'v'.
        goal: 'simple' for images, 'bound' for likelihoods, 'hybrid' for both, with learned variances.
        channels: of the U-Net, at full size, at half of it, and so on.
        hidden: units of each layer of the dense network.
        dropped: share of rows that are learned without their label.
        guidance: how far to go beyond what a label asks for, when sampling.
        sample_steps: steps when sampling; 0 for all of them.
        eta: 0 for a deterministic way when sampling, 1 for an ancestral one.
    """

    binarise: Binarisation = "no"
    epochs: float = 200
    rate: float = 2e-3
    decay: bool = True
    average: float | None = 0.995
    noise_steps: int = 200
    schedule: Literal["cosine", "linear"] = "cosine"
    predicts: Prediction = "v"
    goal: Goal = "simple"
    channels: tuple[int, ...] = (32, 64)
    hidden: tuple[int, ...] = (256, 256, 256)
    dropped: float = 0.1
    guidance: float = 0.0
    sample_steps: int = 50
    eta: float = 1.0

    def load(self, split: Split = "train") -> Data:
        found = named(self.data, split, self.binarise)
        return centred(found) if "image" in found.columns else found

    def setup(self, data: Data) -> Setup:
        x, label = self.x(data), self.label(data)
        images = len(x.shape) > 1
        network = unet(*self.channels) if images else timed_mlp(*self.hidden)
        noise = cosine_noise(self.noise_steps) if self.schedule == "cosine" else linear_noise(self.noise_steps)
        model = diffusion(
            x,
            network,
            label=label,
            noise=noise,
            predicts=self.predicts,
            variance="learned" if self.goal == "hybrid" else "posterior",
            levels=data[x.name].unique().numel() if images else None,
            dropped=self.dropped if label is not None else 0.0,
        )
        phase = denoised(model, self.goal, **self.options(data))
        return Setup(_graphs(model), (phase,), partial(self._sample, model, label), partial(likelihood, model))

    def _sample(self, model: Model, label: Variable | None, rows: int, labels: Tensor | None) -> Tensor:
        given = {} if label is None or labels is None else {label.name: labels}
        guidance = self.guidance if given and self.dropped else 0.0
        found = model.sample(rows, given, steps=self.sample_steps or None, guidance=guidance, eta=self.eta)
        return found if model.levels is None else (found + 1) / 2


def likelihood(model: Model, data: Data, draws: int = 10, seed: int = 0) -> tuple[Figure, ...]:
    """The evidence lower bound of rows, in nats; for shades in bits per dimension as well.

    Args:
        model: whose bound it is.
        data: rows.
        draws: how many steps are looked at for each row, besides the first and the last.
        seed: of the draws.
    """
    device, found = model.denoiser.place.device, []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for rows in torch.arange(len(data)).split(500):
            batch = {name: column[rows].to(device) for name, column in data.columns.items()}
            measure = partial(sampled_total, model.denoiser, batch[model.x.name], *model.told(batch))
            found.append(-measure(event=model.event, levels=model.levels, draws=draws))
    nats = torch.cat(found).double()
    how = f"ELBO, {draws} of {model.noise.steps} steps a row, {len(data):,} rows of {data.name}"
    figure = Figure("log p(x)", nats.mean().item(), "lower bound", how, nats.std().item() / sqrt(len(nats)), "nats")
    return (figure,) if model.levels is None else (figure, figure.bits(data[model.x.name][0].numel()))


def _graphs(model: Model) -> Mapping[str, Graphs]:
    """Both graphs of a few steps, to be drawn."""
    denoiser = model.denoiser
    few, _ = model.noise.respaced(min(DRAWN, model.noise.steps))
    return chain(model.x, Denoiser(denoiser.net, few, denoiser.predicts, denoiser.variance), model.given).modules
