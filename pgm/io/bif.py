"""BIF, the Bayesian network interchange format, as the network repositories use it.

A `table` of a conditional given all at once lists the child slowest and the last parent fastest, as the format says;
where only the other order (child fastest) gives rows that sum to 1, that one is taken. Rows for single states of
the parents come as `(states) numbers;`, and `default numbers;` stands for the rows not listed.

Reference: Cozman (1996), The interchange format for Bayesian networks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..model import BayesianNetwork, Model
from ..variable import Variable, quoted
from .network import (
    FILE_TOLERANCE,
    Entry,
    add,
    declare,
    digits,
    heading,
    lookup,
    network,
    require_some,
    require_writable,
    shaped,
    tables,
)
from .text import (
    QUOTED,
    Source,
    convert,
    decode,
    glimpse,
    items,
    numbers,
    quote,
    quoted_always,
    skip_space,
    unquote,
    without_comments,
    words,
)

_TEXT = rf'(?:[^{{}}"]++|{QUOTED}|")*+'
_HEAD = re.compile(rf'((?:(?:discrete|continuous)\s+)?[A-Za-z]+)\b((?:[^{{}}"]++|{QUOTED})*+)\{{')
_BODY = re.compile(rf'(?:[^{{}}"]++|{QUOTED}|"|\{{{_TEXT}\}})*+\}}')
_TYPE = re.compile(rf'(?:^|;)\s*type\s+(\w+)\s*(?:\[\s*(\d+)\s*\]\s*\{{((?:[^{{}}"]++|{QUOTED})*+)\}})?')
_SCOPE = re.compile(rf'\s*\(((?:[^()"]++|{QUOTED})*+)\)\s*')
_BAR = re.compile(rf"{QUOTED}|\|")
_ROW = re.compile(rf'\s*(?:\(((?:[^()"]++|{QUOTED})*+)\)|(table|default|property)\b|(?=;))((?:[^;"]++|{QUOTED}|")*+);')


def read(path: Path, data: bytes) -> BayesianNetwork:
    """The network in the bytes of a BIF file.

    Raises:
        FileError: with the line and name of what is wrong.

    Example:
        >>> read(Path("coin.bif"), b"variable c { type discrete [2] { h, t }; } probability (c) { table .5, .5; }")
        BayesianNetwork(1 variables: c; 1 conditional)
    """
    source = without_comments(decode(path, data))
    name, known, entries = "", dict[str, Variable](), list[Entry]()
    for keyword, head, place, start, stop in blocks(source, ("network", "variable", "probability")):
        line = source.line(place)
        if keyword == "network":
            name = "" if head == "unknown" else unquote(head)
        elif keyword == "variable":
            variable = declare(path, line, unquote(head), _states(source, unquote(head), start, stop))
            add(path, line, known, variable.name, variable)
        else:
            entries.append(_entry(source, known, head, place, (start, stop)))
    require_some(path, known)
    return network(path, name, known.values(), entries)


def blocks(
    source: Source, keywords: Sequence[str], unread: Sequence[str] = ()
) -> Iterator[tuple[str, str, int, int, int]]:
    """The blocks `keyword head { body }` of a file: keyword, head, their place, and where the body starts and stops.

    Args:
        source: the text, without comments.
        keywords: those that are expected, as messages list them.
        unread: those that are yielded too, for the caller to refuse.

    Raises:
        FileError: at text that begins no block, and at a block that is never closed.
    """
    place = skip_space(source.text, 0)
    while place < len(source.text):
        head = _HEAD.match(source.text, place)
        keyword = " ".join(head[1].split()) if head else ""
        if head is None or keyword not in (*keywords, *unread):
            shown = glimpse(source.text[place : place + 80])
            raise source.error(place, f"found {shown!r}, expected one of {quoted(keywords)} and a block in braces.")
        body = _BODY.match(source.text, head.end())
        if body is None:
            shown = glimpse(f"{keyword} {head[2].strip()}")
            raise source.error(head.start(1), f"{shown}: the block is never closed with '}}'; is the file cut off?")
        yield keyword, head[2].strip(), place, head.end(), body.end() - 1
        place = skip_space(source.text, body.end())


def _states(source: Source, name: str, start: int, stop: int) -> list[str]:
    found = _TYPE.search(source.text[start:stop])
    if found is None or found[1] != "discrete" or found[3] is None:
        raise source.error(start, f"variable {name!r}: expected 'type discrete [ n ] {{ states }};'.")
    size, text = int(found[2]), found[3]
    states = items(text)
    if len(states) != size:  # older files separate the states by spaces
        states = words(text)
    if len(states) != size:
        raise source.error(
            start + found.start(1), f"variable {name!r}: {len(states)} states are listed, but [ {size} ] are announced."
        )
    return states


def _entry(source: Source, known: dict[str, Variable], head: str, place: int, body: tuple[int, int]) -> Entry:
    child, *given = [
        lookup(source.path, source.line(place), known, name) for name in _scope(source, known, head, place)
    ]
    places, values = _rows(source, child, given, *body)

    def line(flat: int | None) -> int:
        return source.line(place if flat is None else places[flat // child.size])

    return Entry(child, tuple(given), values, line)


def _scope(source: Source, known: dict[str, Variable], head: str, start: int) -> list[str]:
    """Child first, then the parents; bars and commas separate, or just spaces."""
    scope = _SCOPE.fullmatch(head)
    if scope is None or not scope[1].strip():
        raise source.error(start, f"{glimpse(f'probability {head}')}: expected 'probability ( child | parents )'.")
    text = _BAR.sub(lambda bar: "," if bar[0] == "|" else bar[0], scope[1])
    names = items(text)
    return names if all(name in known for name in names) else _spaced(known, text, names)


def _spaced(known: dict[str, Variable], text: str, names: list[str]) -> list[str]:
    spaced = words(text)
    return spaced if all(name in known for name in spaced) else names


def _rows(
    source: Source, child: Variable, given: list[Variable], start: int, stop: int
) -> tuple[list[int], np.ndarray]:
    """The place of each row, and the numbers in the shape `[*given, child]`."""
    subject = heading(child.name, [v.name for v in given])
    shape = [v.size for v in given]
    places, spans, default = dict[int, int](), list[tuple[int, int]](), None
    for labels, keyword, place, end in _statements(source, subject, start, stop):
        if keyword == "table":
            whole = numbers(source, place, end, subject)
            values = shaped(source.path, source.line(place), (*given, child), subject, whole)
            return [place] * math.prod(shape), _oriented(values)
        if keyword == "default":
            default = _converted(source, [(place, end)], child.size, subject)
        if keyword is not None:
            continue
        row = _row_number(source, given, labels, place, subject)
        if row in places:
            first = source.line(places[row])
            raise source.error(place, f"{subject}: row ({glimpse(labels)}) is given twice, first on line {first}.")
        places[row] = place
        spans.append((place, end))
    count = math.prod(shape)
    if default is None and len(places) < count:
        raise _missing(source, given, places, start, subject)
    rows = np.empty((count, child.size)) if default is None else np.repeat(default, count, axis=0)
    rows[list(places)] = _converted(source, spans, child.size, subject)
    return [places.get(row, start) for row in range(count)], rows.reshape([*shape, child.size])


def _missing(source: Source, given: list[Variable], places: Mapping[int, int], start: int, subject: str) -> FileError:
    sizes = [v.size for v in given]
    first = next(row for row in range(len(places) + 1) if row not in places)
    where = np.unravel_index(first, sizes) if given else ()
    row = ", ".join(v.states[int(i)] for v, i in zip(given, where, strict=True))
    count = math.prod(sizes)
    return source.error(start, f"{subject}: {count - len(places)} of {count} rows are missing, the first is ({row}).")


def _converted(source: Source, spans: Sequence[tuple[int, int]], size: int, subject: str) -> np.ndarray:
    """The rows of numbers at those stretches of text, shape `[len(spans), size]`, in bulk where all is well."""
    text = source.text
    if all(text.count(",", start, stop) == size - 1 for start, stop in spans):
        joined = " ".join([text[start:stop] for start, stop in spans])
        found = convert(joined)
        if found is not None and found.size == len(spans) * size:
            return found.reshape(-1, size)
    rows = [numbers(source, start, stop, subject) for start, stop in spans]
    for (start, _), row in zip(spans, rows, strict=True):
        if row.size != size:
            raise source.error(start, f"{subject}: the row has {row.size} numbers, expected {size}.")
    return np.array(rows).reshape(-1, size)


def _statements(source: Source, subject: str, start: int, stop: int) -> Iterator[tuple[str, str | None, int, int]]:
    """Labels, keyword, and where the numbers start and stop, for every statement of a body."""
    place = start
    while (found := _ROW.match(source.text, place, stop)) is not None:
        place = found.end()
        if found[1] is not None or found[2] is not None:
            yield found[1] or "", found[2], found.start(3), found.end(3)
    rest = source.text[place:stop]
    if rest.strip():
        shown = glimpse(rest)
        begin = place + len(rest) - len(rest.lstrip())
        raise source.error(
            begin, f"{subject}: found {shown!r}, expected 'table', 'default' or '(states)', numbers and ';'."
        )


def _row_number(source: Source, given: list[Variable], labels: str, place: int, subject: str) -> int:
    names = items(labels)
    if len(names) != len(given):  # older files separate the states by spaces
        names = words(labels)
    if len(names) != len(given):
        raise source.error(
            place, f"{subject}: row ({glimpse(labels)}) names {len(names)} states, expected {len(given)}."
        )
    row = 0
    for variable, name in zip(given, names, strict=True):
        number = variable.numbers.get(name)
        if number is None:
            raise source.error(
                place,
                f"{subject}: {name!r} is no state of {variable.name!r}; its states are {quoted(variable.states)}.",
            )
        row = row * variable.size + number
    return row


def _oriented(values: np.ndarray) -> np.ndarray:
    """The numbers of a whole table, in file order, with the child last."""
    spec = np.moveaxis(values.reshape(values.shape[-1:] + values.shape[:-1]), 0, -1)
    fits = np.abs(spec.sum(-1) - 1).max() <= FILE_TOLERANCE
    return spec if fits or np.abs(values.sum(-1) - 1).max() > FILE_TOLERANCE else values


def write(model: Model, path: Path) -> str:
    """The text of a BIF file for a Bayesian network; conditionals are written as full tables.

    Raises:
        FileError: when the model has potentials, or a name holds a line break.
    """
    require_writable(model, path, "BIF", "\n")
    title = quoted_always(model.name) if model.name else "unknown"
    parts = [f"network {title} {{\n}}"]
    for v in model.variables:
        parts.append(f"variable {quote(v.name)} {{\n  type discrete [ {v.size} ] {{ {_list(v.states)} }};\n}}")
    parts += [_probability(scope, values) for scope, values in tables(model)]
    return "\n".join(parts) + "\n"


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(quote, names))


def _probability(scope: Sequence[Variable], values: np.ndarray) -> str:
    *given, child = scope
    if not given:
        return f"probability ( {quote(child.name)} ) {{\n  table {digits(values, ', ')};\n}}"
    lines = [f"probability ( {quote(child.name)} | {_list([v.name for v in given])} ) {{"]
    for where in np.ndindex(values.shape[:-1]):
        labels = _list([v.states[i] for v, i in zip(given, where, strict=True)])
        lines.append(f"  ({labels}) {digits(values[where], ', ')};")
    return "\n".join([*lines, "}"])
