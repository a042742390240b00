"""Evidence: what is observed, by label or number, in one row or many; checked once, at the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from .errors import EvidenceError
from .graph import Graph
from .values import read_value
from .variable import Variable, quoted

MISSING = -1
PATTERNS = 4  # patterns of missing cells that are always worth a plan each
ROWS_A_PATTERN = 64  # beyond those, rows that one more plan must serve


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence in numbers.

    Args:
        hard: state numbers by variable number, `[rows]`, -1 where missing.
        soft: likelihood vectors by variable number, `[rows, states]`.
        rows: how many rows; 1 for a single question.
        batched: whether rows were given as a batch.
        real: values of numeric variables by variable number, `[rows, *event]`, NaN where missing.
    """

    hard: dict[int, np.ndarray]
    soft: dict[int, np.ndarray]
    rows: int
    batched: bool
    real: dict[int, Tensor] = field(default_factory=dict)


Given = Mapping[str, Any] | Any  # a mapping of labels, of lists of labels or of integer tensors; or a DataFrame
Likelihood = Mapping[str, Any]  # vectors over states, [states] or [rows, states], or mappings from label to number


def read_evidence(graph: Graph, given: Given | None, likelihood: Likelihood | None, subject: str = "infer") -> Evidence:
    """Labels, numbers and vectors as arrays.

    Args:
        graph: the structure that names the variables.
        given: for each observed variable a label; or a list of labels, or an integer tensor of state numbers with -1
            for missing, one a row (labels None, NaN and '' are missing too); for each numeric one a value of its event
            shape, or one a row, NaN where missing; or a DataFrame of those.
        likelihood: for each variable a vector proportional to p(observation | state), `[states]` or `[rows, states]`.
        subject: how error messages begin.

    Raises:
        EvidenceError: on an unknown variable or state, lengths that differ, or a vector of the wrong shape.
    """
    number = graph.numbers
    columns = _columns(given, subject)
    vectors = dict(likelihood or {})
    for name in (*columns, *vectors):
        if name not in number:
            raise EvidenceError(f"{subject}: {name!r} is not a variable; there are {quoted(graph.names)}.")
    for name in vectors:
        if name in columns:
            raise EvidenceError(f"{subject}: {name!r} has both a state and a likelihood; give one of them.")
    known, real = graph.by_name, {}
    for name in [name for name in columns if not known[name].finite]:
        real[number[name]] = _numbers_of(known[name], columns.pop(name), subject)
    hard = {number[name]: _states(known[name], value, subject) for name, value in columns.items()}
    soft = {number[name]: _vector(graph.by_name[name], value, subject) for name, value in vectors.items()}
    shapes = _batches(graph, hard, soft, real)
    batched, rows = any(shapes.values()), _rows(graph, shapes, subject)
    return Evidence(
        {v: np.broadcast_to(array, (rows,)) for v, array in hard.items()},
        {v: np.broadcast_to(array, (rows, array.shape[-1])) for v, array in soft.items()},
        rows,
        batched,
        {v: value.expand(rows, *graph.variables[v].shape) for v, value in real.items()},
    )


def _columns(given: Given | None, subject: str) -> dict[str, Any]:
    if given is None:
        return {}
    try:
        return {str(name): given[name] for name in given}
    except (TypeError, KeyError, IndexError):
        kind = type(given).__name__
        raise EvidenceError(f"{subject}: given is a {kind}, expected a mapping from names to labels.") from None


def _batches(
    graph: Graph, hard: Mapping[int, np.ndarray], soft: Mapping[int, np.ndarray], real: Mapping[int, Tensor]
) -> dict[int, tuple[int, ...]]:
    """The batch shape of the evidence on each variable: () for one row, (rows,) for many."""
    shapes = {v: array.shape for v, array in hard.items()} | {v: array.shape[:-1] for v, array in soft.items()}
    return shapes | {v: tuple(x.shape[: x.dim() - len(graph.variables[v].shape)]) for v, x in real.items()}


def _rows(graph: Graph, shapes: Mapping[int, tuple[int, ...]], subject: str) -> int:
    lengths = {v: shape[0] for v, shape in shapes.items() if shape}
    if len(set(lengths.values())) > 1:
        (v, one), (w, two) = min(lengths.items(), key=lambda x: x[1]), max(lengths.items(), key=lambda x: x[1])
        names = graph.names
        raise EvidenceError(
            f"{subject}: evidence for {names[v]!r} has {one} rows and for {names[w]!r} {two}; make them equal."
        )
    return next(iter(lengths.values()), 1)


def _numbers_of(variable: Variable, value: Any, subject: str) -> Tensor:
    """Numbers of a numeric variable, `[*event]` or `[rows, *event]`."""
    numbers = read_value(variable, _filled(value, variable.shape), subject)
    if numbers.dim() > len(variable.shape) + 1:
        raise EvidenceError(
            f"{subject}: evidence for {variable.name!r} has shape {tuple(numbers.shape)}, expected "
            f"{variable.shape} for one row, or one axis more for many."
        )
    return numbers


def _filled(value: Any, shape: tuple[int, ...]) -> Any:
    """The value with NaN where it, or one of its rows, is missing."""
    if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype != object):
        return value
    if isinstance(value, str) or not isinstance(value, Iterable):
        return np.full(shape, np.nan) if absent(value) else value
    rows = list(value)
    gone = [np.ndim(each) == 0 and absent(each) for each in rows]
    whole = all(gone) or any(np.ndim(each) for each in rows)  # else they are the numbers of one vector
    hole = np.full(shape if whole else (), np.nan)
    return [hole if missing else each for each, missing in zip(rows, gone, strict=True)] or np.zeros((0, *shape))


def _states(variable: Variable, value: Any, subject: str) -> np.ndarray:
    """State numbers from one label, from labels, or from an integer array."""
    if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "iub"):
        return _numbers(variable, value, subject)
    if isinstance(value, (Mapping, Set)):
        raise EvidenceError(
            f"{subject}: evidence for {variable.name!r} is {value!r}, expected a label, or a list of labels. "
            "Weights on the states go to likelihood or jeffrey."
        )
    if isinstance(value, str) or not isinstance(value, Iterable):
        return np.array(MISSING if absent(value) else _number(variable, value, subject))
    labels, known = list(value), _Numbers(variable, subject)
    try:
        return np.fromiter((known[type(each), each] for each in labels), np.int64, len(labels))
    except TypeError:  # a label that cannot be a key is no label; say so
        return np.array([MISSING if absent(each) else _number(variable, each, subject) for each in labels], np.int64)


class _Numbers(dict[tuple[type, Any], int]):
    """The state number of each different label, looked up once; 1, 1.0 and True are equal but differ as labels."""

    def __init__(self, variable: Variable, subject: str) -> None:
        super().__init__()
        self.variable, self.subject = variable, subject

    def __missing__(self, key: tuple[type, Any]) -> int:
        label = key[1]
        self[key] = MISSING if absent(label) else _number(self.variable, label, self.subject)
        return self[key]


def absent(label: Any) -> bool:
    """Whether it stands for a missing label: None, NaN or nothing."""
    try:
        return label is None or bool(label == "" or label != label)  # NaN is not equal to itself
    except TypeError:
        return True  # pandas' NA has no truth value


def _number(variable: Variable, label: Any, subject: str) -> int:
    if isinstance(label, float) and label.is_integer() and str(label) not in variable.states:
        label = int(label)  # pandas turns whole numbers into floats beside missing ones
    try:
        return variable.number(label)
    except EvidenceError:
        raise EvidenceError(
            f"{subject}: evidence for {variable.name!r} is {label!r}; its states are {quoted(variable.states, 12)}."
        ) from None


def _numbers(variable: Variable, value: Tensor | np.ndarray, subject: str) -> np.ndarray:
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    if array.dtype.kind not in "iub" or array.ndim > 1:
        raise EvidenceError(
            f"{subject}: evidence for {variable.name!r} is a {array.dtype} array of shape {array.shape}, "
            "expected integer state numbers of shape [rows], -1 for missing."
        )
    array = array.astype(np.int64)
    if array.size and (array.min() < MISSING or array.max() >= variable.size):
        wrong = int(array.max() if array.max() >= variable.size else array.min())
        raise EvidenceError(
            f"{subject}: evidence for {variable.name!r} has state number {wrong}, "
            f"expected 0 to {variable.size - 1}, or -1 for missing."
        )
    return array


def _vector(variable: Variable, value: Any, subject: str) -> np.ndarray:
    """A likelihood vector `[states]` or `[rows, states]`, finite and not negative."""
    if not variable.finite:
        raise EvidenceError(
            f"{subject}: likelihood of {variable.name!r}, which is {variable.domain!r}, expected a variable with "
            "states; observe a noisy child of it instead."
        )
    if isinstance(value, Mapping):
        value = [float(value.get(label, 0.0)) for label in _known(variable, value, subject)]
    array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != variable.size:
        raise EvidenceError(
            f"{subject}: likelihood of {variable.name!r} has shape {array.shape}, "
            f"expected ({variable.size},) or (rows, {variable.size}) = its states {quoted(variable.states, 12)}."
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise EvidenceError(f"{subject}: likelihood of {variable.name!r} must be finite and not negative.")
    return array


def _known(variable: Variable, value: Mapping[Any, Any], subject: str) -> tuple[str, ...]:
    for label in value:
        _number(variable, label, subject)
    return variable.states


def patterns(
    evidence: Evidence, sizes: Sequence[int]
) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray], dict[int, np.ndarray]]]:
    """Rows grouped by which cells are missing; when there are many patterns, cells become likelihoods instead.

    Yields:
        row numbers, state numbers by variable (none missing in these rows), likelihoods by variable.
    """
    order = sorted(evidence.hard)
    every = np.arange(evidence.rows)
    holes = [v for v in order if (evidence.hard[v] < 0).any()]
    if not holes or not len(every):
        yield from [(every, dict(evidence.hard), dict(evidence.soft))] if len(every) else []
        return
    missing = np.stack([evidence.hard[v] < 0 for v in holes], axis=1)
    kinds, which = np.unique(missing, axis=0, return_inverse=True)
    if len(kinds) <= max(PATTERNS, evidence.rows // ROWS_A_PATTERN):
        for kind, absent in enumerate(kinds):
            gone = {v for v, is_absent in zip(holes, absent, strict=True) if is_absent}
            seen = {v: evidence.hard[v] for v in order if v not in gone}
            yield np.flatnonzero(which.reshape(-1) == kind), seen, dict(evidence.soft)
        return
    seen = {v: evidence.hard[v] for v in order if v not in holes}
    yield every, seen, evidence.soft | _as_likelihood(evidence, holes, sizes)


def _as_likelihood(evidence: Evidence, holes: Sequence[int], sizes: Sequence[int]) -> dict[int, np.ndarray]:
    """For each column with missing cells a vector a row: one-hot where observed, all ones where missing."""
    found = {}
    for v in holes:
        states = evidence.hard[v]
        vectors = np.ones((evidence.rows, sizes[v]))
        vectors[states >= 0] = np.eye(sizes[v])[states[states >= 0]]
        found[v] = vectors
    return found


def columns_of(
    hard: Mapping[int, np.ndarray], soft: Mapping[int, np.ndarray], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """State numbers `[rows, observed]` and likelihoods `[rows, width]`, by ascending variable number."""
    states = [hard[v][rows] for v in sorted(hard)]
    vectors = [soft[v][rows] for v in sorted(soft)]
    return (
        np.stack(states, axis=1) if states else np.zeros((len(rows), 0), dtype=np.int64),
        np.concatenate(vectors, axis=1) if vectors else np.zeros((len(rows), 0)),
    )


def check_possible(
    totals: np.ndarray, evidence: Evidence, variables: Sequence[Variable], impossible: str, subject: str
) -> None:
    """Raise an `EvidenceError` that shows the first row of probability 0, or of none since numbers left the floats."""
    bad = np.flatnonzero(~(totals > -np.inf))
    if impossible == "nan" or not len(bad):
        return
    names, row = [variable.name for variable in variables], int(bad[0])
    shown = {names[v]: variables[v].states[states[row]] for v, states in evidence.hard.items() if states[row] >= 0}
    shown |= {names[v]: _shown(values[row]) for v, values in evidence.real.items()}
    text = "{" + ", ".join(f"{name!r}: {label!r}" for name, label in list(shown.items())[:8]) + "}"
    text += f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    text += f" with likelihoods of {quoted(names[v] for v in evidence.soft)}" if evidence.soft else ""
    count = "one such row" if len(bad) == 1 else f"{len(bad)} such rows"
    where = f" in row {row} ({count} of {evidence.rows})" if evidence.batched else ""
    hint = " Use impossible='nan' to answer the other rows." if evidence.batched and subject == "infer" else ""
    what = "has probability 0 (checked in log arithmetic)"
    what = "is NaN: it, or a parameter, is beyond the range of floats" if np.isnan(totals[row]) else what
    raise EvidenceError(f"{subject}: the evidence {text}{where} {what}.{hint}")


def _shown(value: Tensor) -> float | str:
    """A number to show; of an array only its shape."""
    return float(f"{value.item():.6g}") if not value.dim() else f"an array of shape {tuple(value.shape)}"
