"""Diffusion: a Markovian hierarchical VAE whose guide only adds noise. Schedules, closed forms, bounds, samplers."""

from .noise import Noise as Noise
from .noise import cosine_noise as cosine_noise
from .noise import linear_noise as linear_noise
