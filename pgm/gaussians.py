"""Gaussian conditionals: numeric children that depend linearly on numeric parents, as finite parents choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from .columns import at_states, column_names, columns, vector
from .conditionals import Conditional
from .domains import Real
from .errors import GraphError, ShapeError
from .singular import diagonal_log_density, triangular_log_density
from .square_root import square_root
from .terms import Capabilities, Numbers, parameters, read_array, read_floats
from .values import placed
from .variable import Variable, sequence, title


@dataclass(frozen=True, eq=False)
class Regression:
    """What a Gaussian conditional says, in one form: child = x @ weights + bias + noise, noise ~ N(0, scale scale').

    Args:
        finite: the parents that choose, one axis each.
        real: the regressors, in the order of the columns.
        weights: shape `[*finite, columns, length]`, length being the numbers of the child.
        bias: shape `[*finite, length]`.
        scale: a square root of the covariance, `[*finite, length, length]`.
    """

    finite: tuple[Variable, ...]
    real: tuple[Variable, ...]
    weights: Tensor
    bias: Tensor
    scale: Tensor


class GaussianConditional(Conditional):
    """p(child | given) = N(x @ weights + bias, covariance), all three chosen by the finite parents; abstract.

    Where a variance is 0 the child is a function of its parents: `log_prob` is then 0 or minus infinity; the
    `distribution` can be sampled but has no density.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], weights: Numbers | None, bias: Numbers, covariance: Numbers
    ) -> None:
        super().__init__(child, given)
        if not isinstance(child.domain, Real):
            raise GraphError(f"{self.subject}: {child.name!r} is {child.domain!r}, expected Real.")
        chosen = [(parent.size, parent.name) for parent in self.finite]
        event = [(n, child.name) for n in child.shape]
        names = [name for parent in self.real for name in column_names(parent)]
        sizes = [*chosen, (len(names), f"columns {', '.join(names) or 'none'}"), *event]
        mean = read_array(bias, [*chosen, *event], len(chosen), f"{self.subject}: mean")
        if weights is None:
            weights = mean.new_zeros([1] * len(chosen) + [n for n, _ in sizes[len(chosen) :]])
        slopes = read_array(weights, sizes, len(chosen), f"{self.subject}: weights")
        self.weights, self.bias, self.scale = parameters(slopes, mean, self._root(covariance, chosen, event))

    def _root(self, covariance: Numbers, chosen: list[tuple[int, str]], event: list[tuple[int, str]]) -> Tensor:
        """A square root of the covariance, in the form that was given: one number, a diagonal, or a matrix."""
        what = f"{self.subject}: covariance"
        forms = [[], event, [*event, *event]] if len(event) == 1 else [[], event]
        expected = ", or ".join(dict.fromkeys(str(tuple(n for n, _ in [*chosen, *form])) for form in forms))
        expected += " = [*finite parents, *event]: one variance, a diagonal, or a matrix"
        numbers = read_floats(covariance, what, expected)
        form = next((form for form in forms if len(form) == numbers.dim() - len(chosen)), None)
        if form is None:
            raise ShapeError(f"{what} has shape {tuple(numbers.shape)}, expected {expected}.")
        numbers = read_array(numbers, [*chosen, *form], len(chosen), what)
        return square_root(numbers, len(event) == 1 and len(form) == 2, what)

    @property
    def finite(self) -> tuple[Variable, ...]:
        """The parents that choose the regression."""
        return tuple(parent for parent in self.given if parent.finite)

    @property
    def real(self) -> tuple[Variable, ...]:
        """The parents that are regressed on."""
        return tuple(parent for parent in self.given if not parent.finite)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)

    @property
    def covariance(self) -> Tensor:
        """The covariance of the noise, `[*finite, *form]`: a variance, a diagonal or a matrix, as it was given."""
        root = self.scale.tril() if self._full else self.scale
        return root @ root.mT if self._full else root.square()

    @property
    def _full(self) -> bool:
        return self.scale.dim() == len(self.finite) + 2 and len(self.child.shape) == 1

    @property
    def singular(self) -> bool:
        """Whether the noise has no spread in some direction, in some state of the parents."""
        root = self.scale.diagonal(dim1=-2, dim2=-1) if self._full else self.scale
        return bool((root == 0).any())

    def regression(self) -> Regression:
        """The weights, biases and noise in the one form that exact inference takes."""
        chosen = [parent.size for parent in self.finite]
        length = prod(self.child.shape)
        bias = self.bias.expand([*chosen, *self.child.shape]).reshape([*chosen, length])
        weights = self.weights.reshape([*self.weights.shape[: len(chosen) + 1], length])
        scale = self.scale.tril() if self._full else torch.diag_embed(self._deviations())
        return Regression(
            self.finite,
            self.real,
            weights.expand([*chosen, *weights.shape[-2:]]),
            bias,
            scale.expand([*chosen, length, length]),
        )

    def distribution(self, *given: Tensor) -> Distribution:
        mean, scale = self._mean(given), self._root_at(given)
        if self._full:
            upright = torch.where(scale.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(scale).unsqueeze(-2)
            return MultivariateNormal(mean, scale_tril=scale * upright, validate_args=False)
        mean, std = torch.broadcast_tensors(mean, scale.abs())
        shape, event = (*mean.shape[:-1], *self.child.shape), len(self.child.shape)
        normal = Normal(mean.reshape(shape), std.reshape(shape), validate_args=False)
        return Independent(normal, event, validate_args=False) if event else normal

    def log_prob(self, *values: Tensor) -> Tensor:
        *given, child = placed(self, values)
        x = vector(child, len(self.child.shape))
        density = triangular_log_density if self._full else diagonal_log_density
        return density(x, self._mean(given), self._root_at(given))

    def _root_at(self, given: Sequence[Tensor]) -> Tensor:
        """Standard deviations `[*batch, length]`, or lower triangular matrices; no batch where all share them."""
        if self._full:
            return self._chosen(self.scale.tril(), given)
        scale = self._deviations()
        return scale.reshape(-1) if scale.numel() == scale.shape[-1] else self._chosen(scale, given)

    def _mean(self, given: Sequence[Tensor]) -> Tensor:
        """The means `[*batch, length]`, `[*batch, 1]` for a child that is a single number."""
        mean = self._chosen(self.bias.reshape([*self.bias.shape[: len(self.finite)], prod(self.child.shape)]), given)
        if not self.real:
            return mean
        numbers = [value for parent, value in zip(self.given, given, strict=True) if not parent.finite]
        weights = self.weights.reshape([*self.weights.shape[: len(self.finite) + 1], prod(self.child.shape)])
        x = columns(self.real, numbers, self.bias.dtype)
        return mean + (x.unsqueeze(-2) @ self._chosen(weights, given)).squeeze(-2)

    def _deviations(self) -> Tensor:
        """Square roots of a diagonal, `[*finite, length]`; an axis of length 1 where all states share the numbers."""
        chosen, event = len(self.finite), self.child.shape
        one = self.scale.dim() == chosen  # one variance for every number of the child
        shape = [*self.scale.shape[:chosen], *((1,) * len(event) if one else self.scale.shape[chosen:])]
        return self.scale.reshape(shape).expand([*shape[:chosen], *event]).reshape([*shape[:chosen], prod(event)])

    def _chosen(self, numbers: Tensor, given: Sequence[Tensor]) -> Tensor:
        """The entries of `[*finite, ...]` for the states of the finite parents; an axis of length 1 serves them all."""
        states = [value for parent, value in zip(self.given, given, strict=True) if parent.finite]
        return at_states(numbers, states)


class Gaussian(GaussianConditional):
    """A Gaussian without parents, p(child) = N(mean, covariance).

    Args:
        child: a `Real` variable.
        mean: shape that of the child.
        covariance: one variance (for every number of the child), a diagonal of the child's shape, or, for a vector
            of length d, a matrix `[d, d]`; in squared units of the child; 0 is allowed.

    Raises:
        ShapeError: when a shape does not fit, a number is not finite, or the covariance has a negative direction.

    Example:
        >>> from pgm import Real
        >>> position = Variable("position", Real(2))
        >>> Gaussian(position, [0.0, 0.0], [[4.0, 2.0], [2.0, 4.0]]).distribution().scale_tril.detach()
        tensor([[2.0000, 0.0000],
                [1.0000, 1.7321]], dtype=torch.float64)
    """

    def __init__(self, child: Variable, mean: Numbers, covariance: Numbers) -> None:
        super().__init__(child, (), None, mean, covariance)

    @property
    def mean(self) -> Tensor:
        """The mean, in the child's shape."""
        return self.bias


class LinearGaussian(GaussianConditional):
    """Linear regression with Gaussian noise, p(child | given) = N(x(given) @ weights + bias, covariance).

    Args:
        child: a `Real` variable.
        given: numeric parents; their numbers side by side are the columns of x.
        weights: shape `[columns, *child]` (for vectors the transpose of the A in y = A x).
        bias: shape that of the child.
        covariance: of the noise: one variance, a diagonal of the child's shape, or a matrix; 0 is allowed.

    Raises:
        GraphError: when a parent is finite.
        ShapeError: when a shape does not fit, a number is not finite, or the covariance has a negative direction.

    Example:
        >>> from pgm import Real
        >>> age, height = Variable("age", Real()), Variable("height", Real())
        >>> LinearGaussian(height, [age], [6.0], 75.0, 16.0).distribution(torch.tensor(10.0)).mean.item()
        135.0

    Reference: Shachter and Kenley (1989), Gaussian influence diagrams.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], weights: Numbers, bias: Numbers, covariance: Numbers
    ) -> None:
        subject = title("LinearGaussian", [child])
        for parent in sequence(given, subject, "given"):
            if isinstance(parent, Variable) and parent.finite:
                raise GraphError(f"{subject}: parent {parent.name!r} is finite; use ConditionalLinearGaussian.")
        super().__init__(child, given, weights, bias, covariance)


class ConditionalLinearGaussian(GaussianConditional):
    """A linear regression for each state of the finite parents, N(x @ weights[k] + bias[k], covariance[k]).

    An axis of length 1 in place of a finite parent's shares the numbers among its states.

    Args:
        child: a `Real` variable.
        given: parents of both kinds, in any order.
        weights: shape `[*finite, columns, *child]`, the axes in the order of the parents; None without numeric ones.
        bias: shape `[*finite, *child]`.
        covariance: of the noise, `[*finite]` (one variance), `[*finite, *child]` (a diagonal) or `[*finite, d, d]`.

    Raises:
        ShapeError: when a shape does not fit, a number is not finite, or a covariance has a negative direction.

    Example:
        >>> from pgm import Real
        >>> sex, height = Variable("sex", ["f", "m"]), Variable("height", Real())
        >>> heights = ConditionalLinearGaussian(height, [sex], None, [165.0, 178.0], [49.0])  # one variance for both
        >>> heights.distribution(torch.tensor([0, 1])).mean.tolist()
        [165.0, 178.0]

    Reference: Lauritzen and Wermuth (1989), Graphical models for associations between variables.
    """
