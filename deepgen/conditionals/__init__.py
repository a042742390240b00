"""Conditionals of deep models: networks with the family that fits their child, and fixed priors."""

from .neural import neural as neural
from .standard import Standard as Standard
