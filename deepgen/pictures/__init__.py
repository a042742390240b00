"""Pictures of deep models: functions that return matplotlib figures, which belong to no window."""

from .curves import curves as curves
from .grid import grid as grid
from .points import modes as modes
from .points import points as points
