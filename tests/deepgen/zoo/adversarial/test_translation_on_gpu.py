"""Translation where the GPU is: steps read nothing back."""

from collections.abc import Callable

import pytest
import torch

from deepgen.networks.dcgan import patchgan
from deepgen.networks.translating import unet_generator
from deepgen.training.phase import Phase
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
def test_a_step_does_not_wait_for_the_device(
    play: Callable[[], tuple[Phase, Phase]], turns_without_waiting: Callable[..., None]
) -> None:
    turns_without_waiting(play(), {name: torch.rand(16, 8, 8, device="cuda") for name in ("image", "source")})
