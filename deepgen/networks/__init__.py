"""Networks: functions that make torch modules for the parents and the shape of any node."""

from .alike import minibatch as minibatch
from .convolutional import convolutional as convolutional
from .dictionary import dictionary as dictionary
from .mlp import mlp as mlp
from .network import Network as Network
from .network import columns as columns
from .octaves import octaves as octaves
from .spectral import spectral as spectral
