"""Answers: frozen records that speak in names and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .errors import EvidenceError, GraphError, PlanError
from .moments import Moments
from .samples import Samples
from .trust import trust
from .variable import Variable, quoted

if TYPE_CHECKING:
    import pandas

    from .plan import Plan


@dataclass(frozen=True, eq=False)
class Answers:
    """Which target lies where in a row of answers; shared by all posteriors of one question.

    Args:
        targets: the scopes asked for.
        places: first place of each target, and the row's length at the end.
        plan: how the answers were computed, where they came from a plan.
        engine: the name of what computed them.
    """

    targets: tuple[tuple[Variable, ...], ...]
    places: tuple[int, ...]
    plan: Plan | None
    engine: str

    @cached_property
    def index(self) -> dict[tuple[str, ...], int]:
        """Number of each target by the names in its scope."""
        return {tuple(v.name for v in target): number for number, target in enumerate(self.targets)}


@dataclass(frozen=True, eq=False)
class Beyond:
    """What a posterior holds besides tables of probabilities.

    Args:
        moments: means and covariances of numeric targets, by the names in their scopes.
        samples: the draws behind the answers, where an engine draws any.
        diagnostics: what the engine says about how far to trust it, by name.
        errors: the standard error of each probability, in their places, where an engine knows it.
    """

    moments: Mapping[tuple[str, ...], Moments] = field(default_factory=dict)
    samples: Samples | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    errors: np.ndarray | None = None


NOTHING = Beyond()


class Posterior:
    """What is known given evidence, by name and label.

    `post["rain"]` is a tensor `[*batch, states]`, `post["rain", "yes"]` one of shape `[*batch]`, and for a joint
    target `post["rain", "wet"]` is `[*batch, states of rain, states of wet]`. For a numeric variable `post["height"]`
    is its `Moments`: `.mean`, `.variance`, `.std`; and for several, asked as a joint target, those of all.

    Attributes:
        log_evidence: the logarithm of p(evidence) (of the partition function where potentials are not normalised; a
            density where numeric variables are observed), in nats, `[*batch]`.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, infer
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> post = infer(net, given={"wet": "yes"})
        >>> print(post)
        rain  no 0.3333  yes 0.6667
        wet   no 0.0000  yes 1.0000
        log evidence -1.4271
        >>> round(float(post["rain", "yes"]), 6)
        0.666667
    """

    __slots__ = ("_answers", "_beyond", "_flat", "_log_evidence")

    def __init__(
        self, answers: Answers, flat: np.ndarray, log_evidence: float | np.ndarray, beyond: Beyond = NOTHING
    ) -> None:
        self._answers = answers
        self._flat = flat
        self._log_evidence = log_evidence
        self._beyond = beyond

    @property
    def log_evidence(self) -> Tensor:
        return torch.as_tensor(self._log_evidence, dtype=torch.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the single-variable targets, the finite ones first."""
        numeric = tuple(names[0] for names in self._beyond.moments if len(names) == 1)
        return tuple(variable.name for variable in self.variables) + numeric

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The single-variable targets that are finite."""
        return tuple(target[0] for target in self._answers.targets if len(target) == 1)

    @property
    def plan(self) -> Plan | None:
        """How the answers were computed, where they came from a plan."""
        return self._answers.plan

    @property
    def engine(self) -> str:
        """What computed the answers."""
        return self._answers.engine

    @property
    def samples(self) -> Samples | None:
        """The draws behind the answers, where the engine draws any."""
        return self._beyond.samples

    @property
    def diagnostics(self) -> Mapping[str, Any]:
        """What the engine says about how far to trust it, by name."""
        return self._beyond.diagnostics

    def noted(self, **diagnostics: Any) -> Posterior:
        """The same posterior, with more diagnostics."""
        beyond = replace(self._beyond, diagnostics={**self.diagnostics, **diagnostics})
        return Posterior(self._answers, self._flat, self._log_evidence, beyond)

    @property
    def batch(self) -> tuple[int, ...]:
        """The shape of the batch: () for one row, (rows,) for many."""
        return self._flat.shape[:-1]

    def __getitem__(self, key: str | tuple[str, ...]) -> Any:
        names = (key,) if isinstance(key, str) else key
        if names in self._beyond.moments:
            return self._beyond.moments[names]
        return self._at(self._flat, names)

    def standard_error(self, key: str | tuple[str, ...]) -> Tensor:
        """The standard error of what `post[key]` gives, of the same shape: 0 where answers are exact.

        Raises:
            PlanError: when the engine does not know it; what it knows is in `diagnostics`.
        """
        names = (key,) if isinstance(key, str) else key
        if self._beyond.errors is not None:
            return self._at(self._beyond.errors, names)
        if self.plan is None or self._beyond.samples is not None:
            raise PlanError(f"Posterior: {self.engine} states no standard errors; see diagnostics.")
        return torch.zeros_like(self._at(self._flat, names))

    def _at(self, flat: np.ndarray, names: tuple[str, ...]) -> Tensor:
        """The numbers of a target, or of one of its states, in an array that is laid out like the probabilities."""
        answers = self._answers
        number = answers.index.get(names)
        if number is not None:
            low, high = answers.places[number], answers.places[number + 1]
            values = torch.from_numpy(flat[..., low:high])
            target = answers.targets[number]
            return values if len(target) == 1 else values.reshape(*self.batch, *(v.size for v in target))
        number = answers.index.get(names[:1])
        if number is None or len(names) != 2:
            asked = quoted([", ".join(names) for names in (*answers.index, *self._beyond.moments)])
            wanted = names[0] if len(names) == 1 else names
            raise GraphError(f"Posterior: {wanted!r} was not asked for; there are {asked}. Name it in the targets.")
        variable = answers.targets[number][0]
        if str(names[1]) not in variable.numbers:
            raise EvidenceError(
                f"Posterior: {variable.name!r} has no state {names[1]!r}; its states are {quoted(variable.states)}. "
                "A joint has to be named in the targets."
            )
        return torch.from_numpy(np.asarray(flat[..., answers.places[number] + variable.number(names[1])]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def argmax(self) -> dict[str, str | list[str]]:
        """The most probable state of each variable on its own (not the most probable joint state: see `mpe`)."""
        return {v.name: _labelled(v, self[v.name].argmax(-1)) for v in self.variables}

    def table(self) -> dict[str, dict[str, Any]]:
        """Nested dicts: target, then label, then the probability (a list of them for a batch).

        Joint targets and their joint states are written with commas: `post.table()["rain, wet"]["no, yes"]`. Each
        number of the numeric targets has a mean and a standard deviation: `post.table()["position[0]"]["mean"]`.
        """
        return {
            name: dict(zip(labels, values.movedim(-1, 0).tolist(), strict=True))
            for name, labels, values in (*self._flat_targets(), *self._flat_numbers())
        }

    def _flat_numbers(self) -> list[tuple[str, tuple[str, ...], Tensor]]:
        """For each number of the numeric targets its name, what is said of it, and that, `[*batch, 2]`."""
        found: dict[str, Tensor] = {}
        for moments in self._beyond.moments.values():
            spread = moments.std.reshape(moments.flat.shape)
            found |= zip(moments.labels(), torch.stack([moments.flat, spread], -1).unbind(-2), strict=True)
        return [(name, ("mean", "std"), pair) for name, pair in found.items()]

    def _flat_targets(self) -> list[tuple[str, tuple[str, ...], Tensor]]:
        """For each target its name, the labels of its joint states, and their probabilities `[*batch, labels]`."""
        found = []
        for number, target in enumerate(self._answers.targets):
            low, high = self._answers.places[number : number + 2]
            name, labels = (
                ", ".join(v.name for v in target),
                tuple(", ".join(row) for row in product(*(v.states for v in target))),
            )
            found.append((name, labels, torch.from_numpy(self._flat[..., low:high])))
        return found

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a row of evidence, one column a (target, state) or (number, 'mean' or 'std'); needs pandas."""
        import pandas

        numbers = self._flat_numbers()
        names = [(name, label) for name, labels, _ in (*self._flat_targets(), *numbers) for label in labels]
        columns = pandas.MultiIndex.from_arrays([[each[side] for each in names] for side in (0, 1)])
        values = [self._flat, *(pair.detach().cpu().numpy() for *_, pair in numbers)]
        return pandas.DataFrame(np.atleast_2d(np.concatenate(values, -1)), columns=columns)

    def __str__(self) -> str:
        if self.batch:
            return repr(self)
        lines = [(name, self._line(number, labels)) for number, (name, labels, _) in enumerate(self._flat_targets())]
        for names, moments in self._beyond.moments.items():
            joint = [(", ".join(names), f"joint of {len(moments.labels())} numbers")]
            lines += moments.lines() if len(names) == 1 else joint
        width = max((len(name) for name, _ in lines), default=0)
        text = [f"{name:<{width}}  {line}" for name, line in lines]
        if not bool(self.log_evidence.isnan()):
            text.append(f"log evidence {float(self.log_evidence):z.4f}")
        return "\n".join([*text, *trust(self.engine, self.diagnostics)])

    def _line(self, number: int, labels: tuple[str, ...]) -> str:
        """The probabilities of a target, with their standard errors where an engine knows them."""
        low, high = self._answers.places[number : number + 2]
        errors = self._beyond.errors
        text = {
            label: f"{label} {p:.4f}" + ("" if errors is None else f" ± {errors[place]:.4f}")
            for label, place, p in zip(labels, range(low, high), self._flat[low:high].tolist(), strict=True)
        }
        return "  ".join(text[label] for label, _ in _shown(labels, torch.from_numpy(self._flat[low:high])))

    def __repr__(self) -> str:
        rows = f"{self.batch[0]} rows" if self.batch else f"log evidence {float(self.log_evidence):z.4f}"
        count = len(self._answers.targets) + len(self._beyond.moments)
        return f"Posterior({count} targets, {rows}, {self.engine})"

    def _repr_html_(self) -> str:
        """Bars in a notebook."""
        if self.batch:
            return f"<code>{escape(repr(self))}</code>"
        rows = "".join(_html_row(*target) for target in self._flat_targets())
        numeric = map(str, self._beyond.moments.values())
        rows += "".join(f"<tr><td colspan='2'><pre>{escape(text)}</pre></td></tr>" for text in numeric)
        caption = f"log evidence {float(self.log_evidence):z.4f}"
        return f"<table><caption>{caption}</caption>{rows}</table>"


def _labelled(variable: Variable, numbers: Tensor) -> str | list[str]:
    found = [variable.states[int(number)] for number in numbers.reshape(-1)]
    return found if numbers.dim() else found[0]


def _shown(labels: tuple[str, ...], values: Tensor, limit: int = 6) -> list[tuple[str, float]]:
    """Labels and probabilities, in order; of more than `limit` states only the most probable ones."""
    pairs = list(zip(labels, values.tolist(), strict=True))
    if len(pairs) <= limit:
        return pairs
    kept = {label for label, _ in sorted(pairs, key=lambda pair: -pair[1])[:limit]}
    return [pair for pair in pairs if pair[0] in kept]


def _html_row(name: str, labels: tuple[str, ...], values: Tensor) -> str:
    cells = "".join(
        f"<div style='display:flex;align-items:center;gap:.5em'><span style='min-width:6em'>{escape(label)}</span>"
        f"<span style='display:inline-block;height:.8em;width:{100 * p:.1f}px;background:#4477aa'></span>"
        f"<span>{100 * p:.1f} %</span></div>"
        for label, p in _shown(labels, values, 12)
    )
    return f"<tr><th style='vertical-align:top;text-align:left'>{escape(name)}</th><td>{cells}</td></tr>"
