"""Learning by gradients against counts, moment matching, closed forms and another library."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pgm import (
    BayesianNetwork,
    Energy,
    EvidenceError,
    Gaussian,
    Implicit,
    Joined,
    LinearGaussian,
    Logistic,
    MarkovNetwork,
    Neural,
    NoisyMax,
    NoisyOr,
    Pairwise,
    PlanError,
    Plate,
    Quadratic,
    Real,
    Table,
    Tabular,
    Variable,
    categorical,
    fit,
    fit_by_gradient,
    infer,
    sample,
)
from pgm.testing import random_model

SEEDS = st.integers(0, 2**32 - 1)
RAIN, WET = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
X, Y = Variable("x", Real()), Variable("y", ["a", "b"])


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


@given(SEEDS)
@settings(max_examples=6)
def test_tables_become_relative_counts_and_zeros_stay(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_model(generator, 3, kind="bayesian")
    rows = sample(model, 40, seed=seed)
    found = fit_by_gradient(model, rows)
    assert found.log_likelihood == pytest.approx(fit(model, rows).log_likelihood, abs=0.02)
    for name, conditional in model.conditionals.items():
        before, table = conditional.factor().ordered(conditional.scope), found.model.conditionals[name].table
        assert bool((table[before == 0] == 0).all())
        torch.testing.assert_close(table.sum(-1), torch.ones_like(table.sum(-1)))


@given(SEEDS)
@settings(max_examples=5)
def test_markov_networks_match_the_moments_of_the_data(seed: int) -> None:
    """At the maximum the expected features under the model are those of the data."""
    generator = np.random.default_rng(seed)
    variables = [Variable(f"x{i}", 2 + i % 2) for i in range(4)]
    edges = [(0, 1), (1, 2), (2, 3), (3, 0)]

    def ring(scale: float) -> MarkovNetwork:
        shapes = [(variables[i].size, variables[j].size) for i, j in edges]
        pairs = zip(edges, shapes, strict=True)
        return MarkovNetwork(
            *(Pairwise(variables[i], variables[j], scale * generator.normal(size=shape)) for (i, j), shape in pairs)
        )

    rows = sample(ring(1.0), 400, seed=seed)
    found = fit_by_gradient(ring(0.0), rows)
    assert found.converged
    for i, j in edges:
        names = (variables[i].name, variables[j].name)
        seen = torch.zeros(variables[i].size, variables[j].size, dtype=torch.float64)
        seen.index_put_(tuple(rows[name] for name in names), torch.tensor(1 / 400, dtype=torch.float64), True)
        torch.testing.assert_close(infer(found.model, [names])[names], seen, atol=2e-5, rtol=0)


def test_a_table_potential_stays_positive_and_matches_its_counts() -> None:
    model = MarkovNetwork(Table([RAIN, WET], [[1.0, 1.0], [0.0, 1.0]]))
    found = fit_by_gradient(model, {"rain": ["no", "no", "yes", "no"], "wet": ["no", "yes", "yes", "no"]})
    posterior = infer(found.model, [("rain", "wet")])["rain", "wet"]
    torch.testing.assert_close(
        posterior, torch.tensor([[0.5, 0.25], [0.0, 0.25]], dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_gaussian_markov_network_has_the_mean_and_covariance_of_the_data() -> None:
    generator = np.random.default_rng(0)
    a, b = Variable("a", Real()), Variable("b", Real())
    data = generator.multivariate_normal([1.0, -1.0], [[2.0, 0.5], [0.5, 1.0]], 100)
    found = fit_by_gradient(MarkovNetwork(Quadratic([a, b], np.eye(2))), {"a": data[:, 0], "b": data[:, 1]})
    moments = infer(found.model, [("a", "b")])["a", "b"]
    np.testing.assert_allclose(numpy(moments.flat), data.mean(0), atol=1e-3)
    np.testing.assert_allclose(numpy(moments.covariance), np.cov(data.T, bias=True), atol=1e-3)
    precision = found.model.potentials[0].precision
    torch.testing.assert_close(precision, precision.T, rtol=0, atol=0)


def test_logistic_regression_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(1, 2, 200)
    y = (generator.random(200) < 1 / (1 + np.exp(-0.8 * x + 0.5))).astype(np.int64)
    model = BayesianNetwork(Gaussian(X, 0.0, 1.0), Logistic(Y, [X], [0.0], 0.0))
    found = fit_by_gradient(model, {"x": x, "y": y}, tolerance=1e-7).model.conditionals
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y)
    assert found["y"].weights.item() == pytest.approx(peer.coef_.item(), abs=1e-4)
    assert found["y"].bias.item() == pytest.approx(peer.intercept_.item(), abs=1e-4)
    assert found["x"].bias.item() == pytest.approx(x.mean(), abs=1e-4)
    assert found["x"].covariance.item() == pytest.approx(x.var(), abs=1e-3)


def test_one_noisy_cause_is_a_table() -> None:
    """p(on | off) = leak and p(on | on) = 1 - (1 - leak)(1 - strength): two numbers for two relative counts."""
    rain, wet = np.repeat([0, 1], 20), np.r_[np.repeat([0, 1], [16, 4]), np.repeat([0, 1], [5, 15])]
    for noisy in (NoisyOr(WET, [RAIN], [0.5], 0.5), NoisyMax(WET, [RAIN], [[[1, 0], [0.5, 0.5]]], [0.5, 0.5])):
        model = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]), noisy)
        found = fit_by_gradient(model, {"rain": rain, "wet": wet}, tolerance=1e-7).model.conditionals["wet"]
        np.testing.assert_allclose(numpy(found.factor().values[:, 1]), [0.2, 0.75], atol=1e-4)


def test_holes_are_summed_out() -> None:
    """EM and gradients end at the same likelihood."""
    model = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]), Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]]))
    rows = sample(model, 60, seed=0)
    holes = np.random.default_rng(0).random((2, 60)) < 0.3
    data = {name: np.where(gone, -1, rows[name].numpy()) for name, gone in zip(rows, holes, strict=True)}
    one, other = fit_by_gradient(model, data), fit(model, data, tolerance=1e-12)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-4)


def test_copies_in_a_plate_move_together() -> None:
    a, b = Variable("a", Real()), Variable("b", Real())
    latent = Gaussian(a, 0.0, 1.0)
    model = BayesianNetwork(latent, Plate("row", 3, LinearGaussian(b, [a], [1.0], 0.0, 1.0)))
    generator = np.random.default_rng(0)
    data = {"a": generator.normal(size=30)} | {f"b[{i}]": generator.normal(size=30) for i in range(3)}
    one, other = fit_by_gradient(model, data), fit(model, data)
    for name, tensor in other.model.state_dict().items():
        torch.testing.assert_close(one.model.state_dict()[name].abs(), tensor.abs(), atol=1e-4, rtol=1e-4)


def test_a_net_that_two_conditionals_share_is_moved_once() -> None:
    """Two children of one net: the same as one child whose rows are those of both."""
    net = torch.nn.Linear(1, 2, dtype=torch.float64)
    point, other = Variable("x", Real(1)), Variable("other", ["a", "b"])
    root = Gaussian(point, torch.zeros(1, dtype=torch.float64), 1.0)
    both = BayesianNetwork(root, Neural(Y, [point], categorical, net), Neural(other, [point], categorical, net))
    one = BayesianNetwork(root, Neural(Y, [point], categorical, net))
    generator = np.random.default_rng(0)
    x, y, z = generator.normal(size=(40, 1)), generator.integers(0, 2, 40), generator.integers(0, 2, 40)
    found = fit_by_gradient(both, {"x": x, "y": y, "other": z}).model.conditionals["y"]
    peer = fit_by_gradient(one, {"x": np.r_[x, x], "y": np.r_[y, z]}).model.conditionals["y"]
    at = torch.tensor([[-1.0], [0.0], [2.0]], dtype=torch.float64)
    torch.testing.assert_close(found.distribution(at).probs, peer.distribution(at).probs, atol=1e-4, rtol=0)


def test_batches_are_drawn_from_the_seed_and_find_the_way() -> None:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    x = generator.uniform(-3, 3, 300).astype(np.float32)
    data = {"x": torch.from_numpy(x), "y": (np.abs(x) < 1.5).astype(np.int64)}  # no line parts these
    point = Variable("x", Real(1))
    net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    data["x"] = data["x"].unsqueeze(1)
    root = Gaussian(point, torch.zeros(1), torch.tensor(3.0))
    root.requires_grad_(False)
    model = BayesianNetwork(root, Neural(Y, [point], categorical, Joined(net)))
    learn = partial(fit_by_gradient, model, data, steps=200, batch=50, optimiser=partial(torch.optim.Adam, lr=0.05))
    one, same, other = learn(seed=1), learn(seed=1), learn(seed=2)
    assert one.history == same.history
    assert one.history != other.history
    assert one.kept == ("Gaussian(x)",)
    guess = infer(one.model, ["y"], given={"x": data["x"]})["y"].argmax(1).numpy()
    assert (guess == data["y"]).mean() > 0.95


def test_weights_repeat_rows() -> None:
    net = MarkovNetwork(Table([RAIN], [1.0, 1.0]))
    found = fit_by_gradient(net, {"rain": ["no", "yes"]}, weights=[1.0, 3.0])
    torch.testing.assert_close(infer(found.model)["rain", "yes"].item(), 0.75, atol=1e-4, rtol=0)


class Weighted(torch.nn.Module):
    """An energy that depends on one weight, which starts at 0."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function, self.weight = function, torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return -self.function(self.weight) * states


def test_what_is_no_number_is_named_and_the_last_good_model_kept() -> None:
    """Plain steps that are too long make an exponential overflow; a square root has no slope at 0."""
    far = partial(torch.optim.SGD, lr=1e4)
    steep = MarkovNetwork(Energy([RAIN], Weighted(torch.exp)))
    found = fit_by_gradient(steep, {"rain": ["yes"]}, optimiser=far)
    assert found.stopped.startswith("Energy(rain): its table holds nan to nan, expected finite numbers")
    assert (found.iterations, found.converged) == (1, False)
    assert next(found.model.parameters()).item() == 0.0
    found = fit_by_gradient(MarkovNetwork(Energy([RAIN], Weighted(torch.sqrt))), {"rain": ["yes"]})
    assert found.stopped == "the gradient of Energy(rain).net.weight is no finite number"
    assert found.iterations == 0
    assert repr(found) == (
        "Fitted(log-likelihood -0.6931, 0 iterations, the gradient of Energy(rain).net.weight is no finite number)"
    )


def test_batches_estimate_the_weighted_mean_even_where_all_weights_are_zero() -> None:
    """A model that does not move: the mean over 400 batches of one row strays by their deviation / 20; 4 of those."""
    net = BayesianNetwork(Tabular(RAIN, [], [0.2, 0.8]))
    data, weights = {"rain": np.array([0, 1, 1, 0])}, [3.0, 1.0, 0.0, 0.0]
    still = partial(torch.optim.SGD, lr=0.0)
    found = fit_by_gradient(net, data, weights=weights, batch=1, steps=400, optimiser=still)
    assert (found.iterations, found.stopped) == (400, "")
    expected = (3 * np.log(0.2) + np.log(0.8)) / 4
    assert np.mean(found.history) == pytest.approx(expected, abs=4 * np.std(found.history) / 20)


def test_an_interruption_keeps_the_last_step() -> None:
    def progress(step: int, mean: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    model = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]))
    found = fit_by_gradient(model, {"rain": ["yes", "yes", "no"]}, progress=progress)
    assert (found.stopped, found.iterations) == ("interrupted", 2)
    assert found.log_likelihood > 3 * np.log(0.5)


def test_refusals() -> None:
    fixed = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5])).requires_grad_(False)
    with pytest.raises(PlanError, match=r"fit_by_gradient: no parameter requires a gradient"):
        fit_by_gradient(fixed, {"rain": ["no"]})
    coin = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]))
    with pytest.raises(EvidenceError, match=r"fit_by_gradient: weights are all 0, expected some above 0"):
        fit_by_gradient(coin, {"rain": ["no", "yes"]}, weights=[0, 0])
    with pytest.raises(PlanError, match=r"fit_by_gradient: batch is 0, expected 1 row or more"):
        fit_by_gradient(coin, {"rain": ["no", "yes"]}, batch=0)
    noise = BayesianNetwork(Implicit(Variable("x", Real(1)), [], torch.nn.Linear(3, 1), noise=3))
    with pytest.raises(PlanError, match=r"'x' has no log_prob"):
        fit_by_gradient(noise, {"x": [[1.0]]})
