"""The graphs of a family side by side: what repeats in every row, and the parameters that all rows share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pgm.model import Model
from pgm.pictures.nodes import variable_nodes
from pgm.pictures.picture import Picture
from pgm.pictures.sketch import Sketch
from pgm.pictures.style import EVIDENCE, EVIDENCE_LINE, Attributes, attributes, html, small
from pgm.pictures.subject import folded
from pgm.pictures.views import directed

from ..pair import Pair
from .style import Where

LETTERS = "θφψω"  # of the parameters of each model


def graph(
    models: Pair | Mapping[str, Model],
    *,
    parameters: bool = False,
    title: str | None = None,
    path: Where | None = None,
) -> Picture:
    """The model and its guide side by side, each in a box, with a plate around what there is in every row.

    What is observed or given is shaded. Squares on arrows mark what a network computes, as in `pgm.plot`.

    Args:
        models: a pair, or models by name, such as those of a `Setup`.
        parameters: whether to draw the parameters of each conditional outside the plate, with how many numbers they
            are.
        title: on top.
        path: where to save the picture as well, ending in .svg, .png, .pdf, .dot or .gv.

    Raises:
        FileError: when the picture cannot be drawn or written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import vae
        >>> graph(vae(Variable("image", Binary(8, 8))), parameters=True)
        Picture(directed view, 6 nodes)

    Reference: Buntine (1994), Operations for learning with graphical models, for plates.
    """
    seen = {v.name for v in (*models.observed, *models.given)} if isinstance(models, Pair) else set[str]()
    named = models.modules if isinstance(models, Pair) else models
    nodes: dict[str, Attributes] = {}
    edges: list[tuple[str, str, Attributes]] = []
    plates: dict[str, list[str]] = {}
    for number, (name, model) in enumerate(named.items()):
        sketch = _sketch(model, name, seen)
        shared = list(_parameters(model, name, LETTERS[number % len(LETTERS)])) if parameters else []
        nodes |= {**sketch.nodes, **{key: look for key, _, look in shared}}
        edges += [*sketch.edges, *((key, child, attributes()) for key, child, _ in shared)]
        plates[name] = [*sketch.nodes, *(key for key, _, _ in shared)]
        plates["rows" + " " * number] = list(sketch.nodes)  # the text on a box is its key
        plates |= {text + " " * number: list(names) for text, names in sketch.plates.items()}
    picture = Picture(Sketch(nodes, tuple(edges), plates=plates).dot(title or ""), "directed", len(nodes))
    if path is not None:
        picture.save(path)
    return picture


def _sketch(model: Model, prefix: str, seen: Collection[str]) -> Sketch:
    """The directed view of a model, its nodes renamed so that those of another may lie beside them."""
    subject = folded(model)
    drawn = directed(subject, variable_nodes(subject))
    shaded = {"fillcolor": EVIDENCE, "color": EVIDENCE_LINE}
    nodes = {name: attributes(**{**look, **(shaded if name in seen else {})}) for name, look in drawn.nodes.items()}
    return Sketch(
        {f"{prefix}: {name}": look for name, look in nodes.items()},
        tuple((f"{prefix}: {a}", f"{prefix}: {b}", look) for a, b, look in drawn.edges),
        plates={text: [f"{prefix}: {name}" for name in names] for text, names in drawn.plates.items()},
    )


def _parameters(model: Model, prefix: str, letter: str) -> Iterator[tuple[str, str, Attributes]]:
    """Of each conditional that has parameters their node, the child's node, and how the former looks."""
    for name, conditional in folded(model).conditionals.items():
        count = sum(parameter.numel() for parameter in conditional.parameters())
        if count:
            label = f"{html(letter)}<BR/>{small(f'{count:,} numbers')}"
            yield f"{prefix}: {letter} of {name}", f"{prefix}: {name}", attributes(label=label, shape="plaintext")
