"""Diffusion: a Markovian hierarchical VAE whose guide only adds noise. Its process, bound, samplers and learning."""

from .chain import chain as chain
from .learning import denoised as denoised
from .model import Diffusion as Diffusion
from .model import diffusion as diffusion
from .noise import Noise as Noise
from .noise import cosine_noise as cosine_noise
from .noise import linear_noise as linear_noise
from .optimal import optimal_variance as optimal_variance
from .schedule import LearnedNoise as LearnedNoise
from .schedule import learned_noise as learned_noise
