"""Points in the plane: a scatter, coloured by label, over data or over the modes of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.pictures.style import BAR, INK, MARRIED, PAPER, TRACK

from ..evaluate import samples as judged
from .style import TEXT, Where, charts, colours, headed, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform


NEAR = 0.03  # of the extent: labels amid points are at least so far apart
SIDE = 440  # pixels
BEHIND = "#c8d0da"  # points that others are compared with


def points(
    x: Tensor,
    *,
    beneath: Tensor | None = None,
    labels: Tensor | Sequence[object] | None = None,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """A scatter of points.

    Args:
        x: `[n, 2]`.
        beneath: other points in grey, such as the data; they alone set the limits, so that pictures can be compared.
        labels: what to colour the points by, `[n]`; each label is written amid its points.
        title: on top.
        path: where to save the picture as well.

    Raises:
        ShapeError: when points are not in the plane.

    Example:
        >>> from deepgen import moons
        >>> figure = points(moons(100)["x"], title="Moons")
    """
    framed = _plane(x if beneath is None else beneath)
    figure, axes = _framed(framed, 0.06)
    if beneath is not None:
        _dots(axes, framed, BEHIND, 1.0)
    scatter(axes, x, labels)
    headed(axes, title or "")
    return saved(figure, path)


def scatter(axes: Axes, x: Tensor, labels: Tensor | Sequence[object] | None = None) -> None:
    """Points `[n, 2]` on axes, coloured by label, with each label amid its points, or above where they would meet."""
    places = _plane(x)
    if labels is None:
        _dots(axes, places, BAR)
        return
    listed = labels.tolist() if isinstance(labels, Tensor) else list(labels)
    kinds = sorted(set(listed), key=lambda label: (isinstance(label, str), label))
    groups = [places[torch.tensor([label == kind for label in listed])] for kind in kinds]
    middles = torch.stack([some.median(0).values for some in groups])
    extent = (places.max(0).values - places.min(0).values).max()
    apart = len(kinds) < 2 or bool(torch.pdist(middles).min() > NEAR * extent)
    for place, (kind, some, colour) in enumerate(zip(kinds, groups, colours(len(kinds)), strict=True)):
        _dots(axes, some, colour, size=_size(places))
        if apart:
            _word(axes, middles[place].tolist(), str(kind), INK, axes.transData)
        else:  # above the right end, in the colour of the points
            _word(axes, (1 - 0.04 * (len(kinds) - 1 - place), 1.03), str(kind), colour, axes.transAxes)


def _word(axes: Axes, place: Sequence[float], word: str, colour: str, to: Transform) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground=PAPER)]
    style: dict[str, Any] = {"size": TEXT + 1, "weight": "bold", "ha": "center", "va": "center", "transform": to}
    axes.text(place[0], place[1], word, color=colour, path_effects=halo, **style)


def modes(
    samples: Tensor,
    centres: Tensor,
    deviation: float,
    *,
    within: float = 3.0,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Samples over the modes of a mixture of equal Gaussians: which are found, and how many samples are near one.

    Samples of high quality are blue, the others red; a ring marks each mode that has none.

    Args:
        samples: `[n, 2]`.
        centres: of the modes, `[modes, 2]`.
        deviation: the standard deviation of each.
        within: how many of those a sample of high quality may be away.
        title: before what was counted.
        path: where to save the picture as well.

    Raises:
        ShapeError: when points are not in the plane.

    Example:
        >>> from deepgen import ring
        >>> from deepgen.data.toys import ring_centres
        >>> figure = modes(ring(500)["x"], ring_centres(), 0.01)
        >>> figure.axes[0].get_title(loc="left")
        '8 of 8 modes, 98.4 % of high quality'

    Reference: Srivastava et al. (2017), VEEGAN.
    """
    from matplotlib.patches import Circle

    places, middles = _plane(samples), _plane(centres)
    found = judged.modes(places, middles, deviation, within)
    figure, axes = _framed(middles, 0.2)
    for middle in middles.tolist():
        axes.add_patch(Circle(tuple(middle), within * deviation, facecolor=TRACK, edgecolor="none"))
    good = torch.cdist(places, middles).min(1).values <= within * deviation
    for some, colour in ((places[~good], MARRIED), (places[good], BAR)):
        _dots(axes, some, colour, size=_size(places))
    missed = middles[torch.tensor(found.counts) == 0].T.tolist()
    axes.scatter(missed[0], missed[1], s=120, facecolors="none", edgecolors=INK, linewidths=1)
    headed(axes, f"{title}: {found}" if title else str(found))
    return saved(figure, path)


def _plane(x: Tensor) -> Tensor:
    if x.dim() != 2 or x.shape[1] != 2:
        raise ShapeError(f"pictures: the points have shape {tuple(x.shape)}, expected [n, 2].")
    return x.detach().cpu().float()


def _framed(x: Tensor, margin: float) -> tuple[Figure, Axes]:
    """A figure of the shape of points, with a frame around them, `margin` of their extent away."""
    low, high = x.min(0).values, x.max(0).values
    room = margin * (high - low).max().clamp_min(1e-6)
    (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
    figure, (axes,) = charts(1, 1, SIDE, max(0.4, min(2.5, (top - bottom) / (right - left))) * SIDE)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    return figure, axes


def _dots(axes: Axes, x: Tensor, colour: str, alpha: float = 0.7, size: float | None = None) -> None:
    across, up = x.T.tolist()
    axes.scatter(across, up, s=size or _size(x), color=colour, alpha=alpha, linewidths=0)


def _size(x: Tensor) -> float:
    """The area of a dot, in square points: the more there are, the smaller."""
    return max(1.0, min(14.0, 8000 / len(x)))
