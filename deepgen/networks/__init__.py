"""Networks: functions that make torch modules for the parents and the shape of any node."""

from .mlp import mlp as mlp
from .network import Network as Network
from .network import columns as columns
