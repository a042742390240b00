"""How pictures look: colours that stay apart for colour-blind eyes and in grey, one font, and short labels."""

from __future__ import annotations

from html import escape
from types import MappingProxyType

INK = "#1f2933"  # text
LINE = "#64748b"  # arrows and outlines
PAPER = "#ffffff"
NODE = "#f1f5f9"  # variables that are not observed
NUMERIC = "#dcebf5"  # those that have numbers instead of states
EVIDENCE, EVIDENCE_LINE = "#fbdfaf", "#9a5b00"  # observed variables
BAR, TRACK = "#4477aa", "#e2e8f0"  # the filled and the empty part of a bar
BAR_LIGHT = "#a9c3de"  # two standard deviations around a mean
FACTOR = "#334155"
MARRIED = "#aa3377"  # edges that the moral graph adds
QUIET = "#52606d"  # plates, small print

FONT = "Helvetica"
NAME_LENGTH, STATE_LENGTH = 28, 18  # characters; what is longer ends in an ellipsis

Attributes = MappingProxyType[str, str]


def attributes(**values: str) -> Attributes:
    """DOT attributes of a node or an edge; `label` holds HTML-like text, all others plain text."""
    return MappingProxyType(values)


def short(text: str, length: int) -> str:
    """The text on one line, with an ellipsis in place of the middle when it is longer than `length` characters.

    Example:
        >>> short("a rather long state 17", 12)
        'a rathe…e 17'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    tail = length // 3
    return line if len(line) <= length else f"{line[: length - tail - 1].rstrip()}…{line[len(line) - tail :]}"


def html(text: str, length: int = NAME_LENGTH) -> str:
    """The shortened text with the characters that mark up HTML-like labels escaped.

    Example:
        >>> html("a < b & c")
        'a &lt; b &amp; c'
    """
    return escape(short(text, length))


def bold(text: str) -> str:
    """Escaped text in bold."""
    return f"<B>{text}</B>"


def small(text: str, colour: str = QUIET) -> str:
    """Escaped text as small print."""
    return f'<FONT POINT-SIZE="9" COLOR="{colour}">{text}</FONT>'
