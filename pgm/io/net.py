"""Hugin NET: a Bayesian network as `net`, `node` and `potential` blocks.

A node's name must be an identifier there; other names are written as an identifier and kept in the attribute
`pgm_name`, which other programs ignore. Data run over the child fastest, then the last parent.

Reference: Hugin Expert (2023), Hugin API reference manual, the NET language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..model import BayesianNetwork, Model
from ..variable import Variable
from .bif import blocks
from .network import (
    Entry,
    add,
    declare,
    digits,
    filled,
    heading,
    lookup,
    network,
    require_some,
    require_writable,
    tables,
)
from .text import (
    QUOTED,
    Source,
    decode,
    glimpse,
    quoted_always,
    unquote,
    without_comments,
    words,
)

_KEYWORDS = ("net", "node", "discrete node", "potential")
_UNREAD = ("class", "continuous node", "decision", "discrete decision", "utility", "function", "discrete function")
_ATTRIBUTE = re.compile(rf'\s*(\w+)\s*=\s*((?:[^;"]++|{QUOTED})*+);')
_SCOPE = re.compile(rf'\s*\(((?:[^()"]++|{QUOTED})*+)\)\s*')
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARENTHESES = str.maketrans("()", "  ")


def read(path: Path, data: bytes) -> BayesianNetwork:
    """The network in the bytes of a Hugin NET file.

    Raises:
        FileError: with the line and name of what is wrong.

    Example:
        >>> read(Path("coin.net"), b'net {} node c { states = ("h" "t"); } potential (c) { data = (.5 .5); }')
        BayesianNetwork(1 variables: c; 1 conditional)
    """
    source = without_comments(decode(path, data), "%")
    name, known, entries = "", dict[str, Variable](), list[Entry]()
    for keyword, head, place, start, stop in blocks(source, _KEYWORDS, _UNREAD):
        subject = glimpse(f"{keyword} {head}")
        if keyword in _UNREAD:
            raise source.error(
                place, f"{subject}: only nets of discrete chance nodes are read; remove it, or export one."
            )
        attributes = _attributes(source, subject, start, stop)
        if keyword == "net":
            name = unquote(_text(source, attributes, "name", '""'))
        elif keyword == "potential":
            entries.append(_entry(source, known, head, place, attributes))
        else:
            key, line = unquote(head), source.line(place)
            add(path, line, known, key, _variable(source, key, place, attributes))
    require_some(path, known)
    return network(path, name, known.values(), entries)


def _attributes(source: Source, subject: str, start: int, stop: int) -> dict[str, tuple[int, int]]:
    """Where the value of each `key = value;` of a body starts and stops."""
    found: dict[str, tuple[int, int]] = {}
    place = start
    while (match := _ATTRIBUTE.match(source.text, place, stop)) is not None:
        found[match[1]] = match.span(2)
        place = match.end()
    rest = source.text[place:stop]
    if rest.strip():
        shown = glimpse(rest)
        begin = place + len(rest) - len(rest.lstrip())
        raise source.error(begin, f"{subject}: found {shown!r}, expected 'name = value;'.")
    return found


def _text(source: Source, attributes: dict[str, tuple[int, int]], key: str, default: str) -> str:
    if key not in attributes:
        return default
    start, stop = attributes[key]
    return source.text[start:stop]


def _variable(source: Source, key: str, place: int, attributes: dict[str, tuple[int, int]]) -> Variable:
    if "states" not in attributes:
        raise source.error(place, f"node {glimpse(key)}: has no 'states', expected 'states = (\"a\" \"b\");'.")
    name = unquote(_text(source, attributes, "pgm_name", key))
    states = words(re.sub(rf"{QUOTED}|[()]", _spaced, _text(source, attributes, "states", "")))
    return declare(source.path, source.line(place), name, states)


def _spaced(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "


def _entry(
    source: Source, known: dict[str, Variable], head: str, place: int, attributes: dict[str, tuple[int, int]]
) -> Entry:
    scope = _SCOPE.fullmatch(head)
    bar = re.split(rf"((?:[^|\"]++|{QUOTED})*+)\|", scope[1], maxsplit=1) if scope else []
    first, rest = (bar[1], bar[2]) if len(bar) == 3 else (bar[0] if bar else "", "")
    if len(words(first)) != 1:
        raise source.error(
            place, f"{glimpse(f'potential {head}')}: expected 'potential ( child | parents )' with one child."
        )
    line = source.line(place)
    child, *given = [lookup(source.path, line, known, name) for name in words(first) + words(rest)]
    subject = heading(child.name, [variable.name for variable in given])
    if "data" not in attributes:
        raise source.error(place, f"{subject}: has no 'data', expected 'data = ( numbers );'.")
    begin, end = attributes["data"]
    data = Source(source.path, source.text[begin:end].translate(_PARENTHESES), source.line(begin))
    return filled(data, child, given, line)


def write(model: Model, path: Path) -> str:
    """The text of a NET file for a Bayesian network; conditionals are written as full tables.

    Raises:
        FileError: when the model has potentials, or a name holds a line break.
    """
    require_writable(model, path, "NET", "\n")
    keys = _keys(model.graph.names)
    parts = [f"net\n{{\n  name = {quoted_always(model.name)};\n}}" if model.name else "net\n{\n}"]
    for v in model.variables:
        parts.append(
            f"node {keys[v.name]}\n{{\n  states = ({' '.join(map(quoted_always, v.states))});{_kept(v, keys)}\n}}"
        )
    parts += [_potential(scope, values, keys) for scope, values in tables(model)]
    return "\n".join(parts) + "\n"


def _keys(names: Sequence[str]) -> dict[str, str]:
    """An identifier for each name: itself where it is one, else a new one."""
    keys = {name: name for name in names if _IDENTIFIER.fullmatch(name)}
    for number, name in enumerate(names):
        if name not in keys:
            key = f"n{number}_" + re.sub(r"[^A-Za-z0-9_]", "_", name)
            while key in keys.values():
                key += "_"
            keys[name] = key
    return keys


def _kept(variable: Variable, keys: dict[str, str]) -> str:
    return "" if keys[variable.name] == variable.name else f"\n  pgm_name = {quoted_always(variable.name)};"


def _potential(scope: Sequence[Variable], values: np.ndarray, keys: dict[str, str]) -> str:
    *given, child = (keys[variable.name] for variable in scope)
    bar = f" | {' '.join(given)}" if given else ""
    return f"potential ({child}{bar})\n{{\n  data = {_nested(values)};\n}}"


def _nested(values: np.ndarray) -> str:
    """The numbers in one pair of parentheses an axis, one row a line."""
    if values.ndim == 1:
        return f"({digits(values)})"
    between = "\n" + " " * 10
    return "(" + between.join(_nested(part) for part in values) + ")"
