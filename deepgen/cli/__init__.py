"""The command line, `deepgen`: train a recipe, go on with a run, sample, evaluate and draw it.

The module that defines the options imports nothing heavy; each command imports its own work when it runs.
"""

from .run import main

__all__ = ["main"]
