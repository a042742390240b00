"""UAI, the format of the inference competitions: numbers only, no names. BAYES lists conditionals, MARKOV potentials.

The last variable of a scope runs fastest; in a BAYES file it is the child. Beware of files from pyAgrum (3.3 at least):
it may write the numbers of a table in another order than the scope says, always so for two or more parents.

Reference: Gogate (2014), UAI inference competition, file formats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..model import MarkovNetwork, Model
from ..potentials import Table
from ..variable import Variable
from .network import Entry, digits, network, tables
from .text import Source, decode, first_bad, parse, place_of_token, skip_space, without_comments

LARGEST = 2**31  # of the whole numbers: more variables, states or entries than this are a damaged file

MOST_STATES = 2**20  # of one variable: each gets a label


@dataclass(frozen=True)
class Tokens:
    """All numbers after the first word of a file, converted in bulk, with the line of each.

    Args:
        source: the text, without comments.
        start: the place where the numbers begin.
        values: all of them.
    """

    source: Source
    start: int
    values: np.ndarray

    def error(self, index: int, message: str) -> FileError:
        """What is wrong with the number of that index."""
        return self.source.error(place_of_token(self.source, self.start, len(self.source.text), index), message)

    def integers(self, index: int, count: int, what: str) -> list[int]:
        """So many whole numbers from there on."""
        found = self.floats(index, count, what)
        broken = np.flatnonzero((found != np.floor(found)) | (found > LARGEST))
        if broken.size:
            raise self.error(
                index + int(broken[0]), f"{what}: {found[broken[0]]:g} is not a whole number up to {LARGEST}."
            )
        return found.astype(np.int64).tolist()

    def floats(self, index: int, count: int, what: str) -> np.ndarray:
        """So many numbers from there on."""
        found = self.values[index : index + count]
        if len(found) < count:
            raise self.error(
                index + count, f"{what}: expected {count} numbers, found {len(found)}; is the file cut off?"
            )
        bad = np.flatnonzero(~((found >= 0) & (found < np.inf)))
        if bad.size:
            raise self.error(index + int(bad[0]), f"{what}: {found[bad[0]]:g} is not a finite number from 0 up.")
        return found


@dataclass(frozen=True)
class Function:
    """One function of a file: its scope, its numbers, and the line of each number, or of the scope for None."""

    scope: tuple[Variable, ...]
    values: np.ndarray
    line: Callable[[int | None], int]


def tokens(source: Source, start: int, subject: str) -> Tokens:
    """The numbers from a place to the end of a file."""
    found = parse(source.text[start:])
    if found is None:
        raise first_bad(source, start, len(source.text), subject)
    return Tokens(source, start, found)


def read(path: Path, data: bytes) -> Model:
    """The model in the bytes of a UAI file: BAYES gives a `BayesianNetwork`, MARKOV a `MarkovNetwork`.

    A function without variables is a constant: kept as a potential, save that 1 in a BAYES file is left out.

    Raises:
        FileError: with the line and number of what is wrong.

    Example:
        >>> read(Path("pair.uai"), b"MARKOV 2  2 2  1  2 0 1  4  30 5 1 10")
        MarkovNetwork(2 variables: x0, x1; 1 potential)
    """
    source = without_comments(decode(path, data), "#")
    kind = next(iter(source.text.split(maxsplit=1)), "").upper()
    if kind not in ("BAYES", "MARKOV"):
        raise source.error(0, f"found {kind[:40]!r}, expected 'BAYES' or 'MARKOV' as the first word.")
    every = tokens(source, skip_space(source.text, 0) + len(kind), kind)
    variables, scopes, index = _preamble(every)
    functions = _functions(every, variables, scopes, index)
    if kind == "MARKOV":
        return MarkovNetwork(*(Table(f.scope, f.values) for f in functions), variables=variables)
    net = network(
        path, "", variables, [Entry(f.scope[-1], f.scope[:-1], f.values, f.line) for f in functions if f.scope]
    )
    constants = [Table([], f.values) for f in functions if not f.scope and f.values != 1]
    return Model(*net.terms, *constants, variables=variables) if constants else net


def _preamble(every: Tokens) -> tuple[list[Variable], list[tuple[int, list[int]]], int]:
    """The variables, the scopes with the index where each begins, and the index of the first number after them."""
    (count,) = every.integers(0, 1, "the number of variables")
    sizes = every.integers(1, count, "the numbers of states")
    for number, size in enumerate(sizes):
        if not 0 < size <= MOST_STATES:
            raise every.error(1 + number, f"x{number} has {size} states, expected 1 to {MOST_STATES}.")
    (terms,) = every.integers(1 + count, 1, "the number of functions")
    index = 2 + count
    scopes: list[tuple[int, list[int]]] = []
    for term in range(terms):
        (width,) = every.integers(index, 1, f"function {term}: its number of variables")
        scope = every.integers(index + 1, width, f"function {term}: its variables")
        if any(number >= count for number in scope):
            raise every.error(index, f"function {term}: names variable {max(scope)}, but the last is {count - 1}.")
        if len(set(scope)) < len(scope):
            raise every.error(index, f"function {term}: names a variable twice; list each once.")
        scopes.append((index, scope))
        index += 1 + width
    return [Variable(f"x{number}", size) for number, size in enumerate(sizes)], scopes, index


def _functions(
    every: Tokens, variables: list[Variable], scopes: list[tuple[int, list[int]]], index: int
) -> list[Function]:
    found: list[Function] = []
    for term, (head, places) in enumerate(scopes):
        scope = [variables[place] for place in places]
        shape = [variable.size for variable in scope]
        expected = math.prod(shape)
        (size,) = every.integers(index, 1, f"function {term}: the size of its table")
        if size != expected:
            names = ", ".join(variable.name for variable in scope)
            raise every.error(
                index, f"function {term}: its table has {size} numbers, expected {expected} for ({names})."
            )
        values = every.floats(index + 1, size, f"function {term}: its table")
        found.append(Function(tuple(scope), values.reshape(shape), _lines(every, head, index + 1)))
        index += 1 + size
    if index < len(every.values):
        raise every.error(index, f"{len(every.values) - index} numbers are left after the last table; expected none.")
    return found


def _lines(every: Tokens, head: int, start: int) -> Callable[[int | None], int]:
    """The line of a number of a table, or of its scope for None; worked out only when something is wrong."""

    def line(flat: int | None) -> int:
        index = head if flat is None else start + flat
        return every.source.line(place_of_token(every.source, every.start, len(every.source.text), index))

    return line


def write(model: Model, path: Path) -> str:
    """The text of a UAI file: BAYES for a network of conditionals only, else MARKOV. Names are lost."""
    place = {name: number for number, name in enumerate(model.graph.names)}
    directed = not model.potentials and len(model.conditionals) == len(model.variables)
    functions = tables(model)
    sizes = " ".join(str(variable.size) for variable in model.variables)
    lines = ["BAYES" if directed else "MARKOV", str(len(model.variables)), sizes, str(len(functions))]
    lines += [" ".join(map(str, [len(scope), *(place[v.name] for v in scope)])) for scope, _ in functions]
    for scope, values in functions:
        rows = values.reshape(-1, scope[-1].size if scope else 1)
        lines += ["", str(values.size), *(f" {digits(row)}" for row in rows)]
    return "\n".join(lines) + "\n"
