"""The fast path of tables: mixtures and hidden Markov models whose numbers are observed."""

from itertools import pairwise, product

import numpy as np
import pytest

from pgm import BayesianNetwork, ConditionalLinearGaussian, Logistic, Real, Tabular, Variable, infer, log_evidence, mpe

STEPS, STATES = 12, 3


def chain(generator: np.random.Generator) -> tuple[BayesianNetwork, np.ndarray, np.ndarray, np.ndarray]:
    """A hidden Markov model with Gaussian emissions, with its start, transitions and means."""
    start, moves = generator.dirichlet(np.ones(STATES)), generator.dirichlet(np.ones(STATES), STATES)
    means = generator.normal(size=STATES)
    hidden = [Variable(f"z{t}", STATES) for t in range(STEPS)]
    terms = [Tabular(hidden[0], [], start)]
    terms += [Tabular(b, [a], moves) for a, b in zip(hidden, hidden[1:], strict=False)]
    seen = [Variable(f"y{t}", Real()) for t in range(STEPS)]
    terms += [ConditionalLinearGaussian(y, [z], None, means, [0.5]) for y, z in zip(seen, hidden, strict=True)]
    return BayesianNetwork(*terms), start, moves, means


def test_forward_and_backward_recursions() -> None:
    generator = np.random.default_rng(0)
    model, start, moves, means = chain(generator)
    values = generator.normal(size=STEPS)
    weights = np.exp(-((values[:, None] - means) ** 2)) / np.sqrt(np.pi)
    forward, backward = [start * weights[0]], [np.ones(STATES)]
    for t in range(1, STEPS):
        forward.append(forward[-1] @ moves * weights[t])
        backward.append(moves @ (weights[STEPS - t] * backward[-1]))
    expected = np.array(forward) * np.array(backward[::-1])
    evidence = {f"y{t}": y for t, y in enumerate(values)}
    post = infer(model, given=evidence)
    total = np.log(forward[-1].sum())
    assert post.log_evidence.item() == pytest.approx(total, abs=1e-12)
    assert log_evidence(model, given=evidence).item() == pytest.approx(total, abs=1e-12)
    found = np.stack([post[f"z{t}"] for t in range(STEPS)])
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), atol=1e-12)
    assert post["y3"].mean.item() == values[3]


def test_likelihoods_beyond_the_floats_are_rescued() -> None:
    """Two copies of a state, told apart by 1,000 nats one way and 1,001 the other: odds of e."""
    a, b, x, y = Variable("a", 2), Variable("b", 2), Variable("x", Real()), Variable("y", Real())
    model = BayesianNetwork(
        Tabular(a, [], [0.5, 0.5]),
        Tabular(b, [a], [[1.0, 0.0], [0.0, 1.0]]),
        ConditionalLinearGaussian(x, [a], None, [0.0, 1.0], [1.0]),
        ConditionalLinearGaussian(y, [b], None, [0.0, 1.0], [1.0]),
    )
    post = infer(model, ["a"], given={"x": -999.5, "y": 1001.5})  # log odds x - 1/2 = -1000 and y - 1/2 = 1001
    assert post["a"].tolist() == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e)], abs=1e-9)


def test_a_classifier_that_sees_numbers() -> None:
    """p(sport | height) of a logistic regression, then Bayes' rule with a later test."""
    height, sport, test = Variable("height", Real()), Variable("sport", 2), Variable("test", 2)
    model = BayesianNetwork(
        ConditionalLinearGaussian(height, [], None, 0.0, 1.0),
        Logistic(sport, [height], [2.0], 0.5),
        Tabular(test, [sport], [[0.9, 0.1], [0.3, 0.7]]),
    )
    odds = np.exp(2.0 * np.array([-1.0, 0.0, 1.0]) + 0.5) * 0.7 / 0.1
    post = infer(model, ["sport"], given={"height": [-1.0, 0.0, 1.0], "test": [1, 1, 1]})
    np.testing.assert_allclose(post["sport"][:, 1], odds / (1 + odds), atol=1e-12)


def test_the_best_paths() -> None:
    """The five best of all paths of four steps, by enumeration."""
    generator = np.random.default_rng(3)
    model, start, moves, means = chain(generator)
    values = generator.normal(size=4)
    density = -((values[:, None] - means) ** 2) - 0.5 * np.log(np.pi)
    paths = list(product(range(STATES), repeat=4))
    logs = [
        np.log(start[p[0]])
        + sum(np.log(moves[a, b]) for a, b in pairwise(p))
        + sum(density[t, z] for t, z in enumerate(p))
        for p in paths
    ]
    order = np.argsort(logs)[::-1][:5]
    evidence = {f"y{t}": y for t, y in enumerate(values)}
    best = mpe(model, [f"z{t}" for t in range(4)] + ["y2"], given=evidence, k=5)
    np.testing.assert_allclose(best.log_prob, np.array(logs)[order], atol=1e-12)
    assert [tuple(path) for path in best.states.tolist()] == [paths[i] for i in order]
    assert best.assignment(4)["y2"] == values[2]
