"""What Gibbs sampling asks of layers of units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor

from .units import Units

State = Mapping[str, Tensor]  # vectors of numbers by layer, `[*batch, numbers]`


class Layers(ABC):
    """A distribution over layers of units, linear in each; abstract."""

    @abstractmethod
    def units(self, name: str) -> Units:
        """What the units of a layer do, given their field."""

    @abstractmethod
    def field(self, name: str, state: State) -> Tensor:
        """What all others say to a layer, `[*batch, numbers]`: log odds of bits, logits of states.

        Args:
            name: of the layer.
            state: of all its neighbours; of itself too where its units are coupled.
        """

    @abstractmethod
    def within(self, name: str) -> Tensor | None:
        """What the units of a layer say to one another, `[*batch, numbers, numbers]`; None where they say nothing."""
