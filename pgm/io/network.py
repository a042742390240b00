"""From what a file says to a checked Bayesian network, and back to plain tables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..conditionals import ROW_TOLERANCE, Tabular
from ..errors import FileError, GraphError
from ..model import BayesianNetwork, Model
from ..terms import Local
from ..variable import Variable, quoted
from .text import Source, fault, numbers, place_of_token, skip_space

# How far a row in a file may sum from 1: four states printed with two digits can be off by as much.
FILE_TOLERANCE = 0.02
NUMBERS_AT_MOST = 2**24  # of one table


@dataclass(frozen=True)
class Entry:
    """One conditional as a file gives it.

    Args:
        child: the variable it is about.
        given: its parents, in the order of the table's axes.
        values: numbers of shape `[*given, child]`.
        line: from the flat index of a number to the line it is on, from None to the line where all begins.
    """

    child: Variable
    given: tuple[Variable, ...]
    values: np.ndarray
    line: Callable[[int | None], int]

    @property
    def subject(self) -> str:
        """How messages about this conditional begin."""
        return heading(self.child.name, [variable.name for variable in self.given])


def heading(child: str, given: Sequence[str]) -> str:
    """The name of a conditional in messages.

    Example:
        >>> heading("wet", ["rain", "sprinkler"])
        'p(wet | rain, sprinkler)'
    """
    return f"p({child} | {', '.join(given)})" if given else f"p({child})"


def declare(path: Path, line: int, name: str, states: Sequence[str]) -> Variable:
    """A variable, or a `FileError` that says what is wrong with its states."""
    try:
        return Variable(name, list(states))
    except GraphError as error:
        raise fault(path, line, str(error)) from None


def add(path: Path, line: int, known: dict[str, Variable], key: str, variable: Variable) -> None:
    """Enter a variable under the name the file uses; a second one of that name is a `FileError`."""
    if key in known:
        raise fault(path, line, f"variable {key!r} is declared twice; names must differ.")
    known[key] = variable


def lookup(path: Path, line: int, known: Mapping[str, Variable], name: str) -> Variable:
    """The variable of that name, or a `FileError` that lists those declared."""
    if name not in known:
        raise fault(path, line, f"{name!r} is not a declared variable; there are {quoted(known)}.")
    return known[name]


def shaped(path: Path, line: int, scope: Sequence[Variable], subject: str, values: np.ndarray) -> np.ndarray:
    """The numbers with one axis a variable, or a `FileError` that gives the number expected."""
    shape = tuple(variable.size for variable in scope)
    if values.size != math.prod(shape):
        sizes = " x ".join(map(str, shape))
        raise fault(path, line, f"{subject}: found {values.size} numbers, expected {math.prod(shape)} = {sizes}.")
    return values.reshape(shape)


def filled(source: Source, child: Variable, given: Sequence[Variable], line: int) -> Entry:
    """The conditional that begins on a line and whose numbers, child fastest, are all of the source."""
    subject = heading(child.name, [variable.name for variable in given])
    start, stop = skip_space(source.text, 0), len(source.text)
    table = shaped(source.path, source.line(start), (*given, child), subject, numbers(source, start, stop, subject))

    def line_of(flat: int | None) -> int:
        return line if flat is None else source.line(place_of_token(source, start, stop, flat))

    return Entry(child, tuple(given), table, line_of)


def require_some(path: Path, known: Mapping[str, Variable]) -> None:
    """Raise a `FileError` when no variable is declared."""
    if not known:
        raise FileError(f"{path}: declares no variable; is the file empty, cut off, or in another format?")


def network(path: Path, name: str, variables: Iterable[Variable], entries: Sequence[Entry]) -> BayesianNetwork:
    """A Bayesian network of tables, once every row, name and arrow is known to be right.

    Rows that sum to 1 within 1e-6 are kept as written; those within 0.02 are rescaled, with one warning a file.

    Raises:
        FileError: on a variable with two tables or none, a row further from 1, or a cycle.
    """
    variables = tuple(variables)
    _one_each(path, variables, entries)
    off = [_rescaled(path, entry) for entry in entries]
    if any(len(rows) for _, rows in off):
        totals = np.concatenate([rows for _, rows in off])
        warnings.warn(
            f"{path}: {len(totals)} rows summed to 1 only within {np.abs(totals - 1).max():.2g} and were rescaled.",
            stacklevel=4,  # whoever called load
        )
    _no_cycle(path, entries)
    terms = [Tabular(entry.child, entry.given, values) for entry, (values, _) in zip(entries, off, strict=True)]
    return BayesianNetwork(*terms, variables=variables, name=name)


def _one_each(path: Path, variables: Sequence[Variable], entries: Sequence[Entry]) -> None:
    found: dict[str, Entry] = {}
    for entry in entries:
        names = [variable.name for variable in (*entry.given, entry.child)]
        if len(set(names)) < len(names):
            raise fault(path, entry.line(None), f"{entry.subject}: names a variable twice; list each once.")
        if entry.child.name in found:
            first = found[entry.child.name].line(None)
            raise fault(path, entry.line(None), f"{entry.subject}: {names[-1]!r} has a table already, on line {first}.")
        found[entry.child.name] = entry
    missing = [variable.name for variable in variables if variable.name not in found]
    if missing:
        raise FileError(f"{path}: no table for {quoted(missing)}; every variable needs one, or the file is cut off.")


def _rescaled(path: Path, entry: Entry) -> tuple[torch.Tensor, np.ndarray]:
    """The table with rows that are slightly off divided by their sum, and the sums of those rows."""
    table = torch.from_numpy(np.ascontiguousarray(entry.values, dtype=np.float64))
    totals = table.sum(-1, keepdim=True)
    off = (totals - 1).abs() > ROW_TOLERANCE  # the very test that Tabular makes
    if not bool(off.any()):
        return table, np.empty(0)
    wrong = ((totals - 1).abs() > FILE_TOLERANCE + 1e-9)[..., 0]
    if bool(wrong.any()):
        where = tuple(int(i) for i in wrong.nonzero()[0])
        row = ", ".join(f"{v.name}={v.states[i]}" for v, i in zip(entry.given, where, strict=True))
        flat = int(np.ravel_multi_index((*where, 0), entry.values.shape))
        raise fault(
            path,
            entry.line(flat),
            f"{entry.subject}: row ({row}) sums to {totals[where].item():.6g}, expected 1 within {FILE_TOLERANCE}.",
        )
    return torch.where(off, table / totals, table), totals[off].numpy()


def _no_cycle(path: Path, entries: Sequence[Entry]) -> None:
    import networkx as nx  # slow to import, and seldom needed

    graph = nx.DiGraph((parent.name, entry.child.name) for entry in entries for parent in entry.given)
    if nx.is_directed_acyclic_graph(graph):
        return
    loop = [tail for tail, _ in nx.find_cycle(graph)]
    entry = next(entry for entry in entries if entry.child.name in loop)
    first = loop.index(entry.child.name)
    loop = [*loop[first:], *loop[: first + 1]]
    raise fault(path, entry.line(None), f"{entry.subject}: cycle {' -> '.join(loop)}; the arrows must not loop.")


def tables(model: Model) -> list[tuple[tuple[Variable, ...], np.ndarray]]:
    """Scope and float64 numbers of every term, in the order of the terms; a conditional's child is last."""
    return [(term.scope, _table(term)) for term in model.terms if isinstance(term, Local)]


def _table(term: Local) -> np.ndarray:
    factor = term.factor()
    order = [factor.names.index(variable.name) for variable in term.scope]
    return factor.values.detach().permute(order).to("cpu", torch.float64).numpy()


def require_writable(model: Model, path: Path, kind: str, forbidden: str) -> None:
    """Raise a `FileError` unless a format for networks of named variables can hold this model.

    Args:
        model: what is to be written.
        path: where, for messages.
        kind: the name of the format.
        forbidden: characters that no name may hold there.
    """
    if model.potentials:
        raise FileError(
            f"{path}: {model.potentials[0]!r} is a potential, which {kind} can not express; write a .uai file instead."
        )
    without = [name for name in model.graph.names if name not in model.conditionals]
    if without:
        raise FileError(
            f"{path}: {without[0]!r} has no conditional, which {kind} requires; add one, or write a .uai file."
        )
    for text in (model.name, *(text for v in model.variables for text in (v.name, *v.states))):
        bad = next((letter for letter in text if letter in forbidden), None)
        if bad is not None:
            raise FileError(f"{path}: {kind} can not hold the character {bad!r} in {text!r}; rename it.")


def require_finite(model: Model, path: Path) -> None:
    """Raise a `FileError` that names the first variable without states, or term that is no table that fits a file."""
    for term in model.terms:
        for variable in term.scope:
            if not variable.finite:
                raise FileError(
                    f"{path}: {variable.name!r} in {term!r} is {variable.domain!r}, but files hold tables of finite "
                    "variables only; save its state_dict instead."
                )
        if not term.enumerable:
            raise FileError(f"{path}: {term!r} has no table, but files hold tables only; save its state_dict instead.")
        entries = math.prod(variable.size for variable in term.scope)
        if entries > NUMBERS_AT_MOST:
            raise FileError(
                f"{path}: {term!r} would be a table of 2^{math.log2(entries):.0f} numbers, expected at most "
                f"2^{math.log2(NUMBERS_AT_MOST):.0f}, for files hold tables only; save its state_dict instead."
            )


def digits(row: np.ndarray, between: str = " ") -> str:
    """Numbers with as many digits as it takes to read the same float64 back, at most 17.

    Example:
        >>> digits(np.array([0.1, 1 / 3]), ", ")
        '0.1, 0.3333333333333333'
    """
    return between.join(map(repr, row.tolist()))
