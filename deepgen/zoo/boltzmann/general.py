"""Boltzmann machines in general: every unit may be coupled with every other."""

from __future__ import annotations

from pgm.domains import Binary, Real
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Coupling, Layered, Width, Within
from .machine import Machine


def boltzmann_machine(
    x: Variable,
    hidden: int = 0,
    *,
    label: Variable | None = None,
    deviation: float = 0.01,
    temperature: float = 1.0,
) -> Machine:
    """A Boltzmann machine, p(s) proportional to exp((b . s + s W s / 2) / temperature) over all units s = (x, h).

    All pairs of binary units are coupled. `persistent(machine, clamped=...)` trains it by clamped and free chains,
    `exact_likelihood(machine)` follows the exact gradient where it is small.

    Args:
        x: what is seen: `Binary` pixels; `Real` numbers (with deviations of 1) or a variable with states, whose units
            are coupled with the hidden ones alone.
        hidden: binary units; none for a machine that sees all its units.
        label: seen as well.
        deviation: of the weights at first.
        temperature: above 0.

    Raises:
        ShapeError: when the temperature is not above 0.

    Example:
        >>> boltzmann_machine(Variable("bits", Binary(8)), 2)
        Machine(bits explained by h)

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    """
    visible = (x, *([label] if label is not None else []))
    layers = (*visible, *([Variable("h", Binary(hidden))] if hidden else []))
    terms: list[Layered] = [Bias(layer, temperature) for layer in layers]
    pairs = [(a, b) for place, b in enumerate(layers) for a in layers[:place]]
    terms += [Coupling(a, b, deviation, temperature) for a, b in pairs]
    terms += [Within(layer, deviation, temperature) for layer in layers if isinstance(layer.domain, Binary)]
    terms += [Width(layer) for layer in layers if isinstance(layer.domain, Real)]
    return Machine(Model(*terms, variables=layers, name="Boltzmann machine"), visible)
