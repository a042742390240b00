"""Numbers that change while training goes on: pure functions of a step."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, log, pi

from pgm.errors import PlanError

Schedule = Callable[[int], float]


def constant(value: float = 1.0) -> Schedule:
    """Always the same.

    Example:
        >>> constant(0.5)(1000)
        0.5
    """
    return lambda step: value


def linear(start: float, end: float, over: int) -> Schedule:
    """From one number to another over some steps, and the latter from then on: warm-up, annealing.

    Args:
        start, end: the numbers.
        over: how many steps.

    Raises:
        PlanError: when there are no steps.

    Example:
        >>> [linear(0.0, 1.0, 4)(step) for step in range(6)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    _require_steps(over, "linear")
    return lambda step: start + (end - start) * min(step / over, 1.0)


def geometric(start: float, end: float, over: int) -> Schedule:
    """From one number to another by the same factor each step, and the latter from then on: cooling.

    Args:
        start, end: the numbers, above 0.
        over: how many steps.

    Raises:
        PlanError: when there are no steps, or a number is not above 0.

    Example:
        >>> [geometric(8.0, 1.0, 3)(step) for step in range(5)]
        [8.0, 4.0, 2.0, 1.0, 1.0]

    Reference: Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing.
    """
    _require_steps(over, "geometric")
    _require_positive("geometric", start, end)
    return lambda step: start * (end / start) ** min(step / over, 1.0)


def logarithmic(start: float) -> Schedule:
    """start log 2 / log(2 + step): so slow that simulated annealing with a large start ends in the best states.

    Args:
        start: the first number, above 0.

    Raises:
        PlanError: when it is not.

    Example:
        >>> [round(logarithmic(4.0)(step), 2) for step in (0, 2, 14, 1_000_000)]
        [4.0, 2.0, 1.0, 0.2]

    Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images.
    """
    _require_positive("logarithmic", start)
    return lambda step: start * log(2) / log(2 + step)


def cosine(total: int, warm_up: int = 0, last: float = 0.0) -> Schedule:
    """Up to 1 in a straight line over the first steps, then down half a cosine to the last number.

    Args:
        total: steps in all.
        warm_up: steps on the way up; the first of them already moves.
        last: the number at the end and from then on.

    Raises:
        PlanError: when warming up takes all steps.

    Example:
        >>> [round(cosine(6, warm_up=2)(step), 2) for step in range(7)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15, 0.0]

    Reference: Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """
    _require_steps(total - warm_up, "cosine")

    def at(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        share = min((step - warm_up) / (total - warm_up), 1.0)
        return last + (1 - last) * (1 + cos(pi * share)) / 2

    return at


def _require_steps(steps: int, name: str) -> None:
    if steps < 1:
        raise PlanError(f"{name}: it changes over {steps} steps, expected 1 or more.")


def _require_positive(name: str, *numbers: float) -> None:
    wrong = next((number for number in numbers if not number > 0), None)
    if wrong is not None:
        raise PlanError(f"{name}: {wrong} is given, expected numbers above 0.")
