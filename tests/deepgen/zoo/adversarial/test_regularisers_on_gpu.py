"""Regularisers where the GPU is: steps read nothing back, and everything is where it should be."""

from collections.abc import Callable

import pytest
import torch

from deepgen.networks import Network, mlp
from deepgen.networks.alike import minibatch
from deepgen.networks.spectral import spectral
from deepgen.training.phase import adam
from deepgen.zoo.adversarial import Unrolled, adversarial, clamped, gan
from pgm import Real, Variable

OPTIONS = ({"replay": 20}, {"unrolled": Unrolled(2)}, {"noise": lambda turn: 0.1})


@pytest.mark.gpu
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
@pytest.mark.parametrize("critic", [spectral(mlp(8)), minibatch(mlp(8), mlp(8))], ids=["spectral", "minibatch"])
def test_a_step_does_not_wait_for_the_device(
    options: dict, critic: Network, turns_without_waiting: Callable[..., None]
) -> None:
    phases = adversarial(gan(Variable("x", Real(2)), 2, discriminator=critic), **options)
    turns_without_waiting(phases, {"x": torch.randn(64, 2, device="cuda")}, clamped(adam(1e-3)))
