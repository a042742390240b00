"""Recipes of autoencoders, short."""

import pytest
import torch

from deepgen.recipes.autoencoder import Autoencoder
from deepgen.training.fit import fit
from pgm import PlanError

SMALL = {"codes": 4, "hidden": (32,)}
WAYS = {
    "plain": Autoencoder(**SMALL),
    "linear": Autoencoder(codes=4, hidden=()),
    "sparse": Autoencoder(**SMALL, sparsity=0.5),
    "noisy": Autoencoder(**SMALL, noise=0.3),
    "masked": Autoencoder(**SMALL, masked=0.3, binarise="dynamic", labels=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_few_steps_reconstruct_better(way):
    torch.manual_seed(0)
    data = WAYS[way].load().rows(slice(0, 200))
    setup = WAYS[way].setup(data)
    before = setup.figures(data)[0]
    fit(setup.phases, data, turns=40, batch=100, progress=False, device="cpu")
    after = setup.figures(data)[0]
    assert after.value < before.value - 3 * (after.error + before.error)


@pytest.mark.parametrize("labels", [False, True])
def test_samples_are_decoded_draws_of_a_gaussian_that_is_fitted_to_codes(labels):
    """Of a linear one their mean is that of all reconstructions."""
    torch.manual_seed(0)
    recipe = Autoencoder(codes=4, hidden=(), labels=labels)
    data = recipe.load()
    setup, rows = recipe.setup(data), 20_000
    given = torch.full([rows], 3) if labels else None
    drawn = setup.sample(rows, given)
    codes = setup.pair.infer(setup.pair.seen(data.columns))
    at = {"z": codes["z"]} | ({"label": torch.full([len(data)], 3)} if labels else {})
    expected = setup.pair.means(at)["image"].mean(0)
    assert bool(((drawn.mean(0) - expected).abs() < 5 * drawn.std(0) / rows**0.5 + 1e-5).all())


def test_one_corruption_at_a_time():
    recipe = Autoencoder(noise=0.3, masked=0.3)
    with pytest.raises(PlanError, match="both noise and masked are set, expected one of them"):
        recipe.setup(recipe.load())
