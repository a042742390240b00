"""What is known of numeric variables: means and covariances by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from .variable import Variable

LEAST, MOST = 1e-3, 1e9  # scales between which numbers are printed with four decimals


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of one numeric variable, or of several side by side.

    Args:
        variables: whose numbers these are; those of several variables, flattened, follow one another.
        flat: the means, `[*batch, length]`.
        covariance: shape `[*batch, length, length]`, in squared units.

    Example:
        >>> from pgm import Real
        >>> x = Variable("x", Real())
        >>> import torch
        >>> print(Moments((x,), torch.tensor([2.0]), torch.tensor([[0.25]])))
        x  2.0000 ± 0.5000
    """

    variables: tuple[Variable, ...]
    flat: Tensor
    covariance: Tensor

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The event shape: that of the variable, or the whole length when there are several."""
        return self.variables[0].shape if len(self.variables) == 1 else (self.flat.shape[-1],)

    @property
    def batch(self) -> tuple[int, ...]:
        """The shape of the batch: () for one row, (rows,) for many."""
        return tuple(self.flat.shape[:-1])

    @property
    def mean(self) -> Tensor:
        """The means, `[*batch, *event]`."""
        return self.flat.reshape([*self.batch, *self.shape])

    @property
    def variance(self) -> Tensor:
        """The variances, `[*batch, *event]`."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).reshape([*self.batch, *self.shape])

    @property
    def std(self) -> Tensor:
        """The standard deviations, `[*batch, *event]`."""
        known = ~(self.variance <= 0)
        return torch.where(known, torch.where(known, self.variance, 1.0).sqrt(), 0.0)  # no infinite gradient at 0

    def gaussian(self) -> MultivariateNormal:
        """The Gaussian with these moments over the flattened numbers; raises where the covariance is singular."""
        return MultivariateNormal(self.flat, self.covariance)

    def labels(self) -> tuple[str, ...]:
        """One name a number, such as 'x' or 'x[0,1]'."""
        return tuple(label for variable in self.variables for label in _labels(variable))

    def lines(self) -> list[tuple[str, str]]:
        """For one row of evidence the name of each number, and its mean ± standard deviation."""
        spreads = self.std.reshape(-1).tolist()
        texts = [_text(mean, spread) for mean, spread in zip(self.flat.tolist(), spreads, strict=True)]
        return list(zip(self.labels(), texts, strict=True))

    def __str__(self) -> str:
        if self.batch:
            return repr(self)
        width = max(map(len, self.labels()))
        return "\n".join(f"{label:<{width}}  {text}" for label, text in self.lines())

    def __repr__(self) -> str:
        rows = f", {self.batch[0]} rows" if self.batch else ""
        return f"Moments({', '.join(v.name for v in self.variables)}: {self.flat.shape[-1]} numbers{rows})"


def _text(mean: float, spread: float) -> str:
    """Four decimals where they tell something, four significant digits elsewhere."""
    scale = spread or abs(mean)
    usual = scale == 0 or (scale >= LEAST and abs(mean) + spread < MOST) or scale != scale
    return f"{mean:z.4f} ± {spread:.4f}" if usual else f"{mean:.8g} ± {spread:.4g}"


def _labels(variable: Variable) -> list[str]:
    places = product(*map(range, variable.shape))
    return [f"{variable.name}[{','.join(map(str, place))}]" if place else variable.name for place in places]
