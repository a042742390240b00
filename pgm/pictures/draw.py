"""From a model to a picture of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ..errors import GraphError
from ..graph import Structured
from ..model import Model
from .nodes import Answer, Known, known, observed, variable_nodes
from .picture import Picture
from .sketch import NO_PLATES, Plates, Sketch
from .subject import Subject, folded, laid_out
from .views import directed, factor, junction, moral

View = Literal["directed", "moral", "factor", "junction"]


def plot(
    model: Structured,
    *,
    given: Any = None,
    posterior: Answer | Mapping[str, Any] | None = None,
    view: View = "directed",
    plates: Plates = NO_PLATES,
    copies: bool = False,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Picture:
    """A picture of a model's graph, with what is observed and what follows.

    Numeric variables are blue and say what their values are, functions of their parents have a double line, observed
    variables are shaded. A square on an arrow says that a neural net computes the child from its parents, an open one
    that the child has no density. A model with plates is drawn as it was written: each plate is a box. Steps in time,
    as in `z[0] -> z[1]`, go from left to right.

    Args:
        model: a model, a template, or a graph alone.
        given: the value of each observed variable, as in `infer`, one row; these are shaded. Of a variable in a plate
            the copies are named, and counted.
        posterior: answers of one row; shown as bars inside the variables, for numeric ones as mean ± standard
            deviation. Not shown in the junction view, nor for copies in a plate unless they are drawn.
        view: 'directed' (arrows to children, lines for potentials), 'moral' (lines; dashed where only a common child
            joins two variables), 'factor' (round variables, square factors) or 'junction' (cliques, what two share).
        plates: names of the variables inside each further box, keyed by the text on the box; not drawn in the junction
            view.
        copies: whether to draw the copies of what is in the model's plates instead of boxes; the junction view does.
        title: printed on top; by default the model's name.
        path: where to save the picture as well, ending in .svg, .png, .pdf, .dot or .gv.

    Raises:
        GraphError: on another view, an unknown variable, or plates that overlap.
        EvidenceError: on an unknown variable or state, or more than one row of evidence.
        ShapeError: when a posterior is not one probability a state, or not the moments of one row.
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
    heading = title if title is not None else model.name if isinstance(model, Model) else ""
    subject = laid_out(model) if copies or view == "junction" else folded(model)
    for plate, names in plates.items():
        subject.graph.require(names, f"plot: plate {plate!r}")
    seen, answers = observed(model.graph, given), known(model.graph, posterior)
    sketch = _sketch(replace(subject, plates={**subject.plates, **plates}), seen, answers, view)
    picture = Picture(sketch.dot(heading), view, len(sketch.nodes))
    if path is not None:
        picture.save(path)
    return picture


def _sketch(subject: Subject, seen: Mapping[str, str], answers: Mapping[str, Known], view: View) -> Sketch:
    match view:
        case "directed":
            return directed(subject, variable_nodes(subject, seen, answers))
        case "moral":
            return moral(subject.graph, variable_nodes(subject, seen, answers), subject.plates)
        case "factor":
            return factor(subject.graph, variable_nodes(subject, seen, answers), subject.plates)
        case "junction":
            return junction(subject.graph, seen)
        case _:
            raise GraphError(f"plot: view is {view!r}, expected 'directed', 'moral', 'factor' or 'junction'.")
