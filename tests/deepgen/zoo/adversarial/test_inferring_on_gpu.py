"""Games with an encoder where the GPU is: steps read nothing back, and rows and codes stay there."""

from collections.abc import Callable

import pytest
import torch

from deepgen.conditionals.point import point
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
def test_a_step_does_not_wait_for_the_device_and_codes_stay_there(
    name: str, turns_without_waiting: Callable[..., None]
) -> None:
    phases_of, make = GAMES[name]
    found = make()
    batch = {"x": torch.randn(64, 2, device="cuda"), "label": torch.arange(64, device="cuda") % 3}
    for module in (found.pair.model, found.pair.guide):
        module.cuda()
    turns_without_waiting(phases_of(found, penalty=r1(1.0)), batch)
    pair = unflagged(found)
    assert pair.means(pair.infer(batch))["x"].device.type == "cuda"
