"""Conditionals of deep models: networks with the family that fits their child, products, and fixed priors."""

from .features import features as features
from .flow import flow as flow
from .neural import neural as neural
from .point import Isotropic as Isotropic
from .point import point as point
from .product import Product as Product
from .standard import Standard as Standard
