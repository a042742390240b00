"""Recipes for vector-quantised autoencoders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from pgm.errors import ShapeError
from pgm.variable import Variable

from ..data.data import Data
from ..evaluate.codes import codes
from ..networks import convolutional
from ..networks.convolutional import image
from ..networks.pixel import pixel_cnn
from ..pair import Pair
from ..quantisation import quantised
from ..zoo.vector_quantised import vq_vae, vq_vae_2
from .recipe import Recipe
from .setup import Setup, of_pair


@dataclass(frozen=True)
class Quantised(Recipe):
    """What recipes of vector-quantised autoencoders have in common; abstract.

    Args:
        size: entries of each codebook.
        width: how many numbers an entry has.
        channels: of encoders and decoder, at half the size of images, at a quarter, and so on.
        blocks: residual blocks at each size.
        commitment: weight of the distance of features from their entries.
        entries: whether entries are running 'means' of their features or learn by 'gradient'.
        prior_channels: of each layer of the priors.
        prior_layers: how many.
    """

    rate: float = 2e-3
    decay: bool = True
    size: int = 64
    width: int = 16
    channels: tuple[int, ...] = (32, 64)
    blocks: int = 1
    commitment: float = 0.25
    entries: Literal["means", "gradient"] = "means"
    prior_channels: int = 64
    prior_layers: int = 4


@dataclass(frozen=True)
class VQVAE(Quantised):
    """A vector-quantised autoencoder with convolutions, and a gated PixelCNN of its codes; labels are of the codes.

    Args:
        codes: the grid of codes, height and width; a quarter of the image's when there are no numbers.
    """

    codes: tuple[int, ...] = ()

    def setup(self, data: Data) -> Setup:
        grid = self.codes or part(self.x(data), 4)
        return _setup(self, vq_vae(self.x(data), grid, self.size, **_shared(self, data)), data)


@dataclass(frozen=True)
class VQVAE2(Quantised):
    """A vector-quantised autoencoder of two levels with convolutions, and gated PixelCNNs of its codes.

    Args:
        top: the coarse grid of codes, height and width; an eighth of the image's when there are no numbers.
        bottom: the fine grid of codes; a quarter when there are no numbers.
    """

    top: tuple[int, ...] = ()
    bottom: tuple[int, ...] = ()

    def setup(self, data: Data) -> Setup:
        top, bottom = self.top or part(self.x(data), 8), self.bottom or part(self.x(data), 4)
        return _setup(self, vq_vae_2(self.x(data), top, bottom, self.size, **_shared(self, data)), data)


def part(x: Variable, divisor: int) -> tuple[int, int]:
    """A grid of so much less height and width than an image, upwards rounded.

    Raises:
        ShapeError: when x is no image.

    Example:
        >>> from pgm import Binary
        >>> part(Variable("image", Binary(28, 28)), 8)
        (4, 4)
    """
    if not image(x):
        raise ShapeError(f"vq_vae: {x.name!r} is {x.domain!r}, expected images; choose other data.")
    height, width = x.shape[-2:]
    return -(-height // divisor), -(-width // divisor)


def _shared(recipe: Quantised, data: Data) -> dict[str, Any]:
    """What both families are made with."""
    network = convolutional(*recipe.channels, blocks=recipe.blocks)
    return {
        "width": recipe.width,
        "label": recipe.label(data),
        "encoder": network,
        "decoder": network,
        "prior": pixel_cnn(recipe.prior_channels, recipe.prior_layers),
        "decay": 0.95 if recipe.entries == "means" else None,
    }


def _setup(recipe: Quantised, pair: Pair, data: Data) -> Setup:
    options = replace(recipe, epochs=recipe.epochs / 2).options(data)  # each of two phases has every other batch
    return of_pair(pair, quantised(pair, commitment=recipe.commitment, **options), partial(codes, pair))
