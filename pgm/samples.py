"""Joint samples, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .errors import GraphError
from .variable import Variable, quoted

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Samples:
    """Joint samples.

    Args:
        variables: what was sampled.
        columns: one tensor a variable: state numbers `[n]`, or numbers `[n, *event]`.
        n: how many samples.
        diagnostics: what the engine says about how far to trust them, by name.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, sample
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> sample(BayesianNetwork(Tabular(coin, [], [0.0, 1.0])), 2, seed=0).labels("coin")
        ['tails', 'tails']
    """

    variables: tuple[Variable, ...]
    columns: tuple[Tensor, ...]
    n: int
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def states(self) -> Tensor:
        """The state numbers of the finite variables side by side, `[n, finite variables]`."""
        finite = [column for v, column in zip(self.variables, self.columns, strict=True) if v.finite]
        return torch.stack(finite, 1) if finite else torch.zeros(self.n, 0, dtype=torch.long)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the variables."""
        return tuple(v.name for v in self.variables)

    def keys(self) -> tuple[str, ...]:
        """The names, so that `dict(samples)` works."""
        return self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, name: str) -> Tensor:
        """The values of one variable: state numbers `[n]`, or numbers `[n, *event]`."""
        if name not in self.names:
            raise GraphError(f"Samples: {name!r} was not sampled; there are {quoted(self.names)}.")
        return self.columns[self.names.index(name)]

    def labels(self, name: str) -> list[str]:
        """The labels of one variable, one a sample."""
        numbers = self[name].tolist()
        states = next(v for v in self.variables if v.name == name).states
        return [states[number] for number in numbers]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a sample, one column of labels a variable; needs pandas."""
        import pandas

        columns = {v.name: self.labels(v.name) if v.finite else self[v.name].tolist() for v in self.variables}
        return pandas.DataFrame(columns)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Samples({len(self)} of {len(self.variables)} variables)"
