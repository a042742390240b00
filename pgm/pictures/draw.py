"""From a model to a picture of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from ..errors import GraphError
from ..graph import Graph
from ..model import Model
from .nodes import Answer, observed, variable_nodes
from .picture import Picture
from .sketch import NO_PLATES, Plates, Sketch
from .views import directed, factor, junction, moral

View = Literal["directed", "moral", "factor", "junction"]


def plot(
    model: Model | Graph,
    *,
    given: Any = None,
    posterior: Answer | Mapping[str, Tensor] | None = None,
    view: View = "directed",
    plates: Plates = NO_PLATES,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Picture:
    """A picture of a model's graph, with what is observed and what follows.

    Args:
        model: a model, or a graph alone.
        given: the state of each observed variable, as in `infer`, one row; these are shaded.
        posterior: answers of one row; shown as bars inside the variables. Not shown in the junction view.
        view: 'directed' (arrows to children, lines for potentials), 'moral' (lines; dashed where only a common child
            joins two variables), 'factor' (round variables, square factors) or 'junction' (cliques, what two share).
        plates: names of the variables inside each box, keyed by the text on the box; not drawn in the junction view.
        title: printed on top; by default the model's name.
        path: where to save the picture as well, ending in .svg, .png, .pdf, .dot or .gv.

    Raises:
        GraphError: on another view, an unknown variable, or plates that overlap.
        EvidenceError: on an unknown variable or state, or more than one row of evidence.
        ShapeError: when a posterior is not one probability a state.
        FileError: when the picture cannot be drawn or written.

    Example:
        >>> from pgm.conditionals import Tabular
        >>> from pgm.variable import Variable
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> model = Model(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> picture = plot(model, given={"wet": "yes"})
        >>> picture, '"rain" -> "wet"' in picture.dot
        (Picture(directed view, 2 nodes), True)
    """
    graph = model if isinstance(model, Graph) else model.graph
    heading = title if title is not None else "" if isinstance(model, Graph) else model.name
    for plate, names in plates.items():
        graph.require(names, f"plot: plate {plate!r}")
    sketch = _sketch(graph, given, posterior, view, plates)
    picture = Picture(sketch.dot(heading), view, len(sketch.nodes))
    if path is not None:
        picture.save(path)
    return picture


def _sketch(
    graph: Graph, given: Any, posterior: Answer | Mapping[str, Tensor] | None, view: View, plates: Plates
) -> Sketch:
    match view:
        case "directed":
            return directed(graph, variable_nodes(graph, given, posterior), plates)
        case "moral":
            return moral(graph, variable_nodes(graph, given, posterior), plates)
        case "factor":
            return factor(graph, variable_nodes(graph, given, posterior), plates)
        case "junction":
            return junction(graph, observed(graph, given))
        case _:
            raise GraphError(f"plot: view is {view!r}, expected 'directed', 'moral', 'factor' or 'junction'.")
