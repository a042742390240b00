"""Networks compiled while they train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pgm.conditionals import Conditional, Deterministic
from pgm.neural import Implicit, Neural

from ..conditionals.discriminator import Discriminator
from ..conditionals.generated import Generated

LIMIT = 8  # shapes of batches that each network is compiled for; beyond that it runs as it is


@contextmanager
def compiled(modules: Iterable[nn.Module], backend: str | None) -> Iterator[None]:
    """The networks of all nodes of models, and modules that are no models, compiled in place for as long as this lasts.

    Parameters, buffers and their names stay as they are, so that checkpoints fit both ways.

    Args:
        modules: what trains.
        backend: of `torch.compile`; None to compile nothing.

    Reference: Ansel et al. (2024), PyTorch 2: faster machine learning through dynamic Python bytecode transformation
    and graph compilation.
    """
    if backend is None:
        yield
        return
    nets = list(networks(modules))
    for net in nets:
        net.compile(backend=backend, dynamic=False)
    try:
        with torch._dynamo.config.patch(recompile_limit=LIMIT * len(nets)):  # it counts what is of one class together
            yield
    finally:
        for net in nets:
            net._compiled_call_impl = None  # torch has no opposite of `Module.compile`


def networks(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The networks of all nodes; the `net` of modules that have none, such as denoisers, or such a module; each once.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.vae import vae
        >>> len(list(networks(vae(Variable("x", Binary(8))).modules.values())))
        2
    """
    found: dict[int, nn.Module] = {}
    for module in modules:
        nodes = [node for node in module.modules() if isinstance(node, Conditional)]
        nets = [_net(node) for node in nodes] if nodes else [dict(module.named_children()).get("net", module)]
        found |= {id(net): net for net in nets if net is not None}
    yield from found.values()


def _net(node: Conditional) -> nn.Module | None:
    """The network of a node, where it has one."""
    if isinstance(node, Deterministic):
        return node.function if isinstance(node.function, nn.Module) else None
    net = node.net if isinstance(node, (Neural, Implicit, Generated, Discriminator)) else None
    return net if isinstance(net, nn.Module) else None
