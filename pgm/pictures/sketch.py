"""A sketch: nodes, edges and boxes, and the DOT text that says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..errors import GraphError
from .style import FONT, INK, LINE, PAPER, QUIET, Attributes, bold, html

Engine = Literal["dot", "neato", "sfdp"]
GAP = '<BR/><FONT POINT-SIZE="6"> </FONT>'  # between the title and the drawing
LARGE = 150  # nodes; above it the layers of a network grow too wide to read
Plates = Mapping[str, Sequence[str]]
NO_PLATES: Plates = MappingProxyType({})


@dataclass(frozen=True)
class Sketch:
    """What a picture shows, before it is laid out.

    Args:
        nodes: attributes keyed by node.
        edges: tail, head and attributes.
        arrows: whether edges end in arrowheads unless they say otherwise.
        engine: the layout: layers ('dot') or springs ('neato', and 'sfdp' for many nodes).
        plates: the nodes inside each box, keyed by the text on the box.
        ranks: nodes that stand above each other, one group beside the next.
    """

    nodes: Mapping[str, Attributes]
    edges: tuple[tuple[str, str, Attributes], ...]
    arrows: bool = True
    engine: Engine = "dot"
    plates: Plates = field(default_factory=dict)
    ranks: tuple[tuple[str, ...], ...] = ()

    @property
    def large(self) -> bool:
        """Whether there are so many nodes that they are drawn with thinner lines and smaller gaps."""
        return len(self.nodes) > LARGE

    def dot(self, title: str = "") -> str:
        """The sketch in the DOT language."""
        lines = [*_frame(self, title), *_boxes(self.plates)]
        lines += [f"  {quote(name)}{_listed(values)};" for name, values in self.nodes.items()]
        link = "->" if self.arrows else "--"
        lines += [f"  {{rank=same; {'; '.join(map(quote, names))}}}" for names in self.ranks]
        lines += [f"  {quote(a)} {link} {quote(b)}{_listed(values)};" for a, b, values in self.edges]
        return f"{'digraph' if self.arrows else 'graph'} {{\n" + "\n".join(lines) + "\n}\n"


def quote(text: str) -> str:
    r"""The text as a quoted DOT string; different texts stay different, what cannot be printed is written as a number.

    Example:
        >>> print(quote('say "hi"'), quote("back\\"))
        "say \"hi\"" "back\\"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _listed(values: Mapping[str, str]) -> str:
    pairs = [f"{key}={f'<{value}>' if key == 'label' else quote(value)}" for key, value in values.items()]
    return f" [{', '.join(pairs)}]" if pairs else ""


def _frame(sketch: Sketch, title: str) -> Iterator[str]:
    """What holds for all nodes and edges, and how the layout is searched."""
    graph = {"layout": sketch.engine, "bgcolor": PAPER, "fontname": FONT, "fontcolor": INK, "pad": "0.2"}
    graph |= {"outputorder": "edgesfirst"} | _spacing(sketch)
    heading = {"label": bold(html(title, 80)) + GAP, "labelloc": "t", "fontsize": "14"} if title else {}
    node = {"fontname": FONT, "fontsize": "11", "fontcolor": INK, "color": LINE, "penwidth": "1"}
    edge = {"color": LINE, "penwidth": "0.7" if sketch.large else "1", "arrowsize": "0.7"}
    for kind, values in (("graph", graph | heading), ("node", node), ("edge", edge)):
        yield f"  {kind}{_listed(values)};"


def _spacing(sketch: Sketch) -> dict[str, str]:
    if sketch.engine == "dot":  # many wide names stack better from left to right
        return {"ranksep": "0.45", "nslimit": "2", "rankdir": "LR" if sketch.large or sketch.ranks else "TB"}
    if sketch.engine == "neato":
        return {"overlap": "prism", "splines": "true", "sep": "+8", "normalize": "true"}
    # A spread-out start and few passes against overlaps, coarse forces and straight lines: seconds for 2,000 nodes.
    spread = f"{0.75 * len(sketch.nodes) ** 0.5:.1f}"
    return {"overlap": "prism5", "overlap_scaling": spread, "quadtree": "fast", "splines": "line", "sep": "+4"}


def nested(plates: Plates) -> dict[str, str | None]:
    """For each plate the smallest other plate around it, or None; larger plates come first.

    Raises:
        GraphError: when two plates overlap and neither holds the other.

    Example:
        >>> nested({"words": ["w"], "documents": ["w", "z"]})
        {'documents': None, 'words': 'documents'}
    """
    members = {plate: frozenset(names) for plate, names in plates.items()}
    order = sorted(members, key=lambda plate: -len(members[plate]))
    outer: dict[str, str | None] = {}
    for place, plate in enumerate(order):
        touching = [other for other in order[:place] if members[other] & members[plate]]
        for other in touching:
            if not members[plate] <= members[other]:
                shared = sorted(members[plate] & members[other])[0]
                raise GraphError(
                    f"plot: plates {other!r} and {plate!r} share {shared!r} and neither holds the other; "
                    "let one hold all of the other, or leave one out."
                )
        outer[plate] = touching[-1] if touching else None
    return outer


def _boxes(plates: Plates) -> Iterable[str]:
    """One cluster a plate, inner plates inside outer ones."""
    outer = nested(plates)
    numbers = {plate: number for number, plate in enumerate(outer)}

    def box(plate: str, indent: str) -> Iterator[str]:
        style = {"style": "rounded", "color": QUIET, "fontcolor": QUIET, "fontsize": "10", "labelloc": "b"}
        label = {"label": html(plate), "labeljust": "r", "margin": "10"}
        yield f"{indent}subgraph cluster_{numbers[plate]} {{"
        yield f"{indent}  graph{_listed(style | label)};"
        for inner in (each for each, around in outer.items() if around == plate):
            yield from box(inner, indent + "  ")
        yield from (f"{indent}  {quote(name)};" for name in plates[plate])
        yield f"{indent}}}"

    for plate in (each for each, around in outer.items() if around is None):
        yield from box(plate, "  ")
