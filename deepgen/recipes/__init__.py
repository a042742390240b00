"""Recipes by name: every family with settings that train it."""

from collections.abc import Mapping

from .recipe import Recipe as Recipe
from .setup import Setup as Setup
from .vae import VAE

RECIPES: Mapping[str, type[Recipe]] = {
    "vae": VAE,
}
