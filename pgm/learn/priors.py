"""Priors of parameters: what is believed before any data, as rows that were never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ..conditionals import Tabular
from ..counts import Tallied
from ..errors import GraphError, ShapeError
from ..terms import Local, Numbers, TableLike
from ..variable import quoted


@dataclass(frozen=True)
class Dirichlet:
    """Pseudo-counts for the rows of tables: p(row) proportional to prod_k row_k^count_k.

    The estimate (n_k + count_k) / sum_k (n_k + count_k) is the mean of the posterior under a Dirichlet distribution
    with these counts, and its mode under one with 1 added to each. Count 1 is Laplace's rule.

    Args:
        counts: one number for all entries, or an array that broadcasts to the table `[*given, child]`.
        equivalent_rows: instead of counts, how many rows the prior is worth in each table, spread evenly over its
            entries (BDeu).

    Raises:
        ShapeError: when a count is negative, or both are given.

    Example:
        >>> from pgm import BayesianNetwork, Variable, fit
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> model = BayesianNetwork(Tabular(coin, [], [0.5, 0.5]))
        >>> fit(model, {"coin": ["tails"]}, prior=Dirichlet(1.0)).model.conditionals["coin"].table.detach()
        tensor([0.3333, 0.6667], dtype=torch.float64)

    Reference: Heckerman, Geiger and Chickering (1995), Learning Bayesian networks.
    """

    counts: Numbers | TableLike = 0.0
    equivalent_rows: float = 0.0

    def __post_init__(self) -> None:
        table = torch.as_tensor(self.counts, dtype=torch.float64)
        if not bool((table >= 0).all()) or not self.equivalent_rows >= 0:
            raise ShapeError("Dirichlet: a count is negative, expected 0 or more.")
        if bool((table > 0).any()) and self.equivalent_rows > 0:
            raise ShapeError("Dirichlet: both counts and equivalent_rows are given; give one of them.")

    def table(self, term: Tabular | Tallied) -> Tensor:
        """The pseudo-counts of one table, `[*given, child]`."""
        sizes = list(term.table.shape)
        if self.equivalent_rows:
            return torch.full(sizes, self.equivalent_rows / prod(sizes), dtype=torch.float64)
        counts = torch.as_tensor(self.counts, dtype=torch.float64)
        try:
            return counts.expand(sizes)
        except RuntimeError:
            raise ShapeError(
                f"Dirichlet: counts have shape {tuple(counts.shape)}, expected one that broadcasts to {tuple(sizes)}, "
                f"the table of {term.subject}."
            ) from None


@dataclass(frozen=True)
class NormalInverseWishart:
    """A prior of means and covariances of d numbers, with a ridge on regression weights.

    p(covariance) is proportional to |covariance|^-((degrees + d + 1) / 2) exp(-tr(covariance^-1 scale) / 2), and given
    the covariance the bias is N(mean, covariance / rows) and each row of weights N(0, covariance / ridge). The
    estimate is the mode of the joint posterior: without regressors and with n rows of mean m and scatter S
    (scale + S + n rows / (n + rows) (m - mean)(m - mean)') / (n + degrees + d + 1 + [rows > 0]). Where a covariance
    is one variance or a diagonal the same density is restricted to those.

    Args:
        scale: one number (times the identity), a diagonal `[d]` or a matrix `[d, d]`, in squared units of the child.
        degrees: degrees of freedom; d + 2 when None, which makes the mean of the covariance `scale`.
        mean: of the bias; one number or shape `[d]`.
        rows: how many rows the prior of the bias is worth; 0 for a flat one.
        ridge: the precision of the weights, in units of the noise's; 0 for a flat prior.

    Raises:
        ShapeError: when `rows` or `ridge` is negative.

    Example:
        >>> from pgm import BayesianNetwork, Gaussian, Real, Variable, fit
        >>> x = Variable("x", Real())
        >>> model = BayesianNetwork(Gaussian(x, 0.0, 1.0))
        >>> found = fit(model, {"x": [1.0, 3.0]}, prior=NormalInverseWishart(1.0, degrees=3.0)).model
        >>> found.conditionals["x"].covariance.item()  # (1 + 2) / (2 + 3 + 2)
        0.42857142857142...

    Reference: Gelman, Carlin, Stern, Dunson, Vehtari and Rubin (2013), Bayesian Data Analysis, section 3.6.
    """

    scale: Numbers
    degrees: float | None = None
    mean: Numbers = 0.0
    rows: float = 0.0
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if not (self.rows >= 0 and self.ridge >= 0):
            raise ShapeError(f"NormalInverseWishart: rows is {self.rows} and ridge {self.ridge}, expected 0 or more.")

    def freedom(self, length: int) -> float:
        """What the prior adds to the number of rows under the covariance."""
        return (length + 2 if self.degrees is None else self.degrees) + length + 1

    def matrix(self, length: int) -> Tensor:
        """The scale as a matrix `[length, length]`."""
        scale = torch.as_tensor(self.scale, dtype=torch.float64)
        full = scale if scale.dim() == 2 else torch.diag(scale.expand(length))
        if tuple(full.shape) != (length, length):
            raise ShapeError(
                f"NormalInverseWishart: scale has shape {tuple(scale.shape)}, expected {(length, length)}."
            )
        return full

    def centre(self, length: int) -> Tensor:
        """The mean of the bias, `[length]`."""
        return torch.as_tensor(self.mean, dtype=torch.float64).expand(length)


Prior = Dirichlet | NormalInverseWishart
Priors = Prior | Mapping[str, Prior] | None


def prior_of(priors: Priors, term: Local) -> Prior | None:
    """The prior of one conditional, or None.

    One prior is for all conditionals of its kind; a mapping has one for each child named.
    """
    found = priors.get(term.scope[-1].name) if isinstance(priors, Mapping) else priors
    return found if isinstance(found, _kind(term)) else None


def require_fitting(priors: Priors, terms: Sequence[Local]) -> None:
    """Raise a `GraphError` on what is no prior, or not one of a conditional that is learned."""
    if priors is not None and not isinstance(priors, Prior | Mapping):
        raise GraphError(
            f"prior: it is {priors!r}, expected a Dirichlet, a NormalInverseWishart, or one for each child by name."
        )
    known = {term.scope[-1].name: term for term in terms}
    for child, prior in priors.items() if isinstance(priors, Mapping) else ():
        if child not in known:
            raise GraphError(f"prior: {child!r} is not the child of what is learned; there are {quoted(known)}.")
        kind = _kind(known[child])
        if not isinstance(prior, kind):
            raise GraphError(
                f"prior: {prior!r} is given for {child!r}, which is {known[child]!r}; expected a {kind.__name__}."
            )


def _kind(term: Local) -> type[Prior]:
    return Dirichlet if isinstance(term, Tabular | Tallied) else NormalInverseWishart
