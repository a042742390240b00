"""Recipes for variational autoencoders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from ..conditionals import flow, neural
from ..data.data import Data
from ..evaluate.bounds import bounds
from ..networks import mlp
from ..objectives import dreg, iwae
from ..phases import maximised, variational
from ..training.schedules import linear
from ..zoo.vae import vae
from .recipe import Recipe
from .setup import Setup, of_pair


@dataclass(frozen=True)
class VAE(Recipe):
    """A variational autoencoder with dense networks; with labels a conditional one.

    Args:
        latents: how many numbers z has.
        hidden: units of each hidden layer of both networks.
        objective: 'elbo', 'iwae' or 'dreg'.
        particles: draws a row.
        beta: weight of the divergence, with 'elbo'.
        annealing: steps on which that weight rises from 0.
        free: nats of divergence that cost nothing, with 'elbo'.
        posterior: 'gaussian', or 'flow' for an inverse autoregressive flow.
        activation: of both networks: 'tanh', 'relu' or 'silu'.
    """

    rate: float = 2e-3
    decay: bool = True
    latents: int = 16
    hidden: tuple[int, ...] = (200, 200)
    objective: Literal["elbo", "iwae", "dreg"] = "elbo"
    particles: int = 1
    beta: float = 1.0
    annealing: int = 0
    free: float = 0.0
    posterior: Literal["gaussian", "flow"] = "gaussian"
    activation: Literal["tanh", "relu", "silu"] = "silu"

    def setup(self, data: Data) -> Setup:
        network = mlp(*self.hidden, activation={"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU}[self.activation])
        posterior = flow() if self.posterior == "flow" else neural
        label = self.label(data)
        pair = vae(self.x(data), self.latents, label=label, encoder=network, decoder=network, posterior=posterior)
        if self.objective == "elbo":
            beta = linear(0.0, self.beta, self.annealing) if self.annealing else self.beta
            phase = variational(pair, beta=beta, free=self.free, particles=self.particles, **self.options(data))
        else:
            objective = {"iwae": iwae, "dreg": dreg}[self.objective]
            phase = maximised(pair, partial(objective, particles=self.particles), **self.options(data))
        return of_pair(pair, phase, partial(bounds, pair))
