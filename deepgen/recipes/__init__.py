"""Recipes by name: every family with settings that train it."""

from collections.abc import Mapping

from .hierarchical import ConvolutionalLadder, Hierarchical, Ladder
from .recipe import Recipe as Recipe
from .setup import Setup as Setup
from .vae import VAE

RECIPES: Mapping[str, type[Recipe]] = {
    "convolutional_ladder": ConvolutionalLadder,
    "hierarchical": Hierarchical,
    "ladder": Ladder,
    "vae": VAE,
}
