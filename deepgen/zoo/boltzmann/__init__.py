"""Boltzmann machines: models of potentials, answered exactly when small and by sampling when large."""

from .annealed import annealed_log_z as annealed_log_z
from .exact import expanded as expanded
from .exact import log_z as log_z
from .gibbs import Chains as Chains
from .gibbs import sweep as sweep
from .learning import contrastive_divergence as contrastive_divergence
from .learning import persistent as persistent
from .machine import Machine as Machine
from .restricted import rbm as rbm
