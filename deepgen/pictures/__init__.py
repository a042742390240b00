"""Pictures of deep models: functions that return matplotlib figures, which belong to no window."""

from .curves import curves as curves
from .grid import grid as grid
from .moves import arithmetic as arithmetic
from .moves import interpolation as interpolation
from .moves import traversals as traversals
from .plane import latents as latents
from .plane import manifold as manifold
from .points import modes as modes
from .points import points as points
from .reconstructions import reconstructions as reconstructions
