"""Objectives: plain functions of models, one number a row, to be made large by any optimiser."""

from .bound import Terms as Terms
from .bound import elbo as elbo
from .bound import elbo_terms as elbo_terms
from .bound import minus_kl as minus_kl
from .denoising import denoising as denoising
from .denoising import masked as masked
from .denoising import noisy as noisy
from .sampled import reinforce as reinforce
from .sampled import vimco as vimco
from .wake_sleep import reweighted_wake as reweighted_wake
from .wake_sleep import sleep as sleep
from .wake_sleep import wake as wake
from .weighted import dreg as dreg
from .weighted import iwae as iwae
from .weighted import log_weights as log_weights
