"""Sigmoid belief networks: layers of binary units, each explained by the one above; Helmholtz machines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.domains import Binary
from pgm.errors import GraphError, ShapeError
from pgm.model import Model
from pgm.neural import Neural
from pgm.variable import Variable

from ..conditionals import neural
from ..networks import Network, mlp
from ..pair import Pair

LINEAR = mlp()
LEAST = 1e-3  # probability that a pixel that is never on, or never off, starts with


def sigmoid_belief_network(
    x: Variable,
    *layers: int,
    label: Variable | None = None,
    network: Network = LINEAR,
    mean: Tensor | None = None,
) -> Pair:
    """A sigmoid belief network, p(h_L) ... p(h_1 | h_2) p(x | h_1) with layers of binary units; a Helmholtz machine.

    Each unit is on with log odds that are linear in the layer above; those of the top layer are learned numbers. The
    guide, q(h_1 | x) q(h_2 | h_1) ..., is the chain upside down. `wake_sleep(pair)` trains the two as a Helmholtz
    machine; `reweighted_wake_sleep(pair)`, or `maximised(pair, ...)` with `vimco` or `reinforce`, follow the gradients
    of bounds.

    Args:
        x: what is observed: `Binary` pixels; `Real` numbers are Gaussian.
        layers: units of each layer, from the data up.
        label: a variable that all but the top layer are conditioned on, in the guide all layers.
        network: makes what computes log odds; hidden layers make them nonlinear in the layer above.
        mean: shares of ones in the data, `[*event]`, at which the biases of x start: learning begins sooner.

    Raises:
        GraphError: when there are no layers.
        ShapeError: when there is a mean, and x is not `Binary` or of another shape, or no linear layer comes last.

    Example:
        >>> sigmoid_belief_network(Variable("image", Binary(28, 28)), 200, 200)
        Pair(image explained by h2, h1)

    Reference: Neal (1992), Connectionist learning of belief networks; Dayan, Hinton, Neal and Zemel (1995), The
    Helmholtz machine.
    """
    if not layers:
        raise GraphError("sigmoid_belief_network: there are no layers of hidden units, expected one or more.")
    also = [label] if label is not None else []
    chain = [x, *(Variable(f"h{number}", Binary(units)) for number, units in enumerate(layers, 1))]
    steps = list(zip(chain, chain[1:], strict=False))
    downward = [neural(below, [above, *also], network) for below, above in reversed(steps)]
    upward = [neural(above, [below, *also], network) for below, above in steps]
    if mean is not None:
        _start(downward[-1], mean)
    model = Model(neural(chain[-1], [], network), *downward, name="sigmoid belief network")
    return Pair(model, Model(*upward, name="guide of the sigmoid belief network"))


@torch.no_grad()
def _start(pixels: Neural, mean: Tensor) -> None:
    """Let the last biases be the log odds of the data's shares of ones."""
    if not isinstance(pixels.child.domain, Binary) or tuple(mean.shape) != pixels.child.shape:
        raise ShapeError(
            f"sigmoid_belief_network: mean has shape {tuple(mean.shape)} and {pixels.child.name!r} is "
            f"{pixels.child.domain!r}, expected Binary and as many shares."
        )
    layers = [module for module in pixels.modules() if isinstance(module, nn.Linear)]
    if not layers or layers[-1].out_features != mean.numel():
        raise ShapeError(
            f"sigmoid_belief_network: the network of {pixels.child.name!r} does not end with a linear layer, whose "
            "biases could start at the mean; leave out mean, or use mlp()."
        )
    layers[-1].bias.copy_(mean.flatten().logit(LEAST))
