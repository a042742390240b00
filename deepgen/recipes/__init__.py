"""Recipes by name: every family with settings that train it."""

from collections.abc import Mapping

from .autoencoder import Autoencoder
from .bigan import BiGAN
from .boltzmann import BoltzmannMachine, ConvolutionalRBM
from .deep import DBM, DBN
from .diffusion import Diffusion
from .flow_matching import FlowMatching
from .gan import GAN
from .hierarchical import ConvolutionalLadder, Hierarchical, Ladder
from .infogan import InfoGAN
from .latent_diffusion import LatentDiffusion
from .mixture_vae import MixtureVAE
from .predictability import Predictability
from .rbm import RBM
from .recipe import Recipe as Recipe
from .setup import Setup as Setup
from .sigmoid import SBN, Helmholtz
from .translation import CycleGAN, Pix2Pix
from .vae import VAE
from .vae_gan import VAEGAN
from .vector_quantised import VQVAE, VQVAE2

RECIPES: Mapping[str, type[Recipe]] = {
    "autoencoder": Autoencoder,
    "bigan": BiGAN,
    "boltzmann_machine": BoltzmannMachine,
    "convolutional_ladder": ConvolutionalLadder,
    "convolutional_rbm": ConvolutionalRBM,
    "cycle_gan": CycleGAN,
    "dbm": DBM,
    "dbn": DBN,
    "diffusion": Diffusion,
    "flow_matching": FlowMatching,
    "gan": GAN,
    "helmholtz": Helmholtz,
    "hierarchical": Hierarchical,
    "infogan": InfoGAN,
    "ladder": Ladder,
    "latent_diffusion": LatentDiffusion,
    "mixture_vae": MixtureVAE,
    "pix2pix": Pix2Pix,
    "predictability": Predictability,
    "rbm": RBM,
    "sbn": SBN,
    "vae": VAE,
    "vae_gan": VAEGAN,
    "vq_vae": VQVAE,
    "vq_vae_2": VQVAE2,
}
