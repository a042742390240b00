"""Games with an encoder where the GPU is: steps read nothing back, and rows and codes stay there."""

import pytest
import torch

from deepgen.conditionals.point import point
from deepgen.training.phase import Moment, adam
from deepgen.zoo.adversarial import adversarial, bigan, learned_similarity, r1, unflagged, vae_gan
from pgm import Real, Variable

X, LABEL = Variable("x", Real(2)), Variable("label", 3)
GAMES = {
    "bigan": (adversarial, lambda: bigan(X, 2, label=LABEL, family=point)),
    "ali": (adversarial, lambda: bigan(X, 2, label=LABEL)),
    "vae_gan": (learned_similarity, lambda: vae_gan(X, 2, label=LABEL)),
}


@pytest.mark.gpu
@pytest.mark.parametrize("name", GAMES)
def test_a_step_does_not_wait_for_the_device_and_codes_stay_there(name: str) -> None:
    phases_of, make = GAMES[name]
    found = make()
    for module in (found.pair.model, found.pair.guide):
        module.cuda()
    phases = phases_of(found, penalty=r1(1.0))
    players = [(phase, adam(1e-3)(phase.parameters())) for phase in phases]
    batch = {"x": torch.randn(64, 2, device="cuda"), "label": torch.arange(64, device="cuda") % 3}
    try:
        for turn in range(2):
            torch.cuda.set_sync_debug_mode("error" if turn else "default")
            for phase, optimiser in players:
                phase.objective(batch, Moment(turn, turn, 0.0))["loss"].mean().backward()
                optimiser.step()
                optimiser.zero_grad()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    pair = unflagged(found)
    assert pair.means(pair.infer(batch))["x"].device.type == "cuda"
