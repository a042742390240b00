"""Hierarchical variational autoencoders beside exact inference, and beside Pyro with the same noise."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor

import pgm
from deepgen.networks import mlp
from deepgen.objectives import elbo, elbo_terms, iwae, log_weights
from deepgen.pair import Pair
from deepgen.testing import pyro_trained
from deepgen.zoo.hierarchical import markovian_hierarchical_vae, markovian_hierarchy
from deepgen.zoo.ladder import ladder_vae
from pgm import Binary, LinearGaussian, Real, Variable
from pgm.program import as_pyro

LABEL = Variable("label", range(3))
SEEN = {
    "x": torch.rand(6, 5, generator=torch.Generator().manual_seed(0)).round(),
    "label": torch.tensor([0, 1, 2, 0, 1, 2]),
}
NET = mlp(8)
FAMILIES = {
    "chain": partial(markovian_hierarchical_vae, encoder=NET, decoder=NET),
    "precision": partial(ladder_vae, upward=6, encoder=NET, decoder=NET),
    "network": partial(ladder_vae, upward=[7, 6, 5], encoder=NET, decoder=NET, combine="network"),
}


def made(family: str, label: Variable | None = None) -> Pair:
    torch.manual_seed(0)
    return FAMILIES[family](Variable("x", Binary(5)), [4, 3, 2], label=label)


def linear(slopes: list[float], noises: list[float], shift: float = 0.0) -> tuple[Pair, Tensor]:
    """A chain z_{t-1} = slope z_t + noise with its exact posterior as guide, and the variance of every level.

    Given the lower level nothing below it matters, so that q(z_t | z_{t-1}) is the posterior by Gaussian conditioning.
    """
    variances = [1.0]
    for slope, noise in zip(reversed(slopes), reversed(noises), strict=True):
        variances.insert(0, slope**2 * variances[0] + noise)
    levels = [Variable("x", Real()), *(Variable(f"z{t}", Real()) for t in range(1, len(slopes) + 1))]
    place = {v.name: t for t, v in enumerate(levels)}

    def down(child, given):
        t = place[child.name]
        return LinearGaussian(child, given, [slopes[t]], 0.0, noises[t])

    def up(child, given):
        t = place[child.name]
        gain = slopes[t - 1] * variances[t] / variances[t - 1]
        return LinearGaussian(child, given, [gain], shift, variances[t] * (1 - gain * slopes[t - 1]))

    return markovian_hierarchy(levels, up, down), torch.tensor(variances, dtype=torch.float64)


NUMBERS = st.lists(st.tuples(st.floats(0.3, 1.5), st.floats(0.2, 2.0)), min_size=1, max_size=4)


@settings(max_examples=5)
@given(NUMBERS, st.floats(-2, 2))
def test_with_the_exact_posterior_every_weight_is_the_evidence(chain, x):
    pair, variances = linear([a for a, _ in chain], [s for _, s in chain])
    seen = {"x": torch.tensor([x], dtype=torch.float64)}
    exact = pgm.log_evidence(pair.model, given={"x": x})
    expected = torch.distributions.Normal(0.0, variances[0].sqrt()).log_prob(seen["x"])
    torch.testing.assert_close(torch.as_tensor(exact).reshape(1), expected)
    torch.testing.assert_close(log_weights(pair.model, pair.guide, seen, 4).detach(), expected.expand(4, 1))


def test_the_bound_is_the_evidence_at_the_posterior_and_below_it_elsewhere():
    slopes, noises = [0.9, 1.2, 0.7], [0.5, 0.3, 0.8]
    seen = {"x": torch.tensor([0.0, 1.5], dtype=torch.float64)}
    exact = [pgm.log_evidence(linear(slopes, noises)[0].model, given={"x": x}).item() for x in (0.0, 1.5)]
    bounds = {}
    for shift in (0.0, 0.5):
        pair, _ = linear(slopes, noises, shift)
        torch.manual_seed(0)
        draws = torch.stack([elbo(pair.model, pair.guide, seen, 200).detach() for _ in range(25)])
        bounds[shift] = draws.mean(0), draws.std(0) / 5
    mean, error = bounds[0.0]
    assert ((mean - torch.tensor(exact)).abs() < 5 * error).all()
    mean, error = bounds[0.5]
    assert (mean + 5 * error < torch.tensor(exact)).all()  # by the divergence of the shifted guide from the posterior


def test_a_hierarchy_may_have_no_parameters_upwards():
    """Diffusion in small: latents of the data's size, noising by a schedule, the end nearly N(0, I)."""
    levels = [Variable(name, Real(2)) for name in ("x", "x1", "x2", "x3")]
    keep = dict(zip(("x1", "x2", "x3"), (0.9, 0.5, 0.01), strict=True))

    def noised(child, given):
        scale = keep[child.name] ** 0.5
        made = LinearGaussian(child, given, scale * torch.eye(2), torch.zeros(2), (1 - scale**2) * torch.eye(2))
        return made.requires_grad_(False)

    def denoised(child, given):
        return LinearGaussian(child, given, torch.eye(2), torch.zeros(2), torch.eye(2))

    pair = markovian_hierarchy(levels, noised, denoised)
    torch.manual_seed(0)
    values = pair.infer({"x": torch.full((20_000, 2), 3.0)})
    mean, spread = values["x3"].mean(0), values["x3"].std(0)
    signal = (0.9 * 0.5 * 0.01) ** 0.5 * 3.0
    torch.testing.assert_close(mean, torch.full((2,), signal, dtype=mean.dtype), atol=5 / 20_000**0.5, rtol=0)
    expected = torch.full((2,), (1 - 0.9 * 0.5 * 0.01) ** 0.5, dtype=mean.dtype)
    torch.testing.assert_close(spread, expected, atol=5 / 40_000**0.5, rtol=0)
    assert elbo(pair.model, pair.guide, {"x": torch.zeros(3, 2)}).shape == (3,)


def by_pyro(pair: Pair, seen: dict[str, Tensor], bound) -> Tensor:
    known = {name: value for name, value in seen.items() if name in pair.guide.graph.by_name}
    torch.manual_seed(1)
    return -bound()(as_pyro(pair.model, given=seen), as_pyro(pair.guide, given=known))()


def gradients(pair: Pair, value: Tensor) -> list[Tensor]:
    found = {id(p): p for module in (pair.model, pair.guide) for p in module.parameters()}
    return [value.detach(), *torch.autograd.grad(value, list(found.values()), materialize_grads=True)]


@pytest.mark.parametrize("label", [None, LABEL])
@pytest.mark.parametrize("family", FAMILIES)
def test_value_and_gradient_are_pyros_with_the_same_noise(family, label):
    pair = made(family, label)
    seen = pair.seen(SEEN)
    torch.manual_seed(1)
    ours = iwae(pair.model, pair.guide, seen, 1).sum()
    theirs = by_pyro(pair, seen, Trace_ELBO)
    torch.testing.assert_close(gradients(pair, ours), gradients(pair, theirs), atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Failed to verify mean field restriction")  # which looks at observed sites too
@pytest.mark.parametrize("family", ["precision", "network"])
def test_divergences_of_a_ladder_are_closed_as_pyros_are(family):
    pair = made(family, LABEL)
    torch.manual_seed(1)
    ours = elbo(pair.model, pair.guide, SEEN).sum()
    theirs = by_pyro(pair, SEEN, TraceMeanField_ELBO)
    torch.testing.assert_close(gradients(pair, ours), gradients(pair, theirs), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_pyro_trains_it(family):
    losses = pyro_trained(made(family, LABEL), SEEN, steps=30, rate=3e-2)
    assert sum(losses[-10:]) < sum(losses[:10])


@pytest.mark.parametrize("family", FAMILIES)
def test_levels_are_drawn_from_the_top_and_follow_the_label(family):
    pair = made(family, LABEL)
    names = [[v.name for v in part] for part in (pair.observed, pair.latents, pair.given)]
    assert names == [["x"], ["z3", "z2", "z1"], ["label"]]
    assert [pair.model.graph.parents[name] for name in ("z3", "z2", "z1", "x")] == [
        (),
        ("z3", "label"),
        ("z2", "label"),
        ("z1", "label"),
    ]
    one, other = (pair.sample(4, {"label": torch.tensor(which)}, seed=0) for which in ([0, 1, 2, 0], [1, 1, 2, 0]))
    assert (one["z3"] == other["z3"]).all()
    for name in ("z2", "z1"):
        assert (one[name] != other[name]).any(-1).tolist() == [True, False, False, False]


def test_a_level_can_be_frozen():
    pair = made("chain")
    held = torch.randn(1, 3).expand(8, 3)
    values = pair.sample(8, {"z2": held}, seed=0)
    assert torch.equal(values["z2"], held)
    assert values["z3"].var(0).min() > 0.01 < values["z1"].var(0).min()


def test_a_ladder_computes_its_features_once():
    pair, calls = made("precision"), []
    for name in ("d1", "d2", "d3"):
        pair.guide.conditionals[name].function.register_forward_hook(lambda *_, name=name: calls.append(name))
    elbo_terms(pair.model, pair.guide, pair.seen(SEEN), particles=3)
    assert calls == ["d1", "d2", "d3"]


def test_a_ladder_weighs_the_model_and_the_features_by_their_precision():
    pair = made("precision")
    z3, d2 = torch.randn(6, 2), torch.randn(6, 6)
    prior = pair.model.conditionals["z2"]
    whole = pair.guide.conditionals["z2"]
    seen = next(expert for expert in whole.experts if expert is not prior)
    p, q = prior.distribution(z3), seen.distribution(d2)
    found = whole.distribution(z3, d2)
    torch.testing.assert_close(1 / found.variance, 1 / p.variance + 1 / q.variance)
    torch.testing.assert_close(found.mean / found.variance, p.mean / p.variance + q.mean / q.variance)
    assert prior in whole.experts
