"""Boltzmann machines: models of potentials, answered exactly when small and by sampling when large."""

from .annealed import annealed_log_z as annealed_log_z
from .capacity import predicted_error as predicted_error
from .capacity import recall_error as recall_error
from .clamped import mean_field as mean_field
from .clamped import sampled as sampled
from .continuous import ContinuousMemory as ContinuousMemory
from .dense import DenseMemory as DenseMemory
from .dense import exponential as exponential
from .dense import polynomial as polynomial
from .exact import expanded as expanded
from .exact import log_z as log_z
from .general import boltzmann_machine as boltzmann_machine
from .gibbs import Chains as Chains
from .gibbs import sweep as sweep
from .hopfield import Hopfield as Hopfield
from .hopfield import hebbian as hebbian
from .hopfield import hopfield as hopfield
from .hopfield import projection as projection
from .learning import contrastive_divergence as contrastive_divergence
from .learning import persistent as persistent
from .machine import Machine as Machine
from .memory import Recall as Recall
from .restricted import rbm as rbm
