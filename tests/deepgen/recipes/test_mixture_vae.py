"""The recipe of mixture VAEs, short; and purity."""

import pytest
import torch
from sklearn.metrics.cluster import contingency_matrix

from deepgen.evaluate.clusters import purity
from deepgen.recipes.mixture_vae import MixtureVAE
from deepgen.training.fit import fit
from deepgen.training.phase import Moment
from pgm import ShapeError

SMALL = MixtureVAE(clusters=5, latents=3, hidden=(32,))


def test_a_few_steps_raise_the_bound_and_purity_is_named():
    torch.manual_seed(0)
    data = SMALL.load().rows(slice(0, 200))
    setup = SMALL.setup(data)
    before, options = setup.figures(data), {"turns": 30, "batch": 100, "progress": False, "device": "cpu"}
    fit(setup.phases, data, **options)
    after = setup.figures(data)
    assert after[0].value > before[0].value + 3 * (after[0].error + before[0].error)
    assert [figure.name for figure in after] == ["log p(x)", "log p(x)", "purity"]
    assert 0.1 < after[2].value < 1


def test_clusters_are_those_of_k_means_at_first_and_unknown_later():
    """A row whose cluster is given has the smaller bound, a term of the sum over clusters; by noise not every one."""
    torch.manual_seed(0)
    data = SMALL.load()
    setup, batch = SMALL.setup(data), {"image": data["image"][:50].round()}
    losses = []
    for step in (0, SMALL.steps(data)):
        torch.manual_seed(1)
        losses.append(setup.phases[0].objective(batch, Moment(step, step, 0.0)))
    lost = losses[0] - losses[1]
    assert lost.mean().item() > 5 * lost.std().item() / 50**0.5


@pytest.mark.parametrize("seed", range(3))
def test_purity_is_that_of_scikit_learns_contingency_table(seed):
    generator = torch.Generator().manual_seed(seed)
    clusters, labels = (torch.randint(k, [50], generator=generator) for k in (4, 6))
    table = contingency_matrix(labels.numpy(), clusters.numpy())
    assert purity(clusters, labels) == pytest.approx(table.max(0).sum() / 50)


def test_purity_is_of_pairs():
    with pytest.raises(ShapeError, match=r"shapes \(3,\) and \(4,\), expected \[rows\] for both"):
        purity(torch.zeros(3, dtype=torch.long), torch.zeros(4, dtype=torch.long))
