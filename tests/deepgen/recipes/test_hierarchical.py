"""Recipes of hierarchies: their settings reach the model and the objective, and what they report is all there."""

import pytest
import torch
from torch import Tensor

from deepgen.data.data import Data, arrays
from deepgen.objectives import elbo_terms
from deepgen.recipes import RECIPES, Setup
from deepgen.training.fit import fit
from deepgen.training.phase import Moment

SMALL = {
    "hierarchical": {"latents": (3, 2), "hidden": (6,)},
    "ladder": {"latents": (3, 2), "hidden": (6,), "features": 5},
    "convolutional_ladder": {"latents": (2, 1), "channels": 4, "blocks": 1},
}


def images() -> Data:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(3, (24,), generator=generator)
    return arrays("noise", image=torch.rand(24, 7, 6, generator=generator).round(), label=label)


def made(name: str, **settings: object) -> Setup:
    torch.manual_seed(0)
    return RECIPES[name](**SMALL[name], **settings).setup(images())


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_trains_samples_and_measures(name: str, labels: bool) -> None:
    setup = made(name, labels=labels)
    history = fit(setup.phases, images(), turns=3, batch=8, device="cpu", record=1, progress=False)
    assert {"elbo.kl of z1", "elbo.kl of z2"} <= set(history.names)
    given: Tensor | None = torch.tensor([0, 1, 2]) if labels else None
    assert setup.sample(3, given).shape == (3, 7, 6)
    found = {figure.name for figure in setup.figures(images())}
    assert {"log p(x)", "kl of z1", "active units of z1", "kl of z2", "active units of z2"} == found


@pytest.mark.parametrize("name", SMALL)
def test_free_nats_and_annealing_are_those_of_the_objective(name: str) -> None:
    setup = made(name, free=0.3, annealing=4)
    (phase,), pair = setup.phases, setup.pair
    assert pair is not None
    batch = dict(images().columns)
    for step, beta in ((0, 0.0), (1, 0.25), (9, 1.0)):
        torch.manual_seed(1)
        recorded = phase.objective(batch, Moment(step, step, 0.0))
        torch.manual_seed(1)
        terms = elbo_terms(pair.model, pair.guide, pair.seen(batch))
        costs = sum(each.mean().clamp_min(0.3) for each in terms.divergence.values())
        assert isinstance(recorded, dict)
        torch.testing.assert_close(recorded["loss"].mean(), -terms.reconstruction.mean() + beta * costs)


def test_levels_of_a_convolutional_ladder_are_images_of_half_the_size_each() -> None:
    pair = made("convolutional_ladder").pair
    assert pair is not None
    assert {v.name: v.shape for v in pair.latents} == {"z1": (2, 4, 3), "z2": (1, 2, 2)}


@pytest.mark.gpu
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_runs_on_a_gpu(name: str) -> None:
    setup = made(name, labels=True)
    history = fit(setup.phases, images(), turns=3, batch=8, device="cuda", record=1, progress=False)
    assert history["turn"][-1] == 3
    assert all(figure.value == figure.value for figure in setup.figures(images()))
