"""Training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from pgm.errors import GraphError

from ..training.history import History
from .style import TEXT, Where, charts, colours, headed, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

TIME = ("turn", "epoch", "seconds")
COLUMNS = 3  # of charts
WIDE = 5.0  # the largest number by the smallest, from where on a scale is logarithmic
FEW = 12  # measurements, up to which each is a dot
LINE = 0.075  # of a chart's height: between the labels of two lines


def curves(history: History, *names: str, path: Where | None = None) -> Figure:
    """What was measured while a model learned, against passes over the data.

    Figures of one term share a chart, whoever measured them: `elbo.loss` and `held-out elbo.loss` are lines of the
    chart "loss". A chart is logarithmic where all its numbers are positive and the largest is 5 times the smallest.

    Args:
        history: what `fit` returned, or `read_history`.
        names: of figures; all by default.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        GraphError: when there is no such figure.
        FileError: when the picture cannot be written.

    Example:
        >>> history = History([{"turn": 10, "elbo.loss": 2.0}, {"turn": 20, "elbo.loss": 1.5}])
        >>> figure = curves(history, "elbo.loss")
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [2.0, 1.5]
    """
    chosen = names or tuple(name for name in history.names if name not in TIME)
    if not chosen:
        raise GraphError("curves: the history has no figures yet, expected one row or more.")
    for name in chosen:
        history[name]
    terms: dict[str, list[str]] = {}
    for name in chosen:
        terms.setdefault(name.rpartition(".")[2], []).append(name)
    columns = min(COLUMNS, len(terms))
    rows = ceil(len(terms) / columns)
    figure, charted = charts(rows, columns, 440, 300)
    for axes, (term, members) in zip(charted, terms.items(), strict=False):
        _chart(axes, history, members)
        headed(axes, term)
    for axes in charted[len(terms) :]:
        axes.remove()
    return saved(figure, path)


def _chart(axes: Axes, history: History, names: Sequence[str]) -> None:
    """One chart of several figures, each with its name at the end of its line."""
    time, unit = _time(history)
    lines = {}
    for name, colour in zip(names, colours(len(names)), strict=True):
        rows = [row for row in history if name in row]
        x, y = [time[row["turn"]] for row in rows], [row[name] for row in rows]
        (lines[name],) = axes.plot(x, y, color=colour, lw=1.3, marker="o" if len(rows) <= FEW else "", ms=3)
    values = [row[name] for row in history for name in names if name in row]
    if min(values) > 0 and max(values) / min(values) > WIDE:
        _logarithmic(axes)
    axes.set_xlabel(unit)
    axes.margins(x=0.01)
    if len(names) > 1:
        labelled(axes, lines)


def _time(history: History) -> tuple[Mapping[float, float], str]:
    """Where each turn lies on the axis: at its epoch, where rows say how many epochs a turn is."""
    epochs = [row["epoch"] / row["turn"] for row in history if "epoch" in row and row["turn"]]
    turns = [row["turn"] for row in history]
    return (
        ({turn: turn * epochs[-1] for turn in turns}, "epoch") if epochs else ({turn: turn for turn in turns}, "turn")
    )


def _logarithmic(axes: Axes) -> None:
    """A logarithmic scale with plain numbers."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()


def labelled(axes: Axes, lines: Mapping[str, Line2D]) -> None:
    """The name of each line right of its end, where names would meet a little higher or lower."""
    to_axes = (axes.transData + axes.transAxes.inverted()).transform
    axes.autoscale_view()
    ends = {name: float(to_axes(np.asarray(line.get_xydata())[-1])[1]) for name, line in lines.items()}
    place = -1.0
    for name in sorted(ends, key=ends.__getitem__):
        place = max(place + LINE, ends[name])
        label = name.rpartition(".")[0] or name
        axes.text(1.02, place, label, transform=axes.transAxes, color=lines[name].get_color(), size=TEXT, va="center")
