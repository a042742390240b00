"""Translation where the GPU is: steps read nothing back."""

from collections.abc import Callable

import pytest
import torch

from deepgen.networks.dcgan import patchgan
from deepgen.networks.translating import unet_generator
from deepgen.training.phase import Moment, Phase, adam
from deepgen.zoo.adversarial import cycle, cycle_consistent, pix2pix, translator
from pgm import Real, Variable

IMAGE, SOURCE = Variable("image", Real(8, 8)), Variable("source", Real(8, 8))
NETWORKS = {"generator": unet_generator(8), "discriminator": patchgan(8, norm="none"), "patches": (4, 4)}


@pytest.mark.gpu
@pytest.mark.parametrize(
    "play",
    [
        lambda: pix2pix(translator(IMAGE, SOURCE, latents=2, **NETWORKS)),
        lambda: cycle_consistent(cycle(IMAGE, SOURCE, **NETWORKS), identity=5.0),
    ],
    ids=["pix2pix", "cycle"],
)
def test_a_step_does_not_wait_for_the_device(play: Callable[[], tuple[Phase, Phase]]) -> None:
    phases = play()
    for phase in phases:
        for module in phase.modules.values():
            module.cuda()
    batch = {name: torch.rand(16, 8, 8, device="cuda") for name in ("image", "source")}
    players = [(phase, adam()(phase.parameters())) for phase in phases]
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
