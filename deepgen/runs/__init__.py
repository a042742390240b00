"""Runs: a recipe trained in a folder, gone on with, and loaded again."""

from .run import Run as Run
from .run import load as load
from .training import main_process as main_process
from .training import resume as resume
from .training import train as train
