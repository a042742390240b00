"""Restricted Boltzmann machines: two layers, and nothing within either."""

from __future__ import annotations

from pgm.domains import Binary, Real
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Coupling, Linear, Width
from .machine import Machine


def rbm(
    x: Variable,
    hidden: int = 500,
    *,
    label: Variable | None = None,
    given: Variable | None = None,
    deviation: float = 0.01,
    temperature: float = 1.0,
) -> Machine:
    """A restricted Boltzmann machine, p(x, h) proportional to exp(b . x + c . h + x W h).

    Args:
        x: what is seen: `Binary` pixels, `Real` numbers (with deviations of 1), or a variable with states.
        hidden: binary units.
        label: seen as well, for a machine that classifies and draws by label.
        given: what biases of both layers are linear in, such as the rows before, for a conditional machine.
        deviation: of the weights at first.
        temperature: above 0.

    Example:
        >>> rbm(Variable("image", Binary(28, 28)), 500, label=Variable("label", range(10)))
        Machine(image, label explained by h)

    Reference: Smolensky (1986); Hinton (2002), Training products of experts by minimizing contrastive divergence;
    Larochelle and Bengio (2008), Classification using discriminative restricted Boltzmann machines; Taylor, Hinton and
    Roweis (2007), Modeling human motion using binary latent variables, for what is given.
    """
    h = Variable("h", Binary(hidden))
    visible = (x, *([label] if label is not None else []))
    terms: list[Linear | Width] = [Bias(layer, temperature) for layer in (*visible, h)]
    terms += [Coupling(layer, h, deviation, temperature) for layer in visible]
    terms += [Width(layer) for layer in visible if isinstance(layer.domain, Real)]
    if given is not None:
        terms += [Coupling(given, layer, deviation, temperature) for layer in (x, h)]
    also = (given,) if given is not None else ()
    return Machine(Model(*terms, variables=(*visible, h, *also), name="RBM"), visible, also)
