"""The recipe for variational autoencoders with clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

import torch

from pgm.errors import FileError

from ..data.data import Data
from ..evaluate.bounds import bounds
from ..evaluate.clusters import purity
from ..evaluate.figure import Figure
from ..evaluate.rows import Rows, place
from ..networks import mlp
from ..pair import Pair
from ..zoo.mixture import clustered, memberships, mixture_vae
from .recipe import Recipe
from .setup import Setup, of_pair

ROWS = 10_000  # for k-means, which every setup does anew


@dataclass(frozen=True)
class MixtureVAE(Recipe):
    """A variational autoencoder with clusters, that begin as those of k-means.

    Args:
        clusters: how many.
        latents: how many numbers z has.
        hidden: units of each hidden layer of both networks.
        given: share of training in which rows are held in their clusters of k-means.
    """

    rate: float = 2e-3
    decay: bool = True
    clusters: int = 10
    latents: int = 8
    hidden: tuple[int, ...] = (200, 200)
    given: float = 0.5

    def setup(self, data: Data) -> Setup:
        x, label, network = self.x(data), self.label(data), mlp(*self.hidden)
        pair = mixture_vae(x, self.clusters, self.latents, label=label, encoder=network, decoder=network)
        steps = round(self.given * self.steps(data))
        phase = clustered(pair, centres(data, x.name, self.clusters, self.seed), steps, **self.options(data))
        return of_pair(pair, phase, partial(_figures, pair))


def centres(data: Data, column: str, clusters: int, seed: int = 0) -> torch.Tensor:
    """The centres of k-means, `[clusters, *event]`.

    Args:
        data: rows to be clustered; of very many every second, third and so on, which places centres well enough.
        column: of the data.
        clusters: how many.
        seed: of where k-means starts.

    Raises:
        FileError: when scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise FileError("mixture_vae: k-means is scikit-learn's; pip install scikit-learn.") from None
    rows = data[column][:: 1 + len(data) // ROWS].cpu()
    found = KMeans(clusters, n_init=4, random_state=seed).fit(rows.flatten(1).numpy())
    return torch.from_numpy(found.cluster_centers_).to(rows).reshape(clusters, *rows.shape[1:])


def _figures(pair: Pair, data: Data) -> Sequence[Figure]:
    """Bounds, and how pure clusters are where there are labels."""
    found = list(bounds(pair, data))
    if "label" in data.columns:
        values = pair.infer(pair.seen(Rows(data, len(data), 0, place(pair.guide))[0]), mean=True)
        share = purity(memberships(pair, values).argmax(-1).cpu(), data["label"].cpu())
        error = sqrt(share * (1 - share) / len(data))
        found.append(Figure("purity", share, "estimate", f"{len(data):,} rows of {data.name}", error))
    return found
