"""Recipes of vector-quantised autoencoders: grids that fit the data, and figures beside sums by hand."""

from math import log

import pytest
import torch

from deepgen.data.data import Data, arrays
from deepgen.evaluate.codes import codes
from deepgen.recipes.vector_quantised import VQVAE, VQVAE2
from deepgen.training.fit import fit
from deepgen.training.phase import Moment
from pgm.errors import ShapeError

TINY = {"channels": (4,), "blocks": 0, "width": 2, "size": 6, "prior_channels": 4, "prior_layers": 1, "epochs": 2}


def images(height: int, width: int) -> Data:
    made = torch.rand(30, height, width, generator=torch.Generator().manual_seed(0)).round()
    return arrays("noise", image=made, label=torch.arange(30) % 3)


@pytest.mark.parametrize(
    ("recipe", "shapes"),
    [
        (VQVAE(**TINY), {"code": (7, 2)}),
        (VQVAE(**TINY, codes=(3, 3)), {"code": (3, 3)}),
        (VQVAE2(**TINY), {"top": (4, 1), "bottom": (7, 2)}),
    ],
)
def test_grids_are_a_part_of_the_image_unless_they_are_given(recipe, shapes):
    setup = recipe.setup(images(28, 8))
    assert {name: setup.models["model"][name].shape for name in shapes} == shapes
    assert setup.sample(5, None).shape == (5, 28, 8)


@pytest.mark.parametrize("recipe", [VQVAE(labels=True, **TINY), VQVAE2(labels=True, entries="gradient", **TINY)])
def test_figures_are_sums_over_rows(recipe):
    torch.manual_seed(0)
    data = images(8, 8)
    setup = recipe.setup(data)
    fit(setup.phases, data, turns=2, batch=10, device="cpu", progress=False)
    found = {figure.name: figure.value for figure in codes(setup.pair, data, batch=7)}
    with torch.no_grad():
        values = setup.pair.infer(dict(data.columns))
        whole = setup.pair.model.log_prob(setup.pair.seen(values)).mean().item()
        made = setup.pair.means(values)["image"]
    assert found["log p(x)"] == pytest.approx(whole, abs=1e-4)
    assert found["bits per dimension"] == pytest.approx(-whole / 64 / log(2), abs=1e-4)
    assert found["squared error"] == pytest.approx((made - data["image"]).square().mean().item(), abs=1e-5)
    for name in [v.name for v in setup.pair.latents if "embedding" not in v.name]:
        shares = values[name].unique(return_counts=True)[1] / values[name].numel()
        assert found[f"entries of {name} used"] == pytest.approx(len(shares) / 6)
        assert found[f"perplexity of {name}"] == pytest.approx((-(shares * shares.log()).sum()).exp().item(), rel=1e-5)


def test_each_phase_has_half_of_the_steps():
    data = images(8, 8)
    recipe = VQVAE(**TINY, batch=5)  # 6 batches an epoch, 12 in all
    first, second = recipe.setup(data).phases
    assert first.rate(6) == second.rate(6) == 0.0
    assert first.rate(3) == pytest.approx(0.5)


def test_what_are_no_images_is_refused():
    with pytest.raises(ShapeError, match=r"vq_vae: 'x' is Real\(2\), expected images; choose other data\."):
        VQVAE().setup(arrays("points", x=torch.rand(4, 2)))


def test_entries_that_learn_by_gradient_are_parameters_that_move():
    data = images(8, 8)
    setup = VQVAE(entries="gradient", **TINY).setup(data)
    book = setup.pair.guide.conditionals["embedding"].function.codebook
    setup.phases[0].objective(dict(data.columns), Moment(0, 0, 0.0))
    before = book.entries.detach().clone()
    fit(setup.phases, data, turns=2, batch=30, device="cpu", progress=False)
    assert any(parameter is book.entries for parameter in setup.phases[0].parameters())
    assert (book.entries != before).any()
