"""Ordinary differential equations: Runge-Kutta methods, with steps of one length or as long as a tolerance allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pgm.errors import PlanError

Field = Callable[[float, Tensor], Tensor]
"""The slope of every row at a time, from the time and the rows `[rows, ...]`."""
Method = Literal["euler", "midpoint", "heun", "rk4"]
SHORTEST = 1e-4  # of the way; a shorter step is not tried
SAFETY, LEAST, MOST = 0.9, 0.2, 5.0  # how boldly a step follows the error, and how much it changes at once


@dataclass(frozen=True)
class Tableau:
    """A Runge-Kutta method, as Butcher writes it.

    Args:
        nodes: when each slope is taken, in steps.
        stages: what each is taken at: weights of the slopes before it.
        weights: of all slopes in the step.
    """

    nodes: tuple[float, ...]
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


METHODS: Mapping[str, Tableau] = {
    "euler": Tableau((0.0,), ((),), (1.0,)),
    "midpoint": Tableau((0.0, 1 / 2), ((), (1 / 2,)), (0.0, 1.0)),
    "heun": Tableau((0.0, 1.0), ((), (1.0,)), (1 / 2, 1 / 2)),
    "rk4": Tableau(
        (0.0, 1 / 2, 1 / 2, 1.0), ((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)
    ),
}
FIFTH = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
DORMAND_PRINCE = Tableau(
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        FIFTH,
    ),
    (*FIFTH, 0.0),
)
FOURTH = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
AMISS = tuple(five - four for five, four in zip(DORMAND_PRINCE.weights, FOURTH, strict=True))


def integrated(
    field: Field, now: Tensor, times: Sequence[float], method: Method = "midpoint"
) -> Iterator[tuple[float, Tensor]]:
    """The state after each step of dx/dt = field(t, x), with the time, one step between neighbouring times.

    Args:
        field: the slopes.
        now: the state at the first time, `[rows, ...]`.
        times: upwards or downwards.
        method: 'euler' (of order 1, one slope a step), 'midpoint' or 'heun' (2, two slopes), or 'rk4' (4, four).

    Raises:
        PlanError: when there is no such method.

    Example:
        >>> *_, (time, found) = integrated(lambda t, x: x, torch.ones(1), [0.0, 0.5, 1.0], "rk4")
        >>> time, round(found.item(), 3)  # e is 2.718
        (1.0, 2.717)

    Reference: Kutta (1901), Beitrag zur näherungsweisen Integration totaler Differentialgleichungen.
    """
    if method not in METHODS:
        raise PlanError(f"flow: method is {method!r}, expected one of {', '.join(map(repr, METHODS))}.")
    tableau = METHODS[method]
    for time, later in zip(times, times[1:], strict=False):
        slopes = _slopes(field, time, now, later - time, tableau)
        now = _moved(now, later - time, tableau.weights, slopes)
        yield later, now


def adapted(
    field: Field, now: Tensor, begin: float, end: float, tolerance: float = 1e-5
) -> Iterator[tuple[float, Tensor]]:
    """The state after each step of dx/dt = field(t, x), with steps as long as the tolerance allows.

    Methods of order 5 and 4 share their slopes; how far they are apart, in the row where it is most, says whether a
    step is taken and how long the next one is. Steps shorter than 1 / 10,000 of the way are not tried.

    Args:
        field: the slopes.
        now: the state at the beginning, `[rows, ...]`.
        begin, end: the first and the last time, upwards or downwards.
        tolerance: of the error of a step, absolute and relative to the state, above 0.

    Raises:
        PlanError: when the tolerance is not above 0.

    Example:
        >>> *_, (time, found) = adapted(lambda t, x: x, torch.ones(1), 0.0, 1.0, tolerance=1e-6)
        >>> time, round(found.item(), 5)
        (1.0, 2.71828)

    Reference: Dormand and Prince (1980), A family of embedded Runge-Kutta formulae.
    """
    if not tolerance > 0:
        raise PlanError(f"flow: tolerance is {tolerance}, expected a number above 0, such as 1e-5.")
    done, share, first = 0.0, 0.05, None
    while done < 1:
        share = min(share, 1 - done)
        time, step = begin + done * (end - begin), share * (end - begin)
        slopes = _slopes(field, time, now, step, DORMAND_PRINCE, first)
        later = _moved(now, step, DORMAND_PRINCE.weights, slopes)
        error = _error(_moved(torch.zeros_like(now), step, AMISS, slopes), now, later, tolerance)
        if error <= 1 or share <= SHORTEST or error != error:
            done = 1.0 if share == 1 - done else done + share
            now, first = later, slopes[-1]  # the last slope is the first one of the next step
            yield (end if done == 1 else begin + done * (end - begin)), now
        share = max(SHORTEST, share * max(LEAST, min(MOST, SAFETY * max(error, 1e-10) ** -0.2)))


def _slopes(
    field: Field, time: float, now: Tensor, step: float, tableau: Tableau, first: Tensor | None = None
) -> list[Tensor]:
    """All slopes of a step; the first one may be known."""
    found = [] if first is None else [first]
    for node, weights in list(zip(tableau.nodes, tableau.stages, strict=True))[len(found) :]:
        found.append(field(time + node * step, _moved(now, step, weights, found)))
    return found


def _moved(now: Tensor, step: float, weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    for weight, slope in zip(weights, slopes, strict=True):
        now = now + step * weight * slope if weight else now
    return now


def _error(amiss: Tensor, now: Tensor, later: Tensor, tolerance: float) -> float:
    """The root mean square of a row's errors in tolerances, of the row where it is largest."""
    allowed = tolerance * (1 + torch.maximum(now.abs(), later.abs()))
    return (amiss / allowed).square().reshape(len(now), -1).mean(1).max().sqrt().item()
