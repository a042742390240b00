"""Recipes for latent diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from pgm.errors import PlanError
from pgm.variable import Variable

from ..conditionals import Isotropic
from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.shades import centred
from ..evaluate.bounds import counted, error
from ..evaluate.figure import Figure
from ..evaluate.rows import Rows, at_rest
from ..networks import convolutional
from ..networks.unet import unet
from ..phases import variational
from ..zoo.diffusion.latent import LatentDiffusion as Model
from ..zoo.diffusion.latent import denoised_code, latent_diffusion
from ..zoo.diffusion.noise import cosine_noise
from ..zoo.diffusion.prediction import Prediction
from ..zoo.vae import vae
from .diffusion import DRAWN
from .recipe import Recipe
from .setup import Setup
from .vector_quantised import part


@dataclass(frozen=True)
class LatentDiffusion(Recipe):
    """A diffusion model of the code of a convolutional autoencoder, both by turns; labels are words that it reads.

    With `data=painted_digits` they are captions of three words: label, colour and place.

    Args:
        latents: channels of the code.
        smaller: how many times lower and narrower than images the code is.
        autoencoder: channels of the autoencoder's networks, at half the size of images, at a quarter, and so on.
        beta: weight of the divergence of the code from N(0, I) while the autoencoder learns.
        turns: steps of the diffusion for each one of the autoencoder.
        noise_steps: T, how many steps add noise.
        predicts: what the network says: 'noise', 'data', 'mean' or 'v'.
        channels: of the U-Net, at the size of the code, at half of it, and so on.
        dropped: share of rows that are learned without their labels.
        guidance: how far to go beyond what labels ask for, when sampling.
        sample_steps: steps when sampling; all T where it is 0, or more than these.
        eta: 0 for a deterministic way when sampling, 1 for an ancestral one.
    """

    sampling: ClassVar[tuple[str, ...]] = ("guidance", "sample_steps", "eta")

    binarise: Binarisation = "no"
    rate: float = 2e-3
    decay: bool = True
    average: float | None = 0.995
    latents: int = 8
    smaller: int = 4
    autoencoder: tuple[int, ...] = (32, 64)
    beta: float = 0.1
    turns: int = 2
    noise_steps: int = 200
    predicts: Prediction = "v"
    channels: tuple[int, ...] = (32, 64)
    dropped: float = 0.1
    guidance: float = 0.0
    sample_steps: int = 50
    eta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.turns < 1:
            raise PlanError(f"LatentDiffusion: turns is {self.turns!r}, expected 1 or more.")
        if self.guidance and not (self.labels and self.dropped):
            need = "labels=True" if self.dropped else "dropped above 0"
            raise PlanError(f"LatentDiffusion: guidance is {self.guidance:g}, which needs {need} while training.")

    def load(self, split: Split = "train") -> Data:
        return centred(named(self.data, split, self.binarise))

    def setup(self, data: Data) -> Setup:
        x, captions = self.x(data), self.captions(data)
        network = convolutional(*self.autoencoder)
        shape = (self.latents, *part(x, self.smaller))
        pair = vae(x, shape, encoder=network, decoder=network, family=Isotropic(0.1))
        model = latent_diffusion(
            pair,
            unet(*self.channels, words=True),
            given=captions,
            noise=cosine_noise(self.noise_steps),
            predicts=self.predicts,
            dropped=self.dropped if captions else 0.0,
        )
        model.diffusion.route(self._steps, self.eta)  # says what is wrong with them before anything is learned
        few = replace(model, diffusion=model.diffusion.respaced(min(DRAWN, self.noise_steps)))
        first = variational(pair, beta=self.beta, **self._part(1).options(data))
        second = replace(denoised_code(model, **self._part(self.turns).options(data)), steps=self.turns)
        return Setup(few.pair.modules, (first, second), partial(self._sample, model), partial(likelihood, model))

    def captions(self, data: Data) -> Sequence[Variable]:
        """The words that the diffusion reads: the label first, then all other columns of states."""
        names = [name for name in data.columns if not data[name].is_floating_point()]
        return [data.variable(name) for name in sorted(names, key="label".__ne__)] if self.labels else []

    def _part(self, steps: int) -> LatentDiffusion:
        """The recipe with so many epochs as a phase has that makes so many steps a turn."""
        return replace(self, epochs=self.epochs * steps / (1 + self.turns))

    @property
    def _steps(self) -> int:
        """When sampling."""
        return min(self.sample_steps or self.noise_steps, self.noise_steps)

    def _sample(self, model: Model, rows: int, labels: Tensor | None) -> Tensor:
        place = model.diffusion.denoiser.place.device
        given, number = dict[str, Tensor](), torch.arange(rows, device=place)
        for word in model.given:
            given[word.name], number = number % word.size, number // word.size
        given |= {} if labels is None else {"label": labels}
        found = model.sample(rows, given, steps=self._steps, guidance=self.guidance, eta=self.eta)
        return (found + 1) / 2


def likelihood(model: Model, data: Data, draws: int = 10, seed: int = 0) -> tuple[Figure, ...]:
    """The evidence lower bound of rows, in nats, as the log of a density.

    Args:
        model: whose bound it is.
        data: rows.
        draws: how many steps are looked at for each code, besides the first and the last.
        seed: of the draws.
    """
    with at_rest(*model.pair.modules.values(), seed=seed) as device:
        rows = Rows(data, 500, seed, device)
        nats = -torch.cat([model.sampled_total(rows[number], draws) for number in range(len(rows))]).double()
    how = f"ELBO, {draws} of {model.diffusion.noise.steps} steps a code, {counted(nats, data)}"
    return (Figure("log p(x)", nats.mean().item(), "lower bound", how, error(nats), "nats"),)
