"""XMLBIF 0.3: a Bayesian network as XML. The numbers of a table run over the child fastest, then the last parent.

Reference: Cozman (1998), The interchange format for Bayesian networks: the XML version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from ..errors import FileError
from ..model import BayesianNetwork, Model
from ..variable import Variable
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
from .text import Source, fault

_FORBIDDEN = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]))
_KEPT = "xml:space"  # the standard way to say that spaces around a name belong to it


@dataclass(frozen=True)
class Element:
    """One element of the file: its tag in capitals, the line it begins on, and what is in it."""

    tag: str
    line: int
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        text = "".join(self.pieces)
        return text if self.attributes.get(_KEPT) == "preserve" else text.strip()

    def texts(self, *tags: str) -> list[str]:
        """The texts of the children with one of those tags."""
        return [child.text for child in self.children if child.tag in tags]


def read(path: Path, data: bytes) -> BayesianNetwork:
    """The network in the bytes of an XMLBIF file.

    Raises:
        FileError: with the line and name of what is wrong.

    Example:
        >>> text = b"<BIF><NETWORK><VARIABLE><NAME>c</NAME><OUTCOME>h</OUTCOME><OUTCOME>t</OUTCOME></VARIABLE>"
        >>> text += b"<DEFINITION><FOR>c</FOR><TABLE>.5 .5</TABLE></DEFINITION></NETWORK></BIF>"
        >>> read(Path("coin.xml"), text)
        BayesianNetwork(1 variables: c; 1 conditional)
    """
    root = _parse(path, data)
    net = next((child for child in root.children if child.tag == "NETWORK"), None)
    if root.tag != "BIF" or net is None:
        raise fault(path, root.line, f"found <{root.tag}>, expected <BIF> with a <NETWORK> in it.")
    known: dict[str, Variable] = {}
    for element in net.children:
        if element.tag == "VARIABLE":
            variable = _variable(path, element)
            add(path, element.line, known, variable.name, variable)
    entries = [_entry(path, known, each) for each in net.children if each.tag in ("DEFINITION", "PROBABILITY")]
    require_some(path, known)
    return network(path, next(iter(net.texts("NAME")), ""), known.values(), entries)


def _variable(path: Path, element: Element) -> Variable:
    name = _only(path, element, "NAME")
    kind = element.attributes.get("TYPE", "nature")
    if kind != "nature":
        raise fault(
            path, element.line, f"variable {name!r} has TYPE {kind!r}, expected 'nature'; decisions are not read."
        )
    return declare(path, element.line, name, element.texts("OUTCOME", "VALUE"))


def _entry(path: Path, known: dict[str, Variable], element: Element) -> Entry:
    child = lookup(path, element.line, known, _only(path, element, "FOR"))
    given = tuple(lookup(path, element.line, known, name) for name in element.texts("GIVEN"))
    subject = heading(child.name, [variable.name for variable in given])
    found = [each for each in element.children if each.tag == "TABLE"]
    if len(found) != 1:
        raise fault(path, element.line, f"{subject}: {len(found)} <TABLE> elements, expected one.")
    source = Source(path, "".join(found[0].pieces), found[0].line)
    return filled(source, child, given, element.line)


def _only(path: Path, element: Element, tag: str) -> str:
    texts = element.texts(tag)
    if len(texts) != 1:
        raise fault(path, element.line, f"<{element.tag}> has {len(texts)} <{tag}> elements, expected one.")
    return texts[0]


def _parse(path: Path, data: bytes) -> Element:
    """The root element. Declared entities are refused: they can grow a small file without bound."""
    parser = expat.ParserCreate()
    top = Element("", 1, {})
    stack = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag.upper(), parser.CurrentLineNumber, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def entity(name: str, *rest: object) -> None:
        raise fault(path, parser.CurrentLineNumber, f"entity {name!r}: entities are not read; write the text itself.")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: stack.pop() and None
    parser.CharacterDataHandler = lambda text: stack[-1].pieces.append(text)
    parser.EntityDeclHandler = entity
    parser.SkippedEntityHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        inside = f" in <{stack[-1].tag}>" if stack[-1] is not top else ""
        wrong = expat.ErrorString(error.code)
        raise fault(path, error.lineno, f"{wrong}{inside}; expected well-formed XML. Is the file cut off?") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise fault(path, 1, f"the XML can not be decoded ({error}); save the file as UTF-8.") from None
    return top.children[0]


def write(model: Model, path: Path) -> str:
    """The text of an XMLBIF file for a Bayesian network; conditionals are written as full tables.

    Raises:
        FileError: when the model has potentials, or a name holds a control character.
    """
    require_writable(model, path, "XMLBIF", _FORBIDDEN)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<BIF VERSION="0.3">', "<NETWORK>", _tag("NAME", model.name)]
    for variable in model.variables:
        lines += ['<VARIABLE TYPE="nature">', "  " + _tag("NAME", variable.name)]
        lines += ["  " + _tag("OUTCOME", state) for state in variable.states]
        lines.append("</VARIABLE>")
    for scope, values in tables(model):
        lines += _definition(scope, values)
    return "\n".join([*lines, "</NETWORK>", "</BIF>"]) + "\n"


def _definition(scope: Sequence[Variable], values: np.ndarray) -> list[str]:
    *given, child = scope
    rows = [f"    {digits(row)}" for row in values.reshape(-1, child.size)]
    head = ["<DEFINITION>", "  " + _tag("FOR", child.name), *("  " + _tag("GIVEN", v.name) for v in given)]
    return [*head, "  <TABLE>", *rows, "  </TABLE>", "</DEFINITION>"]


def _tag(tag: str, text: str) -> str:
    kept = f' {_KEPT}="preserve"' if text != text.strip() else ""
    escaped = re.sub(r"[&<>\r]", lambda found: f"&#{ord(found[0])};", text)
    return f"<{tag}{kept}>{escaped}</{tag}>"
