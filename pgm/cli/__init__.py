"""The command line, `pgm`: look at a model file, ask it, draw it, convert it.

The modules that define the options import nothing heavy; each command imports its own work when it runs.
"""

from .run import main

__all__ = ["main"]
