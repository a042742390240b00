"""Recipes for autoencoders: plain, linear, sparse, denoising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pgm.errors import PlanError

from ..data.data import Data
from ..data.named import Binarisation
from ..evaluate.bounds import error
from ..evaluate.figure import Figure
from ..evaluate.rows import Rows, place
from ..networks import dictionary, mlp
from ..objectives import denoising, elbo, masked, noisy
from ..pair import Pair
from ..phases import maximised
from ..zoo.autoencoder import autoencoder
from .recipe import Recipe
from .setup import Setup

ROWS = 10_000  # whose codes a Gaussian is fitted to


@dataclass(frozen=True)
class Autoencoder(Recipe):
    """An autoencoder with dense networks, of shades of grey by default.

    Args:
        codes: how many numbers a code has.
        hidden: units of each hidden layer of both networks; none for a linear one, which is principal components.
        sparsity: nats that one unit of a code costs; the decoder is then linear with columns of length 1.
        noise: standard deviation of Gaussian noise that is to be removed, in shades.
        masked: share of pixels that are to be filled in.
    """

    binarise: Binarisation = "no"
    decay: bool = True
    codes: int = 16
    hidden: tuple[int, ...] = (200, 200)
    sparsity: float = 0.0
    noise: float = 0.0
    masked: float = 0.0

    def setup(self, data: Data) -> Setup:
        if self.noise and self.masked:
            raise PlanError("Autoencoder: both noise and masked are set, expected one of them.")
        network, label = mlp(*self.hidden), self.label(data)
        decoder = dictionary if self.sparsity else network
        x = self.x(data)
        pair = autoencoder(x, self.codes, label=label, sparsity=self.sparsity, encoder=network, decoder=decoder)
        corrupt = noisy(self.noise) if self.noise else masked(self.masked)
        corrupted = self.noise or self.masked
        phase = maximised(pair, partial(denoising, corrupt=corrupt) if corrupted else elbo, **self.options(data))
        return Setup(pair.modules, (phase,), partial(_sample, pair, data), partial(_figures, pair), pair)


@torch.no_grad()
def _sample(pair: Pair, data: Data, rows: int, labels: Tensor | None) -> Tensor:
    """Decoded draws from a Gaussian fitted to codes of the data, since codes have no distribution of their own."""
    z = pair.infer(_seen(pair, data.rows(slice(None, None, 1 + len(data) // ROWS))))["z"]
    spread = torch.cov(z.mT, correction=0) + 1e-6 * torch.eye(z.shape[1]).to(z)
    values = {"z": MultivariateNormal(z.mean(0), spread).sample([rows])}
    values |= {} if labels is None else {variable.name: labels.to(z.device) for variable in pair.given}
    return pair.means(values)[pair.observed[0].name]


@torch.no_grad()
def _figures(pair: Pair, data: Data) -> Sequence[Figure]:
    """How well rows are reconstructed, and how large their codes are."""
    values = pair.infer(_seen(pair, data))
    x = pair.observed[0].name
    squared = (pair.means(values)[x] - values[x]).flatten(1).square().mean(1)
    sizes, how = values["z"].abs().mean(1), f"{len(data):,} rows of {data.name}"
    return [_mean("squared error of a number", squared, how), _mean("absolute code", sizes, how)]


def _mean(name: str, values: Tensor, how: str) -> Figure:
    return Figure(name, values.mean().item(), "estimate", how, error(values))


def _seen(pair: Pair, data: Data) -> dict[str, Tensor]:
    """All rows, where the pair is."""
    return pair.seen(Rows(data, len(data), 0, place(pair.guide))[0])
