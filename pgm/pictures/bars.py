"""A distribution as horizontal bars: one line a state with its label, a bar and a percentage."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ..shapes import Float
from ..variable import Variable
from .style import BAR, STATE_LENGTH, TRACK, bold, html, small

MOST_STATES = 12  # a variable with more shows only the most probable ones
SHOWN_STATES = 10
BAR_WIDTH, BAR_HEIGHT = 64, 9  # points

Row = tuple[str, float]


def percentage(probability: float) -> str:
    """A probability as a percentage with one decimal; what is not quite 0 or 1 is not printed as if it were.

    Example:
        >>> percentage(0.353), percentage(0.0001), percentage(1.0)
        ('35.3%', '<0.1%', '100%')
    """
    if probability in (0.0, 1.0):
        return f"{probability:.0%}"
    if probability < 0.0005:
        return "<0.1%"
    return ">99.9%" if probability >= 0.9995 else f"{probability:.1%}"


def rows(variable: Variable, probabilities: Float[Tensor, " states"]) -> list[Row]:
    """The lines to show: every state in order, or the most probable ones and the sum of the others.

    Example:
        >>> import torch
        >>> rows(Variable("rain", ["no", "yes"]), torch.tensor([0.75, 0.25]))
        [('no', 0.75), ('yes', 0.25)]
    """
    values = probabilities.detach().double().cpu()
    if variable.size <= MOST_STATES:
        return list(zip(variable.states, values.tolist(), strict=True))
    shown = sorted(values.argsort(descending=True, stable=True)[:SHOWN_STATES].tolist())
    others = max(0.0, 1.0 - values[shown].sum().item())
    return [(variable.states[i], values[i].item()) for i in shown] + [
        (f"{variable.size - SHOWN_STATES} others", others)
    ]


def bars(variable: Variable, probabilities: Float[Tensor, " states"]) -> str:
    """The HTML-like label of a node: the name, then one line a state."""
    lines = "".join(_line(html(label, STATE_LENGTH), p) for label, p in rows(variable, probabilities))
    title = f'<TR><TD COLSPAN="3" CELLPADDING="2">{bold(html(variable.name))}</TD></TR>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{title}{lines}</TABLE>'


def _line(label: str, probability: float) -> str:
    return (
        f'<TR><TD ALIGN="RIGHT">{small(label)}</TD><TD CELLPADDING="3">{_bar(probability)}</TD>'
        f'<TD ALIGN="RIGHT">{small(percentage(probability).replace("<", "&lt;").replace(">", "&gt;"))}</TD></TR>'
    )


def _bar(probability: float) -> str:
    """Two coloured cells side by side; anything above 0 is visible, anything below 1 leaves a gap."""
    filled = round(BAR_WIDTH * min(1.0, probability))
    filled = min(max(filled, int(probability > 0)), BAR_WIDTH - int(probability < 1))
    return strip([(BAR, filled), (TRACK, BAR_WIDTH - filled)])


def strip(parts: Iterable[tuple[str, int]]) -> str:
    """Coloured cells side by side, each of a width in points; those of width 0 are left out."""
    cells = "".join(_cell(colour, width) for colour, width in parts if width)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cells}</TR></TABLE>'


def _cell(colour: str, width: int) -> str:
    return f'<TD BGCOLOR="{colour}" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{BAR_HEIGHT}"></TD>'
