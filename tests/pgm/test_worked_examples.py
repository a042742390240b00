"""Examples worked by hand: each number here can be checked with pencil and paper, or with the recursion beside it."""

import math
from itertools import product

import numpy as np
import pytest

from pgm import (
    BayesianNetwork,
    MarkovNetwork,
    Table,
    Tabular,
    Variable,
    d_separated,
    infer,
    log_evidence,
    markov_blanket,
    moral,
    mpe,
    plot,
    sample,
)

COLOURS = ["red", "blue"]
FOODS = ["chocolate", "peanut butter", "ice cream", "tuna"]
FIRST, SECOND = [0.1, 5, 1, 6], [4, 8, 7, 3]
TOGETHER = [[2, 9, 7, 0.1], [4, 2, 3, 0.2], [7, 3, 2, 0.1], [0.1, 0.2, 0.1, 2]]


def five_nodes() -> BayesianNetwork:
    """p(x1) p(x2 | x1) p(x3) p(x4 | x2, x3) p(x5 | x3), all red or blue."""
    x1, x2, x3, x4, x5 = (Variable(f"x{i}", COLOURS) for i in range(1, 6))
    return BayesianNetwork(
        Tabular(x1, [], [0.4, 0.6]),
        Tabular(x2, [x1], [[0.7, 0.3], [0.5, 0.5]]),
        Tabular(x3, [], [0.6, 0.4]),
        Tabular(x4, [x2, x3], [[[0.5, 0.5], [0.8, 0.2]], [[0.6, 0.4], [0.3, 0.7]]]),
        Tabular(x5, [x3], [[0.7, 0.3], [0.4, 0.6]]),
    )


def red_or_blue(p_red: float, colour: str) -> float:
    return p_red if colour == "red" else 1 - p_red


def by_hand(x1: str, x2: str, x3: str, x4: str, x5: str) -> float:
    """The product of the five conditionals, straight from their definition."""
    of_x4 = {("red", "red"): 0.5, ("red", "blue"): 0.8, ("blue", "red"): 0.6, ("blue", "blue"): 0.3}
    return (
        red_or_blue(0.4, x1)
        * red_or_blue({"red": 0.7, "blue": 0.5}[x1], x2)
        * red_or_blue(0.6, x3)
        * red_or_blue(of_x4[x2, x3], x4)
        * red_or_blue({"red": 0.7, "blue": 0.4}[x3], x5)
    )


def test_five_nodes_forwards() -> None:
    """p(x2 = red) = .4 x .7 + .6 x .5 = .58; x5 likewise; x4 sums over both its parents."""
    post = infer(five_nodes())
    assert post["x2", "red"].item() == pytest.approx(0.58)
    assert post["x5", "red"].item() == pytest.approx(0.6 * 0.7 + 0.4 * 0.4)
    x4 = 0.58 * (0.6 * 0.5 + 0.4 * 0.8) + 0.42 * (0.6 * 0.6 + 0.4 * 0.3)
    assert post["x4", "red"].item() == pytest.approx(x4)


@pytest.mark.parametrize("x4", COLOURS)
@pytest.mark.parametrize("x5", COLOURS)
def test_five_nodes_backwards(x4: str, x5: str) -> None:
    """Every marginal given both leaves, by summing all eight worlds."""
    worlds = {world: by_hand(*world, x4, x5) for world in product(COLOURS, repeat=3)}
    total = sum(worlds.values())
    post = infer(five_nodes(), given={"x4": x4, "x5": x5})
    assert post.log_evidence.exp().item() == pytest.approx(total)
    for place, name in enumerate(["x1", "x2", "x3"]):
        red = sum(weight for world, weight in worlds.items() if world[place] == "red")
        assert post[name, "red"].item() == pytest.approx(red / total)
    best = mpe(five_nodes(), given={"x4": x4, "x5": x5})
    assert best.log_prob[0].exp().item() == pytest.approx(max(worlds.values()))


def test_five_nodes_explain_away() -> None:
    """x2 and x3 are independent until their common child x4 is seen."""
    graph = five_nodes().graph
    assert d_separated(graph, "x2", "x3")
    assert not d_separated(graph, "x2", "x3", given=["x4"])
    alone = infer(five_nodes(), ["x2"], given={"x3": "blue"})["x2", "red"]
    assert alone.item() == pytest.approx(0.58)
    both = infer(five_nodes(), ["x2"], given={"x3": "blue", "x4": "red"})["x2", "red"]
    assert both.item() == pytest.approx(0.58 * 0.8 / (0.58 * 0.8 + 0.42 * 0.3))


def test_five_nodes_as_three_graphs() -> None:
    """Arrows; lines, with the parents of x4 married; and factors, one a conditional."""
    model = five_nodes()
    assert set(markov_blanket(model.graph, "x3")) == {"x2", "x4", "x5"}
    assert "x3" in moral(model.graph).neighbours["x2"]
    for view in ("directed", "moral", "factor"):
        assert all(name in plot(model, view=view).dot for name in model.graph.names)


def foods() -> MarkovNetwork:
    """Two people order; each has opinions, and a table says what goes together."""
    first, second = Variable("first", FOODS), Variable("second", FOODS)
    return MarkovNetwork(Table([first], FIRST), Table([second], SECOND), Table([first, second], TOGETHER))


def weights() -> np.ndarray:
    return np.array(FIRST)[:, None] * np.array(TOGETHER) * np.array(SECOND)


def test_the_probability_of_tuna_and_ice_cream() -> None:
    """6 x .1 x 7 / Z: each potential gives one number, and Z is the sum of sixteen such products."""
    joint = infer(foods(), [("first", "second")])["first", "second"]
    z = log_evidence(foods()).exp().item()
    assert z == pytest.approx(weights().sum())
    assert joint[3, 2].item() == pytest.approx(6 * 0.1 * 7 / z)
    np.testing.assert_allclose(joint.numpy(), weights() / z, rtol=1e-13)


def test_the_orders_of_each_and_the_best_order() -> None:
    post = infer(foods())
    np.testing.assert_allclose(post["first"].numpy(), weights().sum(1) / weights().sum(), rtol=1e-13)
    np.testing.assert_allclose(post["second"].numpy(), weights().sum(0) / weights().sum(), rtol=1e-13)
    best = mpe(foods())
    assert best.assignment() == {"first": "peanut butter", "second": "ice cream"}  # 5 x 3 x 7 = 105
    assert best.log_prob[0].exp().item() == pytest.approx(105)


def test_locally_and_globally_normalised_models_differ() -> None:
    """Rows made to sum to one give another distribution: Z weighs whole worlds, rows only the next step."""
    first, second = Variable("first", FOODS), Variable("second", FOODS)
    rows = np.array(TOGETHER) * np.array(SECOND)
    local = BayesianNetwork(
        Tabular(first, [], np.array(FIRST) / sum(FIRST)),
        Tabular(second, [first], rows / rows.sum(1, keepdims=True)),
    )
    assert log_evidence(local).item() == pytest.approx(0, abs=1e-14)
    assert infer(local)["first", "tuna"].item() == pytest.approx(6 / 12.1)
    assert infer(foods())["first", "tuna"].item() == pytest.approx(weights()[3].sum() / weights().sum())
    for label in FOODS:  # given the first order they agree
        one, two = (infer(model, given={"first": label})["second"].numpy() for model in (local, foods()))
        np.testing.assert_allclose(one, two, rtol=1e-13)


def test_a_first_order_markov_chain() -> None:
    """Weather over ten days: marginals by powers of the transition matrix, and its long run."""
    weather = ["sun", "rain", "snow"]
    start, move = np.array([0.6, 0.3, 0.1]), np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5]])
    days = [Variable(f"day{t}", weather) for t in range(200)]
    moves = [Tabular(b, [a], move) for a, b in zip(days, days[1:], strict=False)]
    chain = BayesianNetwork(Tabular(days[0], [], start), *moves)
    post = infer(chain)
    for t in (0, 1, 10, 199):
        np.testing.assert_allclose(post[f"day{t}"].numpy(), start @ np.linalg.matrix_power(move, t), rtol=1e-12)
    values, vectors = np.linalg.eig(move.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(post["day199"].numpy(), stationary / stationary.sum(), rtol=1e-10)
    between = infer(chain, ["day1"], given={"day0": "sun", "day2": "snow"})["day1"].numpy()
    np.testing.assert_allclose(between, move[0] * move[:, 2] / (move[0] @ move[:, 2]), rtol=1e-12)


def forward_backward(
    start: np.ndarray, move: np.ndarray, emit: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, float]:
    """Smoothed posteriors `[steps, states]` and the log evidence, each message scaled to sum to one.

    Reference: Rabiner (1989), A tutorial on hidden Markov models.
    """
    steps = len(seen)
    alpha, beta, total = np.zeros((steps, len(start))), np.ones((steps, len(start))), 0.0
    for t in range(steps):
        alpha[t] = (alpha[t - 1] @ move if t else start) * emit[:, seen[t]]
        total += math.log(alpha[t].sum())
        alpha[t] /= alpha[t].sum()
    for t in range(steps - 2, -1, -1):
        beta[t] = move @ (emit[:, seen[t + 1]] * beta[t + 1])
        beta[t] /= beta[t].sum()
    gamma = alpha * beta
    return gamma / gamma.sum(1, keepdims=True), total


def test_a_hidden_markov_model_of_a_thousand_steps() -> None:
    generator = np.random.default_rng(8)
    steps, states, signs = 1000, 4, 3
    start, move, emit = (generator.dirichlet(np.ones(n), size) for n, size in ((4, None), (4, 4), (3, 4)))
    hidden = [Variable(f"z{t}", states) for t in range(steps)]
    shown = [Variable(f"x{t}", signs) for t in range(steps)]
    model = BayesianNetwork(
        Tabular(hidden[0], [], start),
        *(Tabular(b, [a], move) for a, b in zip(hidden, hidden[1:], strict=False)),
        *(Tabular(x, [z], emit) for z, x in zip(hidden, shown, strict=True)),
    )
    drawn = sample(model, 1, [x.name for x in shown], seed=0).states[0].numpy()
    smoothed, total = forward_backward(start, move, emit, drawn)
    post = infer(model, [z.name for z in hidden], given={x.name: str(s) for x, s in zip(shown, drawn, strict=True)})
    assert post.log_evidence.item() == pytest.approx(total, rel=1e-12)
    found = np.stack([post[z.name].numpy() for z in hidden])
    np.testing.assert_allclose(found, smoothed, rtol=1e-9, atol=1e-15)
