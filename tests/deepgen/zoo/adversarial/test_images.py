"""Adversarial networks of images: what is wrong with labels and shades is said before anything is drawn or moved."""

import pytest
import torch

from deepgen import Data, fit
from deepgen.networks.dcgan import dcgan_discriminator, dcgan_generator, patchgan
from deepgen.zoo.adversarial import adversarial, gan
from pgm import Real, Variable
from pgm.errors import EvidenceError, ShapeError

IMAGE, LABEL = Variable("image", Real(8, 8)), Variable("label", range(3))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return gan(IMAGE, 4, label=LABEL, generator=dcgan_generator(4, 8), discriminator=dcgan_discriminator(4, 8))


def test_samples_are_those_of_networks_at_rest_and_leave_no_trace(model):
    """With batch norm a sample depends on its own noise and label alone, and running means stay as they are."""
    model.pair.model.train()
    before = {name: value.clone() for name, value in model.pair.model.state_dict().items()}
    z, label = torch.randn(6, 4), torch.arange(6) % 3
    drawn = model.sample(6, {"z": z, "label": label})
    torch.testing.assert_close(model.sample(2, {"z": z[:2], "label": label[:2]}), drawn[:2])
    assert model.pair.model.training
    torch.testing.assert_close(model.pair.model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("label", [3, -1])
def test_samples_are_of_states_of_the_label(model, label):
    expected = f"sample: 'label' is {label} in a row, expected the number of one of its 3 states, 0 to 2."
    with pytest.raises(EvidenceError, match=expected):
        model.sample(2, {"label": torch.tensor([0, label])})


def test_there_is_a_label_for_each_row(model):
    with pytest.raises(ShapeError, match=r"'label' is given with shape \[2\], expected \[3\], a value for each of 3"):
        model.sample(3, {"label": torch.tensor([0, 1])})


def test_packs_and_patches_are_judged_by_convolutions():
    """A pack's score depends on both of its rows, labels included; patches score parts of a row each."""
    torch.manual_seed(1)
    x, label = torch.rand(6, 8, 8), torch.arange(6) % 3
    pair = gan(IMAGE, 4, label=LABEL, discriminator=dcgan_discriminator(4, 8, norm="layer"), pack=2)
    scores = pair.scores({"image": x, "label": label})
    assert scores.shape == (3,)
    for changed in ({"image": x.flip(1)}, {"label": (label + 1) % 3}):
        for rows in (slice(0, 3), slice(3, 6)):
            values = {"image": x.clone(), "label": label.clone()}
            for name, column in changed.items():
                values[name][rows] = column[rows]
            assert bool((pair.scores(values) != scores).all())
    parts = gan(IMAGE, 4, label=LABEL, discriminator=patchgan(4), patches=(4, 4))
    found = parts.scores({"image": x, "label": label})
    assert found.shape == (6, 4, 4)
    fit(adversarial(parts), Data({"image": x, "label": label}), turns=1, batch=4, device="cpu", progress=False)
    assert not torch.allclose(parts.scores({"image": x, "label": label}), found)


def learned(model, images, labels=None):
    rows = {"image": images, "label": torch.arange(len(images)) % 3 if labels is None else labels}
    fit(adversarial(model), Data(rows, "rows"), turns=1, batch=4, device="cpu", progress=False)


def test_shades_are_those_that_a_tanh_makes(model):
    with pytest.raises(ShapeError, match=r"'image' of rows has shades from 0 to 16, .* take centred\(data\)."):
        learned(model, torch.linspace(0, 16, 4 * 64).reshape(4, 8, 8))
    learned(model, torch.linspace(-1, 1, 4 * 64).reshape(4, 8, 8))


def test_images_and_labels_that_do_not_fit_are_refused(model):
    with pytest.raises(ShapeError, match=r"rows of shape \[9, 9\], generator expects \[8, 8\]"):
        learned(model, torch.zeros(4, 9, 9))
    with pytest.raises(
        ShapeError, match="'label' of rows is .* from 0 to 3, generator expects the numbers of 3 states"
    ):
        learned(model, torch.zeros(4, 8, 8), torch.arange(4))
