"""How pictures of deep models look: paper, ink and colours of the house, no global state of matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pgm.errors import FileError
from pgm.pictures.style import INK, PAPER, QUIET, TRACK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Where = str | os.PathLike[str]

DOTS = 128  # an inch; a power of two, so that whole pixels stay whole as inches
TITLE, TEXT, SMALL = 9.5, 8.0, 6.5  # points
# Tol's muted colours, which stay apart for colour-blind eyes, and a dark grey to make ten.
COLOURS = (
    "#4477aa", "#cc6677", "#117733", "#ddaa33", "#332288", "#88ccee", "#882255", "#999933", "#44aa99", "#555555",
)  # fmt: skip
SUFFIXES = (".png", ".svg", ".pdf")


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many pixels that belongs to no window.

    Raises:
        FileError: when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise FileError("pictures: they are drawn by matplotlib; pip install 'pgm-deepgen[deepgen]'.") from None
    return Figure((width / DOTS, height / DOTS), dpi=DOTS, facecolor=PAPER)


def charts(rows: int, columns: int, width: float = 440, height: float = 340) -> tuple[Figure, list[Axes]]:
    """A figure with quiet axes side by side, each of so many pixels."""
    figure = canvas(width * columns, height * rows)
    figure.set_layout_engine("constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for each in axes:
        quiet(each)
    return figure, axes


def quiet(axes: Axes) -> None:
    """Dark text, light lines, no frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(TRACK)
    axes.tick_params(which="both", color=TRACK, labelcolor=QUIET, labelsize=TEXT, length=3, width=0.8)
    axes.xaxis.label.set(color=QUIET, fontsize=TEXT)
    axes.yaxis.label.set(color=QUIET, fontsize=TEXT)


def headed(axes: Axes, title: str) -> None:
    """A title above the left end."""
    axes.set_title(title, loc="left", color=INK, fontsize=TITLE)


def colours(count: int) -> Sequence[str]:
    """So many colours; they come round again after ten."""
    return [COLOURS[place % len(COLOURS)] for place in range(count)]


def saved(figure: Figure, path: Where | None) -> Figure:
    """The figure, written to the path if there is one; a file that is there is whole.

    Raises:
        FileError: on another suffix than .png, .svg or .pdf, or a path that cannot be written.
    """
    if path is None:
        return figure
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise FileError(f"pictures: {str(path)!r} ends in {target.suffix!r}, expected {', '.join(SUFFIXES)}.")
    content, aside = io.BytesIO(), target.with_name(f".{target.name}.new")
    figure.savefig(content, format=target.suffix[1:].lower(), dpi=figure.dpi)
    try:
        aside.write_bytes(content.getvalue())
        aside.replace(target)
    except OSError as error:
        raise FileError(f"pictures: {str(path)!r} cannot be written ({error.strerror}).") from None
    return figure
