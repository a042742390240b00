"""Deep Boltzmann machines: layers in a row, each coupled with its neighbours and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from pgm.domains import Binary, Real
from pgm.errors import GraphError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Coupling, Layered, Width
from .centring import begin_at
from .machine import Machine


def dbm(
    x: Variable,
    *layers: int,
    label: Variable | None = None,
    deviation: float = 0.01,
    temperature: float = 1.0,
    mean: Tensor | None = None,
) -> Machine:
    """A deep Boltzmann machine, p(x, h_1, ..., h_L) proportional to exp(sum of biases + x W_1 h_1 + h_1 W_2 h_2 + ...).

    With one layer it is a restricted Boltzmann machine. `persistent(machine)` trains all layers together, by mean field
    at the data and chains that run free; `pretraining(machine)` may go before, and `centring` makes it unnecessary.

    Args:
        x: what is seen: `Binary` pixels, `Real` numbers (with deviations of 1), or a variable with states.
        layers: binary units of each hidden layer, from the data up.
        label: seen as well, coupled with the top layer.
        deviation: of the weights at first.
        temperature: above 0.
        mean: of x in the data, `[*event]`, at which its biases and centres start: learning begins sooner.

    Raises:
        GraphError: when there are no layers.
        ShapeError: when the temperature is not above 0, or the mean has another shape.

    Example:
        >>> dbm(Variable("image", Binary(28, 28)), 500, 1000, label=Variable("label", range(10)))
        Machine(image, label explained by h1, h2)

    Reference: Salakhutdinov and Hinton (2009), Deep Boltzmann machines; Montavon and Muller (2012), Deep Boltzmann
    machines and the centering trick.
    """
    if not layers:
        raise GraphError("dbm: there are no layers of hidden units, expected one or more.")
    chain = [x, *(Variable(f"h{number}", Binary(units)) for number, units in enumerate(layers, 1))]
    pairs = [*pairwise(chain), *([(label, chain[-1])] if label is not None else [])]
    machine = coupled(pairs, (x, *([label] if label is not None else [])), deviation, temperature, "DBM")
    if mean is not None:
        begin_at(machine, x, mean)
    return machine


def coupled(
    pairs: Sequence[tuple[Variable, Variable]],
    visible: Sequence[Variable],
    deviation: float = 0.01,
    temperature: float = 1.0,
    name: str = "",
) -> Machine:
    """A machine of layers with biases, and of couplings between some of them.

    Args:
        pairs: the layers that are coupled.
        visible: those that are seen.
        deviation: of the weights at first.
        temperature: above 0.
        name: of the model.

    Example:
        >>> v, h = Variable("v", Binary(4)), Variable("h", Binary(2))
        >>> coupled([(v, h)], [v])
        Machine(v explained by h)
    """
    layers = list(dict.fromkeys([*visible, *(v for pair in pairs for v in pair)]))
    terms: list[Layered] = [Bias(layer, temperature) for layer in layers]
    terms += [Coupling(a, b, deviation, temperature) for a, b in pairs]
    terms += [Width(layer) for layer in layers if isinstance(layer.domain, Real)]
    return Machine(Model(*terms, variables=layers, name=name), tuple(visible))
