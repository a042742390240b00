"""What is known of a numeric variable: one line a number with a bar for two standard deviations around its mean."""

from __future__ import annotations

from math import floor, log10

from ..moments import Moments
from .bars import BAR_WIDTH, strip
from .style import BAR, BAR_LIGHT, INK, STATE_LENGTH, TRACK, bold, html, small

MOST_NUMBERS = 6  # a variable with more shows only the first ones
SHOWN_NUMBERS = 5
MOST_PLACES = 6  # after the point
TICK = 2  # points


def intervals(moments: Moments) -> str:
    """The HTML-like label of a node: the name, then mean ± standard deviation of each number.

    The bars of one variable share their scale: a tick at the mean, dark within one standard deviation of it, light
    within two.
    """
    name = moments.variables[0].name
    means, spreads = moments.mean.reshape(-1).tolist(), moments.std.reshape(-1).tolist()
    shown = len(means) if len(means) <= MOST_NUMBERS else SHOWN_NUMBERS
    low = min(mean - 2 * std for mean, std in zip(means[:shown], spreads, strict=False))
    high = max(mean + 2 * std for mean, std in zip(means[:shown], spreads, strict=False))
    labels = [label.removeprefix(name) for label in moments.labels()[:shown]]
    lines = [
        _line(html(label, STATE_LENGTH), segments(mean, std, low, high), mean, std)
        for label, mean, std in zip(labels, means, spreads, strict=False)
    ]
    if shown < len(means):
        lines.append(f'<TR><TD COLSPAN="3">{small(f"{len(means) - shown} more")}</TD></TR>')
    heading = f'<TR><TD COLSPAN="3" CELLPADDING="2">{bold(html(name))}</TD></TR>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{heading}{"".join(lines)}</TABLE>'


def segments(mean: float, std: float, low: float, high: float) -> list[tuple[str, int]]:
    """Colours and widths, in points, of the bar of one number on a scale from low to high.

    Example:
        >>> [width for _, width in segments(0.0, 1.0, -4.0, 4.0)]
        [15, 8, 8, 2, 8, 8, 15]
    """
    scale = (BAR_WIDTH - TICK) / (high - low) if high > low else 0.0
    middle = round((mean - low) * scale) if scale else (BAR_WIDTH - TICK) // 2
    one, two = (round(k * std * scale) for k in (1, 2))
    left = [max(0, middle - two), max(0, middle - one), middle]
    right = [min(BAR_WIDTH, place + TICK) for place in (middle, middle + one, middle + two)]
    ends = [0, *left, *right, BAR_WIDTH]
    colours = (TRACK, BAR_LIGHT, BAR, INK, BAR, BAR_LIGHT, TRACK)
    return [(colour, b - a) for colour, a, b in zip(colours, ends[:-1], ends[1:], strict=True)]


def written(mean: float, std: float) -> str:
    """Mean ± standard deviation, the latter to two digits and the former to as many places.

    Example:
        >>> written(12.3456, 0.0123), written(1234.5, 56.0), written(2.0, 0.0)
        ('12.346 ± 0.012', '1234 ± 56', '2 ± 0')
    """
    places = 1 - floor(log10(std)) if std > 0 else MOST_PLACES + 1
    if places > MOST_PLACES:
        return f"{mean:.6g} ± {std:.2g}"
    return f"{mean:.{max(places, 0)}f} ± {std:.{max(places, 0)}f}"


def _line(label: str, parts: list[tuple[str, int]], mean: float, std: float) -> str:
    left = f'<TD ALIGN="RIGHT">{small(label)}</TD>' if label else "<TD></TD>"
    text = small(html(written(mean, std)))
    return f'<TR>{left}<TD CELLPADDING="3">{strip(parts)}</TD><TD ALIGN="LEFT">{text}</TD></TR>'
