"""Pictures of generators show what their latent variables make: ends and middles of ways, sums, nearest rows."""

import pytest
import torch

from deepgen.networks import mlp
from deepgen.pictures.generated import neighbours, sums, walks
from deepgen.zoo.adversarial import gan
from deepgen.zoo.adversarial.latent import difference, ink
from pgm import Real, Variable

IMAGE, LABEL = Variable("image", Real(4, 4)), Variable("label", range(3))


@pytest.fixture
def shown(monkeypatch):
    """What a sheet was given."""
    found = {}

    def sheet(images, columns, text, **options):
        found.update(images=images, columns=columns, text=text)

    monkeypatch.setattr("deepgen.pictures.generated.sheet", sheet)
    return found


@pytest.fixture
def model():
    torch.manual_seed(0)
    return gan(IMAGE, 2, label=LABEL, generator=mlp())


def test_ways_go_from_draws_to_draws_with_one_label_and_midway_along_the_circle(shown, model):
    given = {"label": torch.tensor([0, 1, 2])}
    walks(model, given, rows=3, steps=5, seed=4)
    torch.manual_seed(4)
    one, other = model.fake(3, given), model.fake(3, given)
    ways = shown["images"].unflatten(0, (3, 5))
    torch.testing.assert_close(ways[:, 0], one["image"])
    torch.testing.assert_close(ways[:, -1], other["image"])
    a, b = one["z"], other["z"]
    angle = torch.cosine_similarity(a, b).acos()[:, None]
    middle = (a + b) * (angle / 2).sin() / angle.sin()
    torch.testing.assert_close(ways[:, 2], model.sample(3, {**given, "z": middle}))


def test_sums_add_a_difference_of_latent_variables(shown, model):
    """By a linear generator, so that the same is added to every image."""
    given = {"label": torch.tensor([0, 1, 2, 0])}
    sums(model, {"bold": ink}, given, columns=4, rows=40, reach=2.0, seed=1)
    plain, bold = shown["images"].unflatten(0, (2, 4))
    more = difference(model, ink, {"label": given["label"].repeat(10)}, 40, seed=1)["z"]
    linear = next(part for part in model.generator.modules() if isinstance(part, torch.nn.Linear))
    added = (2.0 * linear.weight[:, :2] @ more).reshape(4, 4)
    torch.testing.assert_close(bold - plain, added.expand(4, 4, 4))
    assert (shown["columns"], list(shown["text"].left)) == (4, ["z", "+ bold"])
    assert ink(bold).mean() > ink(plain).mean()


def test_nearest_rows_stand_below_draws(shown):
    data = torch.arange(5.0)[:, None, None].expand(5, 2, 2)
    neighbours(data[[3, 1]] + 0.25, data)
    torch.testing.assert_close(shown["images"][2:], data[[3, 1]])
    assert list(shown["text"].under) == ["", "", "0.50", "0.50"]
