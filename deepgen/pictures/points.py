"""Points in the plane: a scatter, coloured by label, over data or over the modes of a mixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    figure, (axes,) = charts(1, 1, 460, 460)
    if beneath is not None:
        _dots(axes, _plane(beneath), BEHIND, 1.0)
    scatter(axes, x, labels)
    low, high = _limits(_plane(x if beneath is None else beneath))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    headed(axes, title or "")
    return saved(figure, path)


def scatter(axes: Axes, x: Tensor, labels: Tensor | Sequence[object] | None = None) -> None:
    """Points `[n, 2]` on axes, coloured by label, with each label amid its points."""
    places = _plane(x)
    if labels is None:
        _dots(axes, places, BAR)
        return
    for (label, some), colour in _coloured(places, labels):
        _dots(axes, some, colour, size=_size(places))
        across, up = some.median(0).values.tolist()
        style: dict[str, Any] = {"color": INK, "size": TEXT + 1, "weight": "bold", "ha": "center", "va": "center"}
        axes.text(across, up, label, path_effects=_halo(), **style)


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

    Samples of high quality are blue, the others red; rings mark where they count as such.

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
    figure, (axes,) = charts(1, 1, 460, 460)
    for middle in middles.tolist():
        axes.add_patch(Circle(tuple(middle), within * deviation, facecolor=TRACK, edgecolor="none"))
    good = torch.cdist(places, middles).min(1).values <= within * deviation
    for some, colour in ((places[~good], MARRIED), (places[good], BAR)):
        _dots(axes, some, colour, size=_size(places))
    low, high = _limits(middles, 0.2)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    headed(axes, f"{title}: {found}" if title else str(found))
    return saved(figure, path)


def _plane(x: Tensor) -> Tensor:
    if x.dim() != 2 or x.shape[1] != 2:
        raise ShapeError(f"pictures: the points have shape {tuple(x.shape)}, expected [n, 2].")
    return x.detach().cpu().float()


def _coloured(x: Tensor, labels: Tensor | Sequence[object]) -> Iterator[tuple[tuple[str, Tensor], str]]:
    """Each label with its points, and a colour."""
    listed = labels.tolist() if isinstance(labels, Tensor) else list(labels)
    kinds = sorted(set(listed), key=lambda label: (isinstance(label, str), label))
    for kind, colour in zip(kinds, colours(len(kinds)), strict=True):
        yield (str(kind), x[torch.tensor([label == kind for label in listed])]), colour


def _limits(x: Tensor, margin: float = 0.06) -> tuple[list[float], list[float]]:
    """A frame around points, `margin` of their extent away from them."""
    low, high = x.min(0).values, x.max(0).values
    room = margin * (high - low).max().clamp_min(1e-6)
    return (low - room).tolist(), (high + room).tolist()


def _dots(axes: Axes, x: Tensor, colour: str, alpha: float = 0.7, size: float | None = None) -> None:
    across, up = x.T.tolist()
    axes.scatter(across, up, s=size or _size(x), color=colour, alpha=alpha, linewidths=0)


def _size(x: Tensor) -> float:
    """The area of a dot, in square points: the more there are, the smaller."""
    return max(1.0, min(14.0, 5000 / len(x)))


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground=PAPER)]
