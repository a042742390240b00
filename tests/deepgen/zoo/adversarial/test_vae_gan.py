"""Autoencoders compared by features: each phase beside another route to its cost, and what its gradients reach."""

from math import log, pi, sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import leaky_relu, one_hot, softplus

from deepgen.conditionals.standard import Standard
from deepgen.data.data import arrays
from deepgen.networks import convolutional, mlp
from deepgen.objectives import elbo_terms
from deepgen.training.fit import fit
from deepgen.training.phase import Moment
from deepgen.zoo.adversarial import Gan, bigan, gan, learned_similarity, r1, vae_gan
from deepgen.zoo.adversarial.vae_gan import hidden_of, reconstructed, similarity
from pgm import Model, Neural, Real, Variable
from pgm.errors import GraphError, PlanError, ShapeError

X, LABEL, UNITS = Variable("x", Real(3)), Variable("label", 2), 5
START = Moment(0, 0, 0.0)
DISCRIMINATOR, ENCODER, GENERATOR = range(3)


def made(seed: int = 0) -> tuple[Gan, dict[str, Tensor]]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = vae_gan(X, 2, label=LABEL, generator=mlp(4), encoder=mlp(4), discriminator=mlp(4), features=UNITS)
        return model, {"x": torch.randn(8, 3), "label": torch.arange(8) % 2}


def features(model: Gan, x: Tensor, label: Tensor) -> Tensor:
    """What the hidden layers make of rows, multiplied out."""
    first, last = (layer for layer in hidden_of(model).below.modules() if isinstance(layer, nn.Linear))
    seen = torch.cat([x, one_hot(label, 2)], 1)
    return leaky_relu(last(torch.relu(first(seen))), 0.2)


def test_similarity_is_half_the_squared_distance_of_features():
    model, batch = made()
    other = {**batch, "x": torch.randn(8, 3)}
    one, two = (features(model, values["x"], values["label"]) for values in (batch, other))
    assert torch.allclose(similarity(model, batch, other), (one - two).square().sum(1) / 2, atol=1e-6)
    head = hidden_of(model).above.net[0]
    assert torch.allclose(model.scores(batch), head(one).squeeze(-1), atol=1e-6)


def test_the_encoder_makes_the_bound_of_a_vae_of_features_large():
    """p(d | z) = N(d(G(z)), 0.5^2 I): the cost is that bound's but for UNITS log(0.5 sqrt(2 pi))."""
    model, batch = made()

    def explained(z: Tensor, label: Tensor) -> Tensor:
        return features(model, model.generator.generate(z, label.argmax(-1)), label.argmax(-1))

    z, d = model.latents[0], Variable("d", Real(UNITS))
    vae = Model(Standard(z), Neural(d, [z, LABEL], lambda mean: Normal(mean, 0.5), explained), Standard(X))
    seen = {**batch, "d": features(model, batch["x"], batch["label"])}
    torch.manual_seed(0)
    bound = elbo_terms(vae, Model(model.encoders["z"]), seen)
    constant = UNITS * log(0.5 * sqrt(2 * pi)) - Standard(X).log_prob(batch["x"])
    torch.manual_seed(0)
    terms = learned_similarity(model, deviation=0.5)[ENCODER].objective(batch, START)
    assert torch.allclose(terms["kl of z"], bound.divergence["z"], atol=1e-5)
    assert torch.allclose(terms["loss"], -bound.bound() - constant, atol=1e-4)


def test_fake_rows_are_half_reconstructions_and_half_draws():
    model, batch = made()
    torch.manual_seed(0)
    again, drawn = reconstructed(model, batch)[0]["x"], model.fake(8, {"label": batch["label"]})["x"]
    fake = model.scores({"x": torch.cat([again[:4], drawn[4:]]), "label": batch["label"]})
    phases = learned_similarity(model, gamma=3.0)
    torch.manual_seed(0)
    costs = phases[DISCRIMINATOR].objective(batch, START)
    assert torch.allclose(costs["loss"], softplus(-model.scores(batch)) + softplus(fake), atol=1e-6)
    torch.manual_seed(0)
    terms = phases[GENERATOR].objective(batch, START)
    assert torch.allclose(terms["fooling"], softplus(-fake), atol=1e-6)
    assert torch.allclose(terms["loss"], 3 * terms["similarity"] + terms["fooling"], atol=1e-5)


@pytest.mark.parametrize(
    ("phase", "term", "reached"),
    [
        (DISCRIMINATOR, "loss", {"features", "head"}),
        (ENCODER, "kl of z", {"encoder"}),
        (ENCODER, "similarity", {"encoder", "generator", "features"}),
        (GENERATOR, "fooling", {"encoder", "generator", "features", "head"}),
        (GENERATOR, "similarity", {"encoder", "generator", "features"}),
    ],
)
def test_gradients_reach_what_a_cost_depends_on(phase, term, reached):
    """A phase moves of these its own alone, see below."""
    model, batch = made()
    net = hidden_of(model)
    parts = {"encoder": model.encoders["z"], "generator": model.generator, "features": net.below, "head": net.above}
    terms = learned_similarity(model)[phase].objective(batch, START)
    terms[term].sum().backward()
    assert {name for name, part in parts.items() if any(p.grad is not None for p in part.parameters())} == reached


@pytest.mark.parametrize(("phase", "moves"), [(0, "discriminator"), (1, "z"), (2, "generator")])
def test_phases_move_their_own(phase, moves):
    model, batch = made()
    before = {name: [p.clone() for p in module.parameters()] for name, module in model.modules.items()}
    fit(learned_similarity(model, penalty=r1(1.0))[phase], arrays(**batch), turns=1, batch=8, device="cpu")
    changed = [
        name
        for name, module in model.modules.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True))
    ]
    assert changed == [moves]


def test_images_are_compared_by_convolutions_too():
    image = Variable("image", Real(8, 8))
    model = vae_gan(image, 2, discriminator=convolutional(4), features=3)
    rows = {"image": torch.randn(6, 8, 8)}
    assert similarity(model, rows, rows).tolist() == [0.0] * 6
    assert hidden_of(model).features(rows["image"]).shape == (6, 3)


def test_what_does_not_fit_is_refused():
    wanted = r"learned_similarity: the guide is Model\(.*\), expected an encoder of each latent variable and a discrim"
    for model in (gan(X, 2), bigan(X, 2)):
        with pytest.raises(GraphError, match=wanted):
            learned_similarity(model)
    with pytest.raises(
        PlanError, match="learned_similarity: gamma is -1 and deviation 0, expected 0 or more, and above"
    ):
        learned_similarity(vae_gan(X), gamma=-1, deviation=0)
    with pytest.raises(ShapeError, match="hidden: units is 0, expected 1 feature or more"):
        vae_gan(X, features=0)
