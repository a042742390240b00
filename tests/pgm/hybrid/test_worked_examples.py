"""Published answers, recursions and closed forms."""

import numpy as np
import pytest
import torch

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Gaussian,
    LinearGaussian,
    MarkovNetwork,
    Model,
    Quadratic,
    Real,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    sample,
)


def number(name: str, *shape: int) -> Variable:
    return Variable(name, Real(*shape))


@pytest.fixture(scope="module")
def incinerator() -> Model:
    """Emission from a waste incinerator: Lauritzen (1992), section 6."""
    burning = Variable("burning", ["stable", "unstable"])
    filtering = Variable("filter", ["intact", "defective"])
    waste = Variable("waste", ["industrial", "household"])
    names = ("efficiency", "dust", "co2", "light", "metal in", "metal out")
    efficiency, dust, co2, light, metal_in, metal_out = map(number, names)
    clg = ConditionalLinearGaussian
    return BayesianNetwork(
        Tabular(burning, [], [0.85, 0.15]),
        Tabular(filtering, [], [0.95, 0.05]),
        Tabular(waste, [], [2 / 7, 5 / 7]),
        clg(efficiency, [filtering, waste], None, [[-3.9, -3.2], [-0.4, -0.5]], [[2e-5, 2e-5], [1e-4, 1e-4]]),
        clg(dust, [burning, waste, efficiency], [[[1.0]]], [[6.5, 6.0], [7.5, 7.0]], [[0.03, 0.04], [0.1, 0.1]]),
        clg(co2, [burning], None, [-2.0, -1.0], [0.1, 0.3]),
        LinearGaussian(light, [dust], [-0.5], 3.0, 0.25),
        clg(metal_in, [waste], None, [0.5, -0.5], [0.01, 0.005]),
        LinearGaussian(metal_out, [dust, metal_in], [1.0, 1.0], 0.0, 0.002),
    )


# Means and standard deviations as printed, so half a unit of the last digit off at most (they came from rounded input).
BEFORE = {
    "efficiency": (-3.25, 0.709),
    "dust": (3.04, 0.770),
    "co2": (-1.85, 0.507),
    "light": (1.48, 0.631),
    "metal in": (-0.214, 0.459),
    "metal out": (2.83, 0.860),
}
AFTER = {"efficiency": (-3.90, 0.076), "dust": (3.61, 0.326), "metal in": (0.50, 0.10), "metal out": (4.11, 0.344)}


@pytest.mark.parametrize("name", BEFORE)
def test_the_incinerator_before_evidence(incinerator: Model, name: str) -> None:
    moments = infer(incinerator, [name])[name]
    assert (moments.mean.item(), moments.std.item()) == pytest.approx(BEFORE[name], abs=0.0051)


@pytest.mark.parametrize("name", AFTER)
def test_the_incinerator_after_evidence(incinerator: Model, name: str) -> None:
    post = infer(incinerator, given={"waste": "industrial", "light": 1.1, "co2": -0.9})
    assert (post[name].mean.item(), post[name].std.item()) == pytest.approx(AFTER[name], abs=0.0051)
    assert post["burning", "stable"].item() == pytest.approx(0.0122, abs=1e-3)
    assert post["filter", "intact"].item() == pytest.approx(0.9995, abs=5e-5)


def test_a_chain_is_a_kalman_filter_and_smoother() -> None:
    steps, transition, drift, noise, spread = 40, 0.9, 0.1, 0.5, 0.3
    states = [number(f"x{t}") for t in range(steps)]
    terms = [Gaussian(states[0], 0.0, 1.0)]
    terms += [LinearGaussian(b, [a], [transition], drift, noise) for a, b in zip(states, states[1:], strict=False)]
    terms += [LinearGaussian(number(f"y{t}"), [x], [1.0], 0.0, spread) for t, x in enumerate(states)]
    seen = np.random.default_rng(0).normal(size=steps)
    filtered, total, mean, variance = [], 0.0, 0.0, 1.0
    for t, y in enumerate(seen):
        if t:
            mean, variance = transition * mean + drift, transition**2 * variance + noise
        total -= 0.5 * (np.log(2 * np.pi * (variance + spread)) + (y - mean) ** 2 / (variance + spread))
        gain = variance / (variance + spread)
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance
        filtered.append((mean, variance))
    smoothed = [filtered[-1]]
    for mean, variance in reversed(filtered[:-1]):
        ahead = transition**2 * variance + noise
        back = variance * transition / ahead
        later_mean, later_variance = smoothed[-1]
        smoothed.append(
            (mean + back * (later_mean - transition * mean - drift), variance + back**2 * (later_variance - ahead))
        )
    post = infer(BayesianNetwork(*terms), given={f"y{t}": y for t, y in enumerate(seen)})
    found = [(post[x.name].mean.item(), post[x.name].variance.item()) for x in reversed(states)]
    np.testing.assert_allclose(found, smoothed, rtol=1e-10, atol=1e-12)
    assert post.log_evidence.item() == pytest.approx(total, abs=1e-10)


def test_bayesian_linear_regression() -> None:
    """Conjugate closed form: Bishop (2006), section 3.3."""
    generator = np.random.default_rng(1)
    rows, inputs = 25, generator.normal(size=(25, 3))
    weights = number("weights", 3)
    outputs = [number(f"y{i}") for i in range(rows)]
    terms = [Gaussian(weights, np.zeros(3), 2.0)]
    terms += [LinearGaussian(y, [weights], x, 0.0, 0.25) for x, y in zip(inputs, outputs, strict=True)]
    targets = generator.normal(size=rows)
    precision = np.eye(3) / 2.0 + inputs.T @ inputs / 0.25
    found = infer(BayesianNetwork(*terms), ["weights"], given={f"y{i}": y for i, y in enumerate(targets)})["weights"]
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), atol=1e-12)
    np.testing.assert_allclose(found.mean, np.linalg.solve(precision, inputs.T @ targets / 0.25), atol=1e-12)


def test_far_from_the_prior_no_digits_are_lost() -> None:
    """A prior of variance 1e8 and a sensor of 1e-4: precisions add up."""
    x, y = number("x"), number("y")
    model = BayesianNetwork(Gaussian(x, 0.0, 1e8), LinearGaussian(y, [x], [1.0], 0.0, 1e-4))
    found = infer(model, ["x"], given={"y": 1e5})
    assert found["x"].variance.item() == pytest.approx(1 / (1e4 + 1e-8), rel=1e-12)
    assert found["x"].mean.item() == pytest.approx(1e5 * 1e4 / (1e4 + 1e-8), rel=1e-14)
    expected = -0.5 * (np.log(2 * np.pi * (1e8 + 1e-4)) + 1e10 / (1e8 + 1e-4))
    assert found.log_evidence.item() == pytest.approx(expected, rel=1e-14)


def grid(side: int) -> tuple[MarkovNetwork, np.ndarray, np.ndarray]:
    """A Gaussian Markov network on a grid, with its whole precision and shift."""
    names = [(i, j) for i in range(side) for j in range(side)]
    cells = {place: number(f"g{place[0]},{place[1]}") for place in names}
    edges = [(a, (a[0] + di, a[1] + dj)) for a in names for di, dj in ((1, 0), (0, 1))]
    edges = [(a, b) for a, b in edges if b in cells]
    alone = [Quadratic([cells[a]], [[0.5]], [float(a[0] == a[1])]) for a in names]
    pairs = [Quadratic([cells[a], cells[b]], [[1.0, -1.0], [-1.0, 1.0]]) for a, b in edges]
    place = {a: i for i, a in enumerate(names)}
    precision = 0.5 * np.eye(len(names))
    for a, b in edges:
        ends = [place[a], place[b]]
        precision[np.ix_(ends, ends)] += [[1.0, -1.0], [-1.0, 1.0]]
    return MarkovNetwork(*alone, *pairs), precision, np.array([float(i == j) for i, j in names])


def test_a_gaussian_markov_network() -> None:
    model, precision, shift = grid(6)
    covariance = np.linalg.inv(precision)
    post = infer(model)
    moments = [post[name] for name in model.graph.names]
    np.testing.assert_allclose([m.mean for m in moments], covariance @ shift, atol=1e-12)
    np.testing.assert_allclose([m.variance for m in moments], np.diag(covariance), atol=1e-12)
    log_z = 0.5 * (shift @ covariance @ shift - np.linalg.slogdet(precision / (2 * np.pi))[1])
    assert log_evidence(model).item() == pytest.approx(log_z, abs=1e-10)


def test_a_gaussian_markov_network_given_some_of_it() -> None:
    """What is left has the precision's own block, and a shift less what the observed numbers pull: Rue and Held."""
    model, precision, shift = grid(4)
    names, seen = [f"g{i // 4},{i % 4}" for i in range(16)], {1: 0.7, 6: -2.0, 15: 1.0}
    rest = [i for i in range(16) if i not in seen]
    values = np.array(list(seen.values()))
    block = precision[np.ix_(rest, rest)]
    mean = np.linalg.solve(block, shift[rest] - precision[np.ix_(rest, list(seen))] @ values)
    post = infer(model, given={names[i]: x for i, x in seen.items()})
    found = [post[name] for name in names]
    np.testing.assert_allclose([found[i].mean for i in rest], mean, atol=1e-12)
    np.testing.assert_allclose([found[i].variance for i in rest], np.diag(np.linalg.inv(block)), atol=1e-12)
    best = mpe(model, given={names[i]: x for i, x in seen.items()}).assignment()
    np.testing.assert_allclose([best[names[i]] for i in rest], mean, atol=1e-12)


def test_samples_of_a_gaussian_markov_network() -> None:
    """The mean of n draws is off by sigma / sqrt(n), their variance by sigma^2 sqrt(2 / n): five of these at most."""
    model, precision, shift = grid(3)
    covariance, n = np.linalg.inv(precision), 4000
    draws = np.stack([sample(model, n, seed=5)[name] for name in model.graph.names], 1)
    std = np.sqrt(np.diag(covariance))
    assert (np.abs(draws.mean(0) - covariance @ shift) < 5 * std / np.sqrt(n)).all()
    spread = np.sqrt((np.outer(std**2, std**2) + covariance**2) / n)
    assert (np.abs(np.cov(draws.T) - covariance) < 5 * spread).all()


def test_potentials_and_conditionals_together() -> None:
    """A potential exp(2 b - b^2 / 2) is a sensor of variance 1 that sees 2, but for a constant."""
    a, b, sensor = number("a"), number("b"), number("sensor")
    terms = [Gaussian(a, 1.0, 2.0), LinearGaussian(b, [a], [0.5], 0.0, 0.3)]
    mixed = infer(Model(*terms, Quadratic([b], [[1.0]], [2.0])))
    seen = infer(BayesianNetwork(*terms, LinearGaussian(sensor, [b], [1.0], 0.0, 1.0)), given={"sensor": 2.0})
    assert mixed["a"].mean.item() == pytest.approx(seen["a"].mean.item(), abs=1e-12)
    assert mixed["a"].variance.item() == pytest.approx(seen["a"].variance.item(), abs=1e-12)
    scale = 0.5 * np.log(2 * np.pi) + 2.0  # exp(2 b - b^2 / 2) = exp(2) sqrt(2 pi) N(2; b, 1)
    assert mixed.log_evidence.item() == pytest.approx(seen.log_evidence.item() + scale, abs=1e-12)


def test_float32_parameters_are_answered_in_float64() -> None:
    x = number("x")
    model = BayesianNetwork(Gaussian(x, torch.tensor(1.0), torch.tensor(2.0))).float()
    assert infer(model)["x"].mean.dtype == torch.float64
