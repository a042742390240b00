"""Importance sampling within its own stated error of exact answers, and exact where nothing is drawn."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import pgm
from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Deterministic,
    Energy,
    Gaussian,
    Implicit,
    Importance,
    LinearGaussian,
    MarkovNetwork,
    Model,
    Neural,
    Plate,
    Real,
    Softmax,
    Tabular,
    Variable,
    infer,
)
from pgm.testing import random_case, random_targets

K, X, Y = Variable("k", ["low", "mid", "high"]), Variable("x", Real()), Variable("y", Real(2))
S, Z = Variable("s", 2), Variable("z", Real())


def mixture() -> BayesianNetwork:
    """k -> x -> y, and s below k."""
    return BayesianNetwork(
        Tabular(K, [], [0.2, 0.3, 0.5]),
        Tabular(S, [K], [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]),
        ConditionalLinearGaussian(X, [K], None, [-2.0, 0.0, 1.0], [1.0, 0.5, 2.0]),
        LinearGaussian(Y, [X], [[1.0, -0.5]], [0.0, 1.0], 0.8),
    )


EVIDENCE = {"y": [0.5, 0.2], "s": 1}


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_without_numbers_the_answers_are_exact(seed: int) -> None:
    model, evidence, likelihood = random_case(seed)
    targets = [*model.graph.names, *random_targets(seed, model)]
    exact = infer(model, targets, given=evidence, likelihood=likelihood)
    found = infer(model, targets, given=evidence, likelihood=likelihood, engine=Importance(10))
    for target in targets:
        torch.testing.assert_close(found[target], exact[target])
    torch.testing.assert_close(found.log_evidence, exact.log_evidence)


def test_answers_lie_within_their_own_error_of_the_exact_ones() -> None:
    targets = ["k", "x", ("x", "z"), ("k", "s")]
    model = Model(*mixture().pieces, LinearGaussian(Z, [X], [2.0], 0.0, 0.1))
    exact = infer(model, targets, given=EVIDENCE)
    found = infer(model, targets, given=EVIDENCE, engine=Importance(20_000))
    effective = found.diagnostics["effective_samples"]
    assert 1000 < effective < 20_000
    error = found.diagnostics["log_evidence_error"]
    assert found.log_evidence.item() == pytest.approx(exact.log_evidence.item(), abs=4 * error)
    spread = exact["x", "z"].std / math.sqrt(effective)
    assert bool(((found["x", "z"].mean - exact["x", "z"].mean).abs() <= 4 * spread).all())
    torch.testing.assert_close(found["x"].mean, found["x", "z"].flat[0])
    binomial = (exact["k", "s"] * (1 - exact["k", "s"]) / effective).sqrt()  # more than with k summed
    assert bool(((found["k", "s"] - exact["k", "s"]).abs() <= 4 * binomial).all())
    assert found.plan.query.task == "marginal"


def posterior_guide() -> Model:
    """For z ~ N(0, 1) and y = z + noise of variance 1: the exact posterior, given y."""
    return Model(LinearGaussian(Z, [X], [0.5], 0.0, 0.5))


def program_guide() -> None:
    """The same for x = 2, as a Pyro program."""
    pyro.sample("z", dist.Normal(torch.tensor(1.0, dtype=torch.float64), 0.5**0.5))


@pytest.mark.parametrize("guide", [posterior_guide(), program_guide], ids=["model", "program"])
def test_with_the_posterior_as_guide_every_draw_counts_the_same(guide: object) -> None:
    model = BayesianNetwork(Gaussian(Z, 0.0, 1.0), LinearGaussian(X, [Z], [1.0], 0.0, 1.0))
    found = infer(model, ["z"], given={"x": 2.0}, engine=Importance(1000, guide=guide))  # type: ignore[arg-type]
    assert found.diagnostics["effective_samples"] == pytest.approx(1000)
    exact = dist.Normal(0.0, 2.0**0.5).log_prob(torch.tensor(2.0)).item()
    assert found.log_evidence.item() == pytest.approx(exact, abs=1e-6)


def test_a_program_as_guide_of_copies_in_a_plate() -> None:
    model = BayesianNetwork(
        Gaussian(X, 0.0, 1.0),
        Plate("n", 2, LinearGaussian(Z, [X], [1.0], 0.0, 1.0), LinearGaussian(Y, [Z], [[1.0, 1.0]], [0.0, 0.0], 1.0)),
    )
    evidence = {"y[0]": [1.0, 0.5], "y[1]": [-0.5, 0.0]}

    def guide() -> None:
        x = pyro.sample("x", dist.Normal(0.3, 0.8))
        with pyro.plate("n", 2):
            pyro.sample("z", dist.Normal(0.5 * x + torch.tensor([0.5, -0.2]), 0.8))

    exact = infer(model, ["x", "z[0]", "z[1]"], given=evidence)
    found = infer(model, ["x", "z[0]", "z[1]"], given=evidence, engine=Importance(10_000, guide=guide))
    error = found.diagnostics["log_evidence_error"]
    assert found.log_evidence.item() == pytest.approx(exact.log_evidence.item(), abs=4 * error)
    for name in ("x", "z[0]", "z[1]"):
        bound = 4 * exact[name].std.item() / math.sqrt(found.diagnostics["effective_samples"])
        assert found[name].mean.item() == pytest.approx(exact[name].mean.item(), abs=bound)


def test_rows_of_evidence_are_answered_as_each_alone() -> None:
    model = mixture()
    rows = {"y": torch.tensor([[0.5, 0.2], [torch.nan, torch.nan], [-1.0, 3.0]]), "s": torch.tensor([1, 0, -1])}
    alone = [{"y": [0.5, 0.2], "s": 1}, {"s": 0}, {"y": [-1.0, 3.0]}]
    together = infer(model, ["k", "x"], given=rows, engine=Importance(500))
    for row, evidence in enumerate(alone):
        single = infer(model, ["k", "x"], given=evidence, engine=Importance(500))
        torch.testing.assert_close(together["k"][row], single["k"], rtol=1e-6, atol=1e-6)  # the rows are float32
        torch.testing.assert_close(together["x"].mean[row], single["x"].mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(together.log_evidence[row], single.log_evidence, rtol=1e-6, atol=1e-6)


def test_a_sampler_without_density_is_drawn_through() -> None:
    plain = BayesianNetwork(Gaussian(Z, 0.0, 1.0), LinearGaussian(X, [Z], [1.0], 0.0, 1.0))
    sampler = Implicit(Z, [], lambda noise: noise.squeeze(-1), noise=1)  # a standard normal, not saying so
    model = BayesianNetwork(sampler, LinearGaussian(X, [Z], [1.0], 0.0, 1.0))
    found = infer(model, ["z"], given={"x": 1.5}, engine=Importance(20_000))
    exact = infer(plain, ["z"], given={"x": 1.5})
    bound = 4 * exact["z"].std.item() / math.sqrt(found.diagnostics["effective_samples"])
    assert found["z"].mean.item() == pytest.approx(exact["z"].mean.item(), abs=bound)
    error = found.diagnostics["log_evidence_error"]
    assert found.log_evidence.item() == pytest.approx(exact.log_evidence.item(), abs=4 * error)


def test_a_sampler_that_a_summed_variable_steers_is_refused() -> None:
    model = BayesianNetwork(
        Tabular(S, [], [0.5, 0.5]), Implicit(Z, [S], lambda s, noise: noise.squeeze(-1) + s[..., 0], noise=1)
    )
    with pytest.raises(pgm.PlanError, match=r"^Implicit\(z\): it has no log_prob, which the answer depends on\."):
        infer(model, ["s"], given={"z": 0.0}, engine=Importance(10))


def test_numbers_computed_from_summed_states_have_the_moments_of_all_worlds() -> None:
    d = Variable("d", Real())
    model = BayesianNetwork(
        Tabular(S, [], [0.5, 0.5]),
        Gaussian(X, 1.0, 1.0),
        Deterministic(d, [X, S], lambda x, s: x * (1 + s)),
        LinearGaussian(Z, [d], [1.0], 0.0, 1.0),
    )
    found = infer(model, ["d", "s"], given={"z": 2.5}, engine=Importance(40_000))
    # p(z | s): N(1, 2) and N(2, 5); E[d | s]: 1 + (2.5 - 1) / 2 and 2 + (2.5 - 2) 4 / 5
    weights = torch.stack(
        [dist.Normal(1.0, 2**0.5).log_prob(torch.tensor(2.5)), dist.Normal(2.0, 5**0.5).log_prob(torch.tensor(2.5))]
    ).softmax(0)
    mean = (weights * torch.tensor([1.75, 2.4])).sum().item()
    bound = 4 * found["d"].std.item() * math.sqrt(2 / found.diagnostics["effective_samples"])  # drawn states, too
    assert found["d"].mean.item() == pytest.approx(mean, abs=bound)


def test_the_partition_function_of_an_energy_is_its_integral() -> None:
    model = MarkovNetwork(Energy([X], lambda x: (x**2 - 1) ** 2))
    found = infer(model, ["x"], engine=Importance(20_000))
    grid = torch.linspace(-6, 6, 20_001, dtype=torch.float64)
    exact = torch.trapezoid((-((grid**2 - 1) ** 2)).exp(), grid).log().item()
    assert found.log_evidence.item() == pytest.approx(exact, abs=4 * found.diagnostics["log_evidence_error"])


def test_a_softmax_below_a_number_is_evidence_on_it() -> None:
    model = BayesianNetwork(Gaussian(X, 0.0, 4.0), Softmax(K, [X], [[-1.0, 0.0, 1.0]], [0.0, 0.5, 0.0]))
    found = infer(model, ["x"], likelihood={"k": [0.0, 0.2, 0.8]}, engine=Importance(20_000))
    grid = torch.linspace(-20, 20, 20_001, dtype=torch.float64)
    chances = torch.stack([-grid, torch.full_like(grid, 0.5), grid], 1).softmax(1)
    weight = dist.Normal(0.0, 2.0).log_prob(grid).exp() * (0.2 * chances[:, 1] + 0.8 * chances[:, 2])
    total = torch.trapezoid(weight, grid)
    mean = (torch.trapezoid(weight * grid, grid) / total).item()
    bound = 4 * found["x"].std.item() / math.sqrt(found.diagnostics["effective_samples"])
    assert found["x"].mean.item() == pytest.approx(mean, abs=bound)
    assert found.log_evidence.item() == pytest.approx(
        total.log().item(), abs=4 * found.diagnostics["log_evidence_error"]
    )


def test_the_same_seed_draws_the_same_and_leaves_the_callers_randomness_alone() -> None:
    before = torch.get_rng_state()
    runs = [infer(mixture(), ["x"], given=EVIDENCE, engine=Importance(100, seed=s)).samples for s in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    first, again, other = (run["x"] for run in runs if run is not None)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evidence_that_no_draw_allows_is_an_error_or_nan() -> None:
    b = Variable("b", 2)
    never = Neural(
        b, [X], lambda x: dist.Categorical(logits=torch.stack([x * 0, x * 0 - torch.inf], -1)), nn.Identity()
    )
    model = BayesianNetwork(Gaussian(X, 0.0, 1.0), never)
    with pytest.raises(pgm.EvidenceError, match=r"^Importance: all 10 draws have probability 0 together with the evid"):
        infer(model, ["x"], given={"b": 1}, engine=Importance(10))
    nothing = infer(model, ["x"], given={"b": 1}, engine=Importance(10), impossible="nan")
    assert bool(torch.isnan(nothing["x"].mean))
    assert nothing.log_evidence.item() == -math.inf


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(pgm.PlanError, match=r"^Importance: samples is 1, expected 2 or more\.$"):
        Importance(1)
    with pytest.raises(pgm.PlanError, match=r"^Importance: \(k, x\) has finite and numeric variables; ask for them"):
        infer(mixture(), [("k", "x")], engine=Importance(10))
    with pytest.raises(pgm.PlanError, match=r"^Importance: the guide has no conditional of 'x'; expected conditionals"):
        infer(mixture(), ["x"], given=EVIDENCE, engine=Importance(10, guide=posterior_guide()))
    with pytest.raises(pgm.PlanError, match=r"^Importance: of the model's variables the guide draws \[\], exp"):
        infer(mixture(), ["x"], given=EVIDENCE, engine=Importance(10, guide=program_guide))


def values_of(samples: pgm.Samples | None, name: str) -> Tensor:
    assert samples is not None
    return samples[name]


def test_the_samples_are_the_posterior_without_weights() -> None:
    exact = infer(mixture(), ["k", "x"], given=EVIDENCE)
    found = infer(mixture(), ["k", "x"], given=EVIDENCE, engine=Importance(20_000))
    effective = found.diagnostics["effective_samples"]
    share = torch.bincount(values_of(found.samples, "k"), minlength=3) / 20_000
    error = (exact["k"] * (1 - exact["k"]) * (1 / effective + 1 / 20_000)).sqrt()
    assert bool(((share - exact["k"]).abs() <= 4 * error).all())
    bound = 4 * exact["x"].std.item() * math.sqrt(1 / effective + 1 / 20_000)
    assert values_of(found.samples, "x").mean().item() == pytest.approx(exact["x"].mean.item(), abs=bound)
