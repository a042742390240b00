"""Recipes of sigmoid belief networks, short."""

import pytest
import torch

from deepgen.recipes.sigmoid import SBN, Helmholtz
from deepgen.training.fit import fit

SMALL = {"layers": (8, 4), "binarise": "threshold", "rate": 0.03}
WAYS = [SBN(**SMALL, objective=way) for way in ("vimco", "reinforce", "reweighted_wake")]
WAYS += [Helmholtz(**SMALL, reweighted=way) for way in (False, True)]


@pytest.mark.parametrize("recipe", WAYS, ids=["vimco", "reinforce", "reweighted_wake", "wake_sleep", "reweighted"])
def test_a_few_steps_raise_the_bound(recipe):
    torch.manual_seed(0)
    data = recipe.load().rows(slice(0, 200))
    setup = recipe.setup(data)
    (before, _), options = setup.figures(data), {"turns": 30, "batch": 100, "progress": False, "device": "cpu"}
    fit(setup.phases, data, **options)
    after, tighter = setup.figures(data)
    assert after.value > before.value + 3 * (after.error + before.error)
    assert tighter.value > after.value


def test_biases_start_at_the_shares_of_ones():
    recipe = SBN(**SMALL)
    data = recipe.load()
    image = recipe.setup(data).pair.model.conditionals["image"]
    start = image.distribution(torch.zeros(1, 8)).mean[0].detach()
    torch.testing.assert_close(start, data["image"].mean(0).clamp(1e-3, 1 - 1e-3))


@pytest.mark.parametrize("kind", [SBN, Helmholtz])
def test_samples_are_of_the_labels_asked_for(kind):
    recipe = kind(**SMALL, labels=True)
    setup = recipe.setup(recipe.load())
    torch.manual_seed(0)
    one = setup.sample(3, torch.tensor([1, 2, 3]))
    torch.manual_seed(0)
    other = setup.sample(3, torch.tensor([1, 2, 4]))
    assert one.shape == (3, 8, 8)
    assert (one != other).flatten(1).any(1).tolist() == [False, False, True]
