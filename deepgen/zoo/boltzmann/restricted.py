"""Restricted Boltzmann machines: two layers, and nothing within either."""

from __future__ import annotations

from torch import Tensor

from pgm.domains import Binary, Count, Real
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Coupling, Layered, Total, Width
from .centring import begin_at
from .machine import Machine


def rbm(
    x: Variable,
    hidden: int = 500,
    *,
    label: Variable | None = None,
    given: Variable | None = None,
    deviation: float = 0.01,
    temperature: float = 1.0,
    learned_widths: bool = False,
    total: int | None = None,
    mean: Tensor | None = None,
) -> Machine:
    """A restricted Boltzmann machine, p(x, h) proportional to exp(b . x + c . h + x W h).

    Args:
        x: what is seen: `Binary` pixels, `Real` numbers, a variable with states, many of these side by side (`OneHot`,
            such as ratings), or a `Count` of each of many words.
        hidden: binary units.
        label: seen as well, for a machine that classifies and draws by label.
        given: what biases of both layers are linear in, such as the rows before, for a conditional machine.
        deviation: of the weights at first.
        temperature: above 0.
        learned_widths: whether deviations of `Real` numbers, 1 at first, are learned.
        total: how many words each document has; None where they differ, which `contrastive_divergence` learns from.
        mean: of x in the data, `[*event]`, at which its biases and centres start: learning begins sooner.

    Raises:
        ShapeError: when there is a total less than 1 or of no `Count`, or the mean has another shape.

    Example:
        >>> rbm(Variable("image", Binary(28, 28)), 500, label=Variable("label", range(10)))
        Machine(image, label explained by h)

    Reference: Smolensky (1986); Hinton (2002), Training products of experts by minimizing contrastive divergence;
    Larochelle and Bengio (2008), Classification using discriminative restricted Boltzmann machines; Taylor, Hinton and
    Roweis (2007), Modeling human motion using binary latent variables, for what is given; Salakhutdinov, Mnih and
    Hinton (2007), Restricted Boltzmann machines for collaborative filtering; Salakhutdinov and Hinton (2009),
    Replicated softmax: an undirected topic model.
    """
    h = Variable("h", Binary(hidden))
    visible = (x, *([label] if label is not None else []))
    terms: list[Layered] = [Bias(layer, temperature) for layer in (*visible, h)]
    terms += [Coupling(layer, h, deviation, temperature) for layer in visible]
    terms += [Width(layer, learned=learned_widths) for layer in visible if isinstance(layer.domain, Real)]
    terms += [Total(x, total)] if isinstance(x.domain, Count) or total is not None else []
    if given is not None:
        terms += [Coupling(given, layer, deviation, temperature) for layer in (x, h)]
    also = (given,) if given is not None else ()
    machine = Machine(Model(*terms, variables=(*visible, h, *also), name="RBM"), visible, also)
    if mean is not None:
        begin_at(machine, x, mean)
    return machine
