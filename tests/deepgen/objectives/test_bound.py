"""The evidence lower bound against closed forms, enumeration and Pyro's estimators."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

import pgm
from deepgen.objectives import elbo, minus_kl
from pgm import (
    Binary,
    Deterministic,
    Gaussian,
    Implicit,
    Joined,
    LinearGaussian,
    Model,
    Neural,
    Real,
    Tabular,
    Variable,
    as_pyro,
)

SEEDS = st.integers(0, 10**6)
Z, X = Variable("z", Real(2)), Variable("x", Real(3))


def vae(seed: int) -> tuple[Model, Model, Tensor]:
    """A small variational auto-encoder, and five rows of pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x = Variable("x", Binary(6))
        model = Model(Gaussian(Z, [0.5, -0.5], [1.0, 2.0]), Neural(x, [Z], pgm.bernoulli, nn.Linear(2, 6).double()))
        guide = Model(Neural(Z, [x], pgm.normal, nn.Linear(6, 4).double()))
        return model, guide, torch.bernoulli(torch.full((5, 6), 0.5, dtype=torch.float64))


def seeded(run: Any) -> Any:
    """The same, with the same noise each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return run()


def gradients(total: Tensor, *models: nn.Module) -> list[Tensor]:
    """The gradient in every parameter that matters."""
    parameters = [p for model in models for p in model.parameters() if p.requires_grad]
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


@settings(max_examples=10)
@given(seed=SEEDS)
def test_value_and_gradient_are_those_of_pyro_with_the_same_noise(seed: int) -> None:
    model, guide, x = vae(seed)

    def theirs() -> Tensor:
        program, proposal = as_pyro(model, given={"x": x}), as_pyro(guide, given={"x": x})
        return -TraceMeanField_ELBO().differentiable_loss(program, lambda: proposal_latent(proposal))

    def proposal_latent(proposal: nn.Module) -> Any:
        return poutine.block(proposal, hide=["x"])()

    ours, other = seeded(lambda: elbo(model, guide, {"x": x}).sum()), seeded(theirs)
    torch.testing.assert_close(ours, other)
    torch.testing.assert_close(gradients(ours, model, guide), gradients(other, model, guide))


def linear(seed: int) -> tuple[Model, Model, Tensor]:
    """z -> x with Gaussian noise, the exact posterior as the guide, and rows of x."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    model = Model(Gaussian(Z, [0.0, 0.0], 1.0), LinearGaussian(X, [Z], a, [0.1, 0.2, 0.3], 0.5))
    precision = torch.eye(2, dtype=torch.float64) + a @ a.mT / 0.5
    gain = torch.linalg.solve(precision, a) / 0.5  # [2, 3]
    bias = -gain @ torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    guide = Model(LinearGaussian(Z, [X], gain.mT, bias, torch.linalg.inv(precision)))
    return model, guide, torch.randn(4, 3, generator=generator, dtype=torch.float64)


@settings(max_examples=10)
@given(seed=SEEDS, particles=st.integers(1, 3))
def test_with_the_exact_posterior_the_bound_is_the_evidence_whatever_the_noise(seed: int, particles: int) -> None:
    model, guide, x = linear(seed)
    a = model.conditionals["x"].regression().weights.detach()  # type: ignore[attr-defined]
    covariance = a.mT @ a + 0.5 * torch.eye(3, dtype=torch.float64)
    mean = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)
    torch.testing.assert_close(elbo(model, guide, {"x": x}, particles), exact)


def test_the_closed_divergence_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    q, p = (Normal(torch.randn(3, generator=generator), torch.rand(3, generator=generator) + 0.1) for _ in "qp")
    torch.testing.assert_close(minus_kl(q, p), -kl_divergence(q, p))
    narrow = pgm.normal(torch.tensor([0.5, -100.0]))  # a deviation whose square, and itself, are 0 in short floats
    found = minus_kl(narrow, pgm.normal(torch.zeros(2)))
    assert found.item() == pytest.approx(0.5 * (1 - 200 - 0.25))  # log s - (s^2 + 0.5^2 - 1) / 2


def test_what_is_computed_from_later_draws_rules_out_the_closed_form() -> None:
    """u is drawn before z, and its prior depends on z by way of e, which the guide computes or the model."""
    u, z, e, x = (Variable(name, Real()) for name in "uzex")
    double = Deterministic(e, [z], lambda z: 2 * z)
    model = Model(Gaussian(z, 0.0, 1.0), double, LinearGaussian(u, [e], [0.5], 0.0, 0.5), Gaussian(x, 0.0, 1.0))
    drawn = LinearGaussian(u, [x], [0.5], 0.0, 0.5), LinearGaussian(z, [u], [0.9], 0.0, 0.2)
    rows = {"x": torch.ones(5_000, dtype=torch.float64)}
    plain, computing = (seeded(lambda g=g: elbo(model, g, rows)) for g in (Model(*drawn), Model(*drawn, double)))
    torch.testing.assert_close(plain, computing)


def test_particles_average_to_the_expectation() -> None:
    model, guide, x = vae(3)
    few = seeded(lambda: elbo(model, guide, {"x": x.expand(2000, *x.shape)}).detach())
    error = few.std(0) / math.sqrt(2000) + few.std(0) / math.sqrt(4000)
    many = seeded(lambda: elbo(model, guide, {"x": x}, particles=4000).detach())
    assert bool(((many - few.mean(0)).abs() < 4 * error).all())


def test_a_hierarchy_drawn_against_the_models_order_uses_no_closed_form_where_none_holds() -> None:
    top, low, x = Variable("top", Real()), Variable("low", Real()), Variable("x", Real())
    model = Model(
        Gaussian(top, 0.0, 1.0), LinearGaussian(low, [top], [0.8], 0.0, 0.36), LinearGaussian(x, [low], [1.0], 0.0, 1.0)
    )
    guide = Model(LinearGaussian(low, [x], [0.4], 0.1, 0.3), LinearGaussian(top, [low], [0.5], 0.0, 0.4))
    bounds = seeded(lambda: elbo(model, guide, {"x": torch.tensor(1.3, dtype=torch.float64)}, particles=20_000))

    def exact() -> float:
        # E_q[log p(x | low) + log p(low | top) + log p(top) - log q(low | x) - log q(top | low)], all Gaussian
        m, v = 0.4 * 1.3 + 0.1, 0.3
        mt, vt, cov = 0.5 * m, 0.25 * v + 0.4, 0.5 * v
        log2pi = math.log(2 * math.pi)
        p_x = -0.5 * (log2pi + v + (1.3 - m) ** 2)
        p_low = -0.5 * (log2pi + math.log(0.36) + (v - 1.6 * cov + 0.64 * vt + (m - 0.8 * mt) ** 2) / 0.36)
        p_top = -0.5 * (log2pi + vt + mt**2)
        entropies = 0.5 * (2 * (log2pi + 1) + math.log(0.3) + math.log(0.4))
        return p_x + p_low + p_top + entropies

    rows = torch.full((20_000,), 1.3, dtype=torch.float64)
    each = seeded(lambda: elbo(model, guide, {"x": rows}).detach())
    assert each.mean().item() == pytest.approx(exact(), abs=4 * each.std().item() / math.sqrt(20_000))
    assert bounds.item() == pytest.approx(exact(), abs=4 * each.std().item() / math.sqrt(20_000))


def mixture(seed: int) -> tuple[Model, Neural, Tensor]:
    """A finite y and a numeric z behind x, a classifier q(y | x), and rows of x."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        y, x = Variable("y", 3), Variable("x", Real(2))
        model = Model(
            Tabular(y, [], [0.2, 0.3, 0.5]),
            Neural(x, [y], pgm.normal, nn.Linear(3, 4)),
        )
        return model, Neural(y, [x], pgm.categorical, nn.Linear(2, 3)), torch.randn(4, 2)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_finite_variable_is_summed_as_the_guide_weighs_it(seed: int) -> None:
    model, classifier, x = mixture(seed)
    log_q = torch.stack([classifier.log_prob(x, torch.full((4,), k)) for k in range(3)])
    log_p = torch.stack([model.log_prob({"x": x, "y": torch.full((4,), k)}) for k in range(3)])
    expected = (log_q.exp() * (log_p - log_q)).sum(0)
    torch.testing.assert_close(elbo(model, Model(classifier), {"x": x}).double(), expected)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_finite_variable_that_the_guide_leaves_out_is_summed_exactly(seed: int) -> None:
    model, _, x = mixture(seed)
    log_p = torch.stack([model.log_prob({"x": x, "y": torch.full((4,), k)}) for k in range(3)])
    found = elbo(model, Model(), {"x": x})
    torch.testing.assert_close(found.double(), log_p.logsumexp(0), rtol=1e-5, atol=1e-5)  # float32 net
    torch.testing.assert_close(gradients(found.sum(), model), gradients(log_p.logsumexp(0).sum(), model))


def test_states_particles_and_rows_keep_to_their_axes() -> None:
    y, x = Variable("y", 2), Variable("x", Real(3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(
            Tabular(y, [], [0.4, 0.6]),
            Neural(Z, [y], pgm.normal, nn.Linear(2, 4)),
            Neural(x, [Z, y], pgm.normal, Joined(nn.Linear(4, 6))),
        )
        guide = Model(
            Neural(y, [x], pgm.categorical, nn.Linear(3, 2)), Neural(Z, [x, y], pgm.normal, Joined(nn.Linear(5, 4)))
        )
        rows = torch.randn(2, 3)
        many = elbo(model, guide, {"x": rows}, particles=20_000)
        log_q = torch.stack([guide.conditionals["y"].log_prob(rows, torch.full((2,), k)) for k in range(2)])
        known = torch.stack(
            [elbo(model, guide, {"x": rows, "y": torch.full((2,), k)}, particles=20_000) for k in range(2)]
        )
        single = elbo(model, guide, {"x": rows[0].expand(20_000, 3)}).detach()
    expected = (log_q.exp() * (known - log_q)).sum(0)
    bound = 6 * single.std().item() / math.sqrt(20_000)  # both sides are means of 20,000 draws
    assert many.shape == (2,)
    torch.testing.assert_close(many, expected, rtol=0, atol=bound)


def test_what_is_computed_from_draws_is_computed() -> None:
    z, e, x = Variable("z", Real(1)), Variable("e", Real(1)), Variable("x", Real())
    model = Model(
        Gaussian(z, [0.0], [[1.0]]), Deterministic(e, [z], lambda z: 2 * z), LinearGaussian(x, [e], [1.0], 0.0, 1.0)
    )
    guide = Model(LinearGaussian(z, [x], [[0.4]], [0.0], [[0.2]]))  # the posterior of z given x = 2 z + noise
    x_value = torch.tensor([0.5, -1.0], dtype=torch.float64)
    torch.testing.assert_close(elbo(model, guide, {"x": x_value}), Normal(0.0, 5.0**0.5).log_prob(x_value))


def test_the_bound_is_pyros_for_a_joint_without_closed_form() -> None:
    model, guide, x = linear(1)
    program, proposal = as_pyro(model, given={"x": x}), as_pyro(guide, given={"x": x})
    theirs = -Trace_ELBO().differentiable_loss(program, lambda: poutine.block(proposal, hide=["x"])())
    torch.testing.assert_close(elbo(model, guide, {"x": x}).sum(), theirs)  # the posterior itself: no noise


def test_a_count_cannot_be_drawn_by_reparameterisation() -> None:
    n, x = Variable("n", pgm.Count()), Variable("x", Real())
    poisson = torch.distributions.Poisson
    model = Model(Neural(n, [x], lambda rate: poisson(rate), torch.exp), Gaussian(x, 0.0, 1.0))
    with pytest.raises(
        pgm.PlanError, match=r"^elbo: node 'n' is not reparameterised and has no finite states to sum\."
    ):
        elbo(model, Model(Neural(n, [x], lambda rate: poisson(rate), torch.exp)), {"x": torch.zeros(2)})


def test_a_variable_that_nobody_gives_is_named() -> None:
    model, _, x = linear(0)
    with pytest.raises(pgm.PlanError, match=r"^elbo: node 'z' is neither observed nor drawn, and has no finite"):
        elbo(model, Model(), {"x": x})


def test_a_guide_has_conditionals_only() -> None:
    model, _, x = linear(0)
    with pytest.raises(pgm.PlanError, match=r"^elbo: the guide is Model.*; look at 'z'\.$"):
        elbo(model, Model(pgm.Quadratic([Z], torch.eye(2))), {"x": x})


def test_a_value_has_its_variables_shape() -> None:
    model, guide, _ = linear(0)
    with pytest.raises(pgm.ShapeError, match=r"^elbo: 'x' has shape \(4, 2\), expected \[\*batch, 3\]\.$"):
        elbo(model, guide, {"x": torch.zeros(4, 2)})
    with pytest.raises(pgm.ShapeError, match=r"^elbo: 'x' is a list, expected a tensor\.$"):
        elbo(model, guide, {"x": [0.0, 0.0, 0.0]})  # type: ignore[dict-item]
    with pytest.raises(pgm.PlanError, match=r"^elbo: particles is 0, expected 1 or more\.$"):
        elbo(model, guide, {"x": torch.zeros(4, 3)}, particles=0)


def test_a_generator_has_no_density_to_bound() -> None:
    x = Variable("x", Real(3))
    model = Model(Gaussian(Z, [0.0, 0.0], 1.0), Implicit(x, [Z], Joined(nn.Linear(3, 3)), 1))
    guide = Model(LinearGaussian(Z, [x], torch.zeros(3, 2), [0.0, 0.0], 1.0))
    with pytest.raises(pgm.PlanError, match="'x' has no log_prob"):
        elbo(model, guide, {"x": torch.zeros(4, 3)})


@pytest.mark.gpu
def test_the_bound_is_the_same_on_a_gpu() -> None:
    model, guide, x = linear(2)
    expected = elbo(model, guide, {"x": x}, particles=2).detach()  # with the posterior as guide there is no noise
    found = elbo(model.to("cuda"), guide.to("cuda"), {"x": x.to("cuda")}, particles=2)
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.detach().cpu(), expected)


@pytest.mark.gpu
def test_states_are_summed_on_a_gpu() -> None:
    model, classifier, x = mixture(0)
    expected = [elbo(model, guide, {"x": x}).detach() for guide in (Model(classifier), Model())]
    model, classifier = model.to("cuda"), classifier.to("cuda")
    for guide, value in zip((Model(classifier), Model()), expected, strict=True):
        found = elbo(model, guide, {"x": x.to("cuda")}).detach().cpu()
        torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-4)  # float32 nets
