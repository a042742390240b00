"""Networks whose layers stretch nothing: every weight divided by its largest singular value."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pgm.errors import PlanError
from pgm.variable import Variable

from .network import Network

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


def spectral(network: Network, iterations: int = 1) -> Network:
    """Makes what a network makes, with each weight W replaced by W / sigma(W), sigma its largest singular value.

    A layer then stretches no difference of its inputs, nor does a stack of them with activations that stretch none, as
    ReLUs do not: a critic with a Lipschitz constant of at most 1. Of a convolution W is `[out, in * height * width]`.

    Args:
        network: makes the module.
        iterations: of the power method at each look while training; what it knows is kept in checkpoints.

    Raises:
        PlanError: when the module has no linear layer and no convolution, or there is no iteration.

    Example:
        >>> import torch
        >>> from pgm import Real
        >>> from deepgen.networks import mlp
        >>> net = spectral(mlp())([Variable("x", Real(3))], [2])
        >>> round(torch.linalg.matrix_norm(net.net[0].weight, 2).item(), 2)
        1.0

    Reference: Miyato, Kataoka, Koyama and Yoshida (2018), Spectral normalization for generative adversarial networks.
    """

    if iterations < 1:
        raise PlanError(f"spectral: iterations is {iterations!r}, expected 1 or more.")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        made = network(given, shape)
        layers = [part for part in made.modules() if isinstance(part, LAYERS)]
        if not layers:
            raise PlanError(f"spectral: {type(made).__name__} has no linear layer and no convolution to normalise.")
        for layer in layers:
            spectral_norm(layer, n_power_iterations=iterations)
        return made

    return make
