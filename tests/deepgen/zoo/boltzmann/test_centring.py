"""What moves of centres cannot be undone in."""

import pytest
import torch

from deepgen.potentials import Bias, Coupling
from deepgen.zoo.boltzmann import Machine, recentre
from pgm import Binary, Model, Variable

V, H = Variable("v", Binary(2, 2)), Variable("h", Binary(3))


@pytest.mark.parametrize("own", [[], [Bias(V, alike=2)]], ids=["none", "shared"])
def test_a_layer_without_a_bias_of_each_unit_is_refused(own: list[Bias]) -> None:
    machine = Machine(Model(*own, Bias(H), Coupling(V, H)), (V,))
    with pytest.raises(ValueError, match="recentre: 'v' has no bias of each unit, in which to undo a move; give it"):
        recentre(machine, {"h": torch.ones(3)})
