"""Potentials of energy models: what layers of units say to themselves and to one another."""

from .bias import Bias as Bias
from .convolved import Convolved as Convolved
from .coupling import Coupling as Coupling
from .exclusive import Exclusive as Exclusive
from .linear import Layered as Layered
from .linear import Linear as Linear
from .total import Total as Total
from .width import Width as Width
from .within import Within as Within
