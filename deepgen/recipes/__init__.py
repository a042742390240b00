"""Recipes by name: every family with settings that train it."""

from collections.abc import Mapping

from .autoencoder import Autoencoder
from .diffusion import Diffusion
from .hierarchical import ConvolutionalLadder, Hierarchical, Ladder
from .mixture_vae import MixtureVAE
from .predictability import Predictability
from .recipe import Recipe as Recipe
from .setup import Setup as Setup
from .sigmoid import SBN, Helmholtz
from .vae import VAE
from .vector_quantised import VQVAE, VQVAE2

RECIPES: Mapping[str, type[Recipe]] = {
    "autoencoder": Autoencoder,
    "convolutional_ladder": ConvolutionalLadder,
    "diffusion": Diffusion,
    "helmholtz": Helmholtz,
    "hierarchical": Hierarchical,
    "ladder": Ladder,
    "mixture_vae": MixtureVAE,
    "predictability": Predictability,
    "sbn": SBN,
    "vae": VAE,
    "vq_vae": VQVAE,
    "vq_vae_2": VQVAE2,
}
