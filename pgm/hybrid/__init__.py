"""Exact answers where some variables are numeric: linear, Gaussian, and mixtures of these.

What is observed is put in first. A term of which only finite variables are left is a table, whatever computes it; a
linear-Gaussian one is a quadratic form for each state. Numeric variables are eliminated before finite ones, so that
log evidence, probabilities, means and variances are exact.

Reference: Lauritzen (1992), Propagation of probabilities, means and variances in mixed graphical association models;
Lauritzen and Jensen (2001), Stable local computation with conditional Gaussian distributions.
"""

from .answers import answer as answer
from .answers import evidence_of as evidence_of
from .explaining import explain as explain
from .explaining import plan as plan
from .sampling import draw as draw
