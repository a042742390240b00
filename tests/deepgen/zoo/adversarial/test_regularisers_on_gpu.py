"""Regularisers where the GPU is: steps read nothing back, and everything is where it should be."""

import pytest
import torch

from deepgen.networks import mlp
from deepgen.networks.alike import minibatch
from deepgen.networks.spectral import spectral
from deepgen.training.phase import Moment, adam
from deepgen.zoo.adversarial import Unrolled, adversarial, clamped, gan
from pgm import Real, Variable

OPTIONS = ({"replay": 20}, {"unrolled": Unrolled(2)}, {"noise": lambda turn: 0.1})


@pytest.mark.gpu
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
@pytest.mark.parametrize("critic", [spectral(mlp(8)), minibatch(mlp(8), mlp(8))], ids=["spectral", "minibatch"])
def test_a_step_does_not_wait_for_the_device(options: dict, critic) -> None:
    found = gan(Variable("x", Real(2)), 2, discriminator=critic)
    phases = adversarial(found, **options)
    for phase in phases:
        for module in phase.modules.values():
            module.cuda()
    batch, make = {"x": torch.randn(64, 2, device="cuda")}, clamped(adam(1e-3))
    players = [(phase, make(phase.parameters())) for phase in phases]
    try:
        for turn in range(2):
            torch.cuda.set_sync_debug_mode("error" if turn else "default")
            for phase, optimiser in players:
                phase.objective(batch, Moment(turn, turn, 0.0))["loss"].mean().backward()
                optimiser.step()
                optimiser.zero_grad()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(p.isfinite().all() for phase in phases for p in phase.parameters())
