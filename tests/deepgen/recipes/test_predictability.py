"""The recipe for predictability minimisation, short."""

import pytest
import torch

from deepgen.recipes.predictability import Predictability
from deepgen.training.fit import fit


def test_its_figures_are_those_of_the_codes():
    torch.manual_seed(0)
    recipe = Predictability(units=4, hidden=(16,), binarise="threshold")
    data = recipe.load().rows(slice(0, 300))
    setup = recipe.setup(data)
    before = {figure.name: figure.value for figure in setup.figures(data)}
    options = {"turns": 40, "batch": 100, "progress": False, "device": "cpu"}
    fit(setup.phases, data, **options)
    after = {figure.name: figure.value for figure in setup.figures(data)}
    assert after["log p(x | z)"] > before["log p(x | z)"]
    codes = setup.pair.infer({"image": data["image"]})["z"]
    reconstruction = setup.pair.means({"z": codes})["image"]
    bits = torch.distributions.Bernoulli(reconstruction).log_prob(data["image"]).sum((1, 2)).mean()
    assert after["log p(x | z)"] == pytest.approx(bits.item(), rel=1e-5)
    share = (codes > 0.5).double().mean(0)
    entropy = torch.distributions.Bernoulli(share).entropy().mean()
    assert after["entropy of a unit"] == pytest.approx(entropy.item(), abs=1e-9)


@pytest.mark.parametrize("labels", [False, True])
def test_samples_take_each_unit_from_a_row_of_its_own(labels):
    torch.manual_seed(0)
    recipe = Predictability(units=2, hidden=(8,), labels=labels, binarise="threshold")
    data = recipe.load().rows(slice(0, 6))
    setup = recipe.setup(data)
    wanted = data["label"][:1].expand(40) if labels else None
    found = setup.sample(40, wanted)
    assert found.shape == (40, 8, 8)
    batch = {"image": data["image"], "label": data["label"]}
    codes = setup.pair.infer(batch)["z"]
    own = codes[data["label"] == data["label"][0]] if labels else codes
    pairs = torch.cartesian_prod(own[:, 0], own[:, 1])
    possible = setup.pair.means({"z": pairs, "label": data["label"][:1].expand(len(pairs))})["image"]
    distance = (found[:, None] - possible).abs().amax((-2, -1)).amin(1)
    assert distance.max().item() < 1e-6
