"""Fitting vectors of counts: closed forms, streaming, sharing, mixtures and priors."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Binary,
    Count,
    Dirichlet,
    IndependentBernoulli,
    Multinomial,
    Plate,
    Tabular,
    Variable,
    fit,
    fitted,
    statistics,
)

SEEDS = st.integers(0, 2**32 - 1)
LABEL, SIDE = Variable("label", 3), Variable("side", 2)


def network(term) -> BayesianNetwork:
    roots = (Tabular(parent, [], [1 / parent.size] * parent.size) for parent in term.given)
    return BayesianNetwork(*roots, term)


def terms(shape: tuple[int, ...] = (3, 2)) -> list[IndependentBernoulli | Multinomial]:
    parents = [LABEL, SIDE]
    pixels = IndependentBernoulli(Variable("x", Binary(4)), parents, np.full((*shape, 4), 0.5))
    return [pixels, Multinomial(Variable("x", Count(4)), parents, np.full((*shape, 4), 0.25))]


def rows_of(seed: int, n: int = 50) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    label, side = random.integers(3, size=n), random.integers(2, size=n)
    return {"label": label, "side": side, "x": random.integers(2, size=(n, 4)).astype(float)}


def estimate(data: dict[str, np.ndarray], inside: np.ndarray, count: float, kind: type) -> np.ndarray:
    """Relative counts of some rows, by hand."""
    x = data["x"][inside] + 0.0
    if kind is IndependentBernoulli:
        return (x.sum(0) + count) / (len(x) + 2 * count)
    return (x.sum(0) + count) / (x.sum() + 4 * count)


@settings(max_examples=10)
@given(SEEDS, st.sampled_from([0, 1]))
def test_each_cell_has_its_relative_counts(seed: int, which: int) -> None:
    data, term = rows_of(seed), terms()[which]
    found = fit(network(term), data, prior={"x": Dirichlet(0.5)}).model.conditionals["x"].probabilities.detach()
    for label in range(3):
        for side in range(2):
            inside = (data["label"] == label) & (data["side"] == side)
            np.testing.assert_allclose(found[label, side], estimate(data, inside, 0.5, type(term)), rtol=1e-12)


@settings(max_examples=10)
@given(SEEDS, st.sampled_from([0, 1]))
def test_states_that_share_their_numbers_are_counted_together(seed: int, which: int) -> None:
    data, term = rows_of(seed), terms((1, 2))[which]
    found = fit(network(term), data, prior={"x": Dirichlet(1.0)}).model.conditionals["x"].probabilities.detach()
    for side in range(2):
        np.testing.assert_allclose(found[0, side], estimate(data, data["side"] == side, 1.0, type(term)), rtol=1e-12)


@settings(max_examples=10)
@given(SEEDS, st.sampled_from([0, 1]))
def test_statistics_of_halves_add_up(seed: int, which: int) -> None:
    data, model = rows_of(seed), network(terms()[which])
    halves = [{name: column[half] for name, column in data.items()} for half in (slice(20), slice(20, None))]
    total = statistics(model, halves[0]) + statistics(model, halves[1])
    parts = zip(fitted(model, total).parameters(), fit(model, data).model.parameters(), strict=True)
    for streamed, whole in parts:
        torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-15)


@settings(max_examples=5)
@given(SEEDS, st.sampled_from([0, 1]))
def test_hidden_parents_start_at_random_and_the_objective_rises(seed: int, which: int) -> None:
    data = rows_of(seed)
    found = fit(network(terms()[which]), {"x": data["x"]}, prior=Dirichlet(0.1), seed=seed, iterations=20)
    assert (np.diff(found.history) >= -1e-9 * abs(found.history[0])).all()
    p = found.model.conditionals["x"].probabilities
    assert not torch.allclose(p[0], p[1])


def test_copies_in_a_plate_are_counted_together() -> None:
    x = Variable("x", Binary(2))
    model = BayesianNetwork(Plate("row", 3, IndependentBernoulli(x, [], [0.5, 0.5])))
    rows = {"x[0]": [[1.0, 0.0]], "x[1]": [[1.0, 1.0]], "x[2]": [[0.0, 0.0]]}
    found = fit(model, rows).model.shared[0].probabilities.detach()
    np.testing.assert_allclose(found, [2 / 3, 1 / 3])


def test_weights_are_repetitions() -> None:
    data, term = rows_of(1), terms()[0]
    times = np.random.default_rng(2).integers(1, 4, size=50)
    repeated = {name: np.repeat(column, times, axis=0) for name, column in data.items()}
    one, other = fit(network(term), data, weights=times.astype(float)), fit(network(term), repeated)
    for mine, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-15)
