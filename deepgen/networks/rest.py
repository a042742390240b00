"""Modules at rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def resting(*modules: nn.Module) -> Iterator[None]:
    """Modules in evaluation mode, in which dropout leaves nothing out; afterwards each part is as it was.

    Example:
        >>> net = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5).eval())
        >>> with resting(net):
        ...     net.training, net[0].training
        (False, False)
        >>> net.training, net[0].training, net[1].training
        (True, True, False)
    """
    training = [each for module in modules for each in module.modules() if each.training]
    for each in training:
        each.training = False
    try:
        yield
    finally:
        for each in training:
            each.training = True
