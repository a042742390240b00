"""Sufficient statistics: all that data say about the parameters, in records that can be added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from ..conditionals import Tabular
from ..counts import Tallied
from ..errors import GraphError
from ..gaussians import GaussianConditional
from ..model import Model
from ..terms import Local


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each row of a table was seen, `[*given, child]`; whole numbers, or expected ones.

    Example:
        >>> (Counts(torch.tensor([1.0, 2.0])) + Counts(torch.tensor([0.0, 5.0]))).values
        tensor([1., 7.])
    """

    values: Tensor

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.values + other.values)


@dataclass(frozen=True, eq=False)
class Scatter:
    """Weight, mean and scatter of vectors u = (regressors, child), one a cell (joint state of the finite parents).

    The scatter is sum_n w_n (u_n - mean)(u_n - mean)', about the mean of its own cell, so that no digits are lost to
    large means; adding two records moves both to the common mean.

    Args:
        weight: shape `[*cells]`, the sum of the weights.
        mean: shape `[*cells, length]`.
        scatter: shape `[*cells, length, length]`.

    Example:
        >>> one, two = Scatter.of(torch.tensor([[1.0], [2.0]])), Scatter.of(torch.tensor([[6.0]]))
        >>> (one + two).mean, (one + two).scatter
        (tensor([3.], dtype=torch.float64), tensor([[14.]], dtype=torch.float64))

    Reference: Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance.
    """

    weight: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, vectors: Tensor, weights: Tensor | None = None, spread: Tensor | None = None) -> Scatter:
        """The record of weighted vectors.

        Args:
            vectors: shape `[*cells, rows, length]`.
            weights: shape `[*cells, rows]`; 1 when None.
            spread: a covariance of each vector, `[*cells, rows, length, length]`, where they are not known exactly.
        """
        u = vectors.double()
        w = u.new_ones(u.shape[:-1]) if weights is None else weights.double()
        weight = w.sum(-1)
        mean = (w.unsqueeze(-2) @ u).squeeze(-2) / _not_zero(weight).unsqueeze(-1)
        gap = u - mean.unsqueeze(-2)
        scatter = (gap * w.unsqueeze(-1)).mT @ gap
        if spread is not None:
            scatter = scatter + (w[..., None, None] * spread).sum(-3)
        return cls(weight, mean, scatter)

    def __add__(self, other: Scatter) -> Scatter:
        both = Scatter(*(torch.stack(pair) for pair in zip(self.tensors, other.tensors, strict=True)))
        return both.pooled([0])

    def pooled(self, axes: Sequence[int], *, keep: bool = False) -> Scatter:
        """All cells along some axes made one."""
        if not axes:
            return self
        kept = list(axes)
        weight = self.weight.sum(kept, keepdim=True)
        mean = (self.mean * self.weight.unsqueeze(-1)).sum(kept, keepdim=True) / _not_zero(weight).unsqueeze(-1)
        gap = self.mean - mean
        between = (self.weight[..., None, None] * gap.unsqueeze(-1) * gap.unsqueeze(-2)).sum(kept, keepdim=True)
        pooled = Scatter(weight, mean, self.scatter.sum(kept, keepdim=True) + between)
        return pooled if keep else Scatter(*(tensor.squeeze(kept) for tensor in pooled.tensors))

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weight, mean and scatter."""
        return self.weight, self.mean, self.scatter


def _not_zero(weight: Tensor) -> Tensor:
    return torch.where(weight == 0, 1.0, weight)


Part = Counts | Scatter


@dataclass(frozen=True, eq=False)
class Statistics:
    """The sufficient statistics of a model: one part for each conditional that has a closed form.

    Those of two halves of the data, added, are those of all of it. Conditionals that share their parameters (copies in
    a plate) share one part.

    Args:
        parts: in the order of `learnable(model)`.
        rows: the sum of the weights of the rows.

    Example:
        >>> from pgm import BayesianNetwork, Variable, fitted, statistics
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> model = BayesianNetwork(Tabular(coin, [], [0.5, 0.5]))
        >>> total = statistics(model, {"coin": ["heads"]}) + statistics(model, {"coin": ["tails", "tails"]})
        >>> fitted(model, total).conditionals["coin"].table.detach()
        tensor([0.3333, 0.6667], dtype=torch.float64)
    """

    parts: tuple[Part, ...]
    rows: float

    def __add__(self, other: Statistics) -> Statistics:
        if len(self.parts) != len(other.parts):
            raise GraphError(
                f"Statistics: one has {len(self.parts)} parts and the other {len(other.parts)}, expected those of one "
                "model."
            )
        pairs = zip(self.parts, other.parts, strict=True)
        # both are parts of one conditional, so of one kind
        return Statistics(tuple(one + other for one, other in pairs), self.rows + other.rows)  # type: ignore[operator]

    def __repr__(self) -> str:
        return f"Statistics({self.rows:g} rows, {len(self.parts)} conditionals)"


@dataclass(frozen=True, eq=False)
class Tied:
    """A term as it was given, and all terms of the model that share its parameters (its copies in a plate)."""

    original: Local
    copies: tuple[Local, ...]


def tied(model: Model) -> tuple[Tied, ...]:
    """The terms of a model, those that share their parameters together."""
    originals: dict[int, Local] = {}
    copies: dict[int, list[Local]] = {}
    for term in (*model.shared, *model.terms):
        originals.setdefault(id(term._parameters), cast(Local, term))
    for term in model.terms:
        copies.setdefault(id(term._parameters), []).append(term)
    return tuple(Tied(original, tuple(copies[key])) for key, original in originals.items())


def learnable(model: Model) -> tuple[Tied, ...]:
    """The conditionals whose best parameters have a closed form.

    They are the `Tabular` ones, those of vectors of counts, and those with a linear regression; not those with a
    parameter that does not require a gradient, which stay as they are.
    """
    return tuple(each for each in tied(model) if _closed_form(each.original))


def kept(model: Model) -> tuple[str, ...]:
    """The conditionals that have parameters but are not learnable."""
    originals = [each.original for each in tied(model)]
    return tuple(term.subject for term in originals if any(True for _ in term.parameters()) and not _closed_form(term))


def _closed_form(term: Local) -> bool:
    if not all(parameter.requires_grad for parameter in term.parameters()):
        return False
    return isinstance(term, Tabular | Tallied) or (isinstance(term, GaussianConditional) and nested(term))


def shared_axes(term: GaussianConditional, parameter: Tensor) -> tuple[int, ...]:
    """The axes of finite parents along which a parameter has one entry for all states."""
    sizes = [parent.size for parent in term.finite]
    return tuple(axis for axis, size in enumerate(sizes) if parameter.shape[axis] == 1 < size)


def nested(term: GaussianConditional) -> bool:
    """Whether whatever shares a bias shares the weights, and whatever shares the weights shares the covariance.

    Then weighted least squares gives the best parameters; otherwise the regressions depend on the covariances.
    """
    bias, scale = set(shared_axes(term, term.bias)), set(shared_axes(term, term.scale))
    weights = set(shared_axes(term, term.weights)) if term.real else bias
    return bias <= weights <= scale
