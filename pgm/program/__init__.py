"""Models as Pyro programs, and the graphs of Pyro programs."""

from .dependencies import from_pyro as from_pyro
from .program import as_pyro as as_pyro
