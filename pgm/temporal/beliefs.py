"""Answers about sequences: frozen records that speak in names and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import EvidenceError, GraphError
from ..moments import Moments
from ..variable import Variable, quoted

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What is known about each step.

    `beliefs["sky"]` is a tensor `[*batch, steps, states]` and `beliefs["sky", "grey"]` one `[*batch, steps]`; for a
    numeric variable `beliefs["position"]` is its `Moments`, whose batch is `[*batch, steps]`. Steps beyond the end of
    a shorter sequence are NaN.

    Args:
        variables: what is answered.
        marginals: by name, probabilities or moments.
        log_evidence: log p of all that was given (a density where numeric variables were), in nats, `[*batch]`.
        diagnostics: how far to trust an engine that draws, by name, `[*batch]` or `[*batch, steps]`.
        errors: the standard errors of probabilities and means by name, where an engine draws.

    Example:
        >>> from pgm import Tabular, Template, before, smoothing
        >>> sky, wet = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
        >>> change = Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [change, Tabular(wet, [sky], [[0.9, 0.1], [0.3, 0.7]])])
        >>> print(smoothing(weather, {"wet": ["no", "yes", "yes"]}))
        t  sky
        0  clear 0.7370  grey 0.2630
        1  clear 0.2362  grey 0.7638
        2  clear 0.1993  grey 0.8007
        log evidence -3.0894
    """

    variables: tuple[Variable, ...]
    marginals: Mapping[str, Tensor | Moments]
    log_evidence: Tensor
    diagnostics: Mapping[str, Tensor] = field(default_factory=dict)
    errors: Mapping[str, Tensor] = field(default_factory=dict)

    def standard_error(self, name: str) -> Tensor:
        """The standard errors of the probabilities, or of the means, of a variable: 0 where answers are exact."""
        found = self[name]
        exact = torch.zeros_like(found.mean if isinstance(found, Moments) else found)
        return self.errors.get(name, exact)

    def __getitem__(self, key: str | tuple[str, str]) -> Any:
        name, *label = (key,) if isinstance(key, str) else key
        if name not in self.marginals:
            raise GraphError(f"Beliefs: {name!r} is not among the answers; there are {quoted(self.marginals)}.")
        found = self.marginals[name]
        if not label:
            return found
        variable = next(v for v in self.variables if v.name == name)
        if not variable.finite or str(label[0]) not in variable.numbers:
            states = f"states are {quoted(variable.states)}" if variable.finite else f"domain is {variable.domain!r}"
            raise EvidenceError(f"Beliefs: {name!r} has no state {label[0]!r}; its {states}.")
        return found[..., variable.number(label[0])]  # type: ignore[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self.marginals)

    def argmax(self) -> dict[str, Any]:
        """The most probable label of each finite variable at each step on its own (see `viterbi` for paths)."""
        return {v.name: labelled(v, self[v.name].argmax(-1).tolist()) for v in self.variables if v.finite}

    def __str__(self) -> str:
        if self.log_evidence.dim():
            return repr(self)
        columns = [[v.name, *_cells(v, self.marginals[v.name])] for v in self.variables]
        columns.insert(0, ["t", *map(str, range(len(columns[0]) - 1))] if columns else ["t"])
        widths = [max(map(len, column)) for column in columns]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in zip(*columns, strict=True)]
        return "\n".join([*lines, f"log evidence {self.log_evidence.item():z.4f}"])

    def __repr__(self) -> str:
        rows = f", {len(self.log_evidence)} sequences" if self.log_evidence.dim() else ""
        return f"Beliefs({', '.join(self.marginals)}{rows})"


@dataclass(frozen=True, eq=False)
class Paths:
    """Whole sequences: sampled ones, or the most probable one.

    `paths["sky"]` are state numbers `[*batch, steps]` (-1 beyond the end of a shorter sequence), or numbers
    `[*batch, steps, *event]` (NaN).

    Args:
        variables: what the paths are of.
        values: one tensor a variable, by name.
        log_prob: of the most probable path, log p(path, evidence) in nats, `[*batch]`; None for sampled ones.
    """

    variables: tuple[Variable, ...]
    values: Mapping[str, Tensor]
    log_prob: Tensor | None

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.values:
            raise GraphError(f"Paths: {name!r} is not among the answers; there are {quoted(self.values)}.")
        return self.values[name]

    def keys(self) -> tuple[str, ...]:
        """The names, so that `dict(paths)` works."""
        return tuple(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def labels(self, name: str) -> Any:
        """The labels of one variable: a list of them a path, None beyond its end."""
        return labelled(next(v for v in self.variables if v.name == name), self[name].tolist())

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a step, one column a variable: labels, or numbers (lists of them for vectors); needs pandas."""
        import pandas

        columns = {v.name: self.labels(v.name) if v.finite else self[v.name].tolist() for v in self.variables}
        first = self.variables[0]
        values = self[first.name]
        shape = values.shape[: values.dim() - len(first.shape)]
        if len(shape) == 1:
            return pandas.DataFrame(columns, index=pandas.RangeIndex(shape[0], name="t"))
        index = pandas.MultiIndex.from_product([range(n) for n in shape], names=["sequence", "t"])
        return pandas.DataFrame({name: [x for row in rows for x in row] for name, rows in columns.items()}, index=index)

    def __repr__(self) -> str:
        return f"Paths({', '.join(f'{name} {list(x.shape)}' for name, x in self.values.items())})"


def labelled(variable: Variable, numbers: Any) -> Any:
    """Labels in place of state numbers, in lists of lists; None for missing."""
    if isinstance(numbers, list):
        return [labelled(variable, each) for each in numbers]
    return variable.states[numbers] if numbers >= 0 else None


def _cells(variable: Variable, marginal: Tensor | Moments) -> list[str]:
    """One text a step."""
    if isinstance(marginal, Moments):
        means, stds = (x.flatten(1).tolist() for x in (marginal.mean.unsqueeze(-1), marginal.std.unsqueeze(-1)))
        pairs = (zip(mean, std, strict=True) for mean, std in zip(means, stds, strict=True))
        return ["  ".join(f"{mean:.4f} ± {std:.4f}" for mean, std in row) for row in pairs]
    return ["  ".join(f"{s} {p:.4f}" for s, p in zip(variable.states, row, strict=True)) for row in marginal.tolist()]
