"""The variational autoencoder beside Pyro."""

import pytest
import torch

from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.pair import Pair
from deepgen.testing import pyro_bound, pyro_trained
from deepgen.zoo.vae import vae
from pgm import Binary, Real, Variable

LABEL = Variable("label", range(3))
SEEN = {
    "x": torch.rand(6, 5, generator=torch.Generator().manual_seed(0)).round(),
    "label": torch.tensor([0, 1, 2, 0, 1, 2]),
}


def made(domain, label=None) -> Pair:
    torch.manual_seed(0)
    return vae(Variable("x", domain), 2, label=label, encoder=mlp(8), decoder=mlp(8))


@pytest.mark.parametrize("domain", [Binary(5), Real(5)])
@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_is_pyros(domain, label):
    pair = made(domain, label)
    seen = pair.seen(SEEN)
    theirs, error = pyro_bound(pair, seen, 400)
    ours = elbo(pair.model, pair.guide, seen, 4000).sum(-1)
    assert abs(ours.item() - theirs) < 5 * error  # our own error is a third of theirs, the KL being in closed form


def test_plain_pyro_trains_it():
    losses = pyro_trained(made(Binary(5), LABEL), SEEN, steps=200, rate=1e-2)
    assert sum(losses[-20:]) < sum(losses[:20])


def test_what_is_observed_latent_and_given_follows_from_the_graphs():
    pair = made(Binary(5), LABEL)
    assert [[v.name for v in part] for part in (pair.observed, pair.latents, pair.given)] == [["x"], ["z"], ["label"]]


def test_samples_follow_their_label():
    pair = made(Binary(5), LABEL)
    values = pair.sample(4, {"label": torch.tensor([0, 1, 2, 0])}, seed=0)
    again = pair.sample(4, {"label": torch.tensor([1, 1, 2, 0])}, seed=0)
    changed = (pair.means(values)["x"] != pair.means(again)["x"]).any(-1)
    assert changed.tolist() == [True, False, False, False]
