"""Hidden Markov models and linear dynamical systems: trained beside hmmlearn, and laws of the maximum."""

import numpy as np
import pytest
import torch
from hmmlearn.hmm import CategoricalHMM, GaussianHMM

from pgm import (
    Binary,
    Real,
    Tabular,
    Template,
    Variable,
    fit_sequences,
    gaussian_mixture,
    hidden_markov_model,
    linear_dynamical_system,
    log_likelihood,
    simulate,
)

STATE = Variable("state", 3)
STEPS = 8


def sequences(kind: str) -> np.ndarray:
    """Four sequences of 50 steps from a sticky chain, `[rows, steps]` or `[rows, steps, 2]`."""
    random = np.random.default_rng(5)
    state = np.zeros((4, 50), dtype=int)
    for t in range(1, 50):
        state[:, t] = np.where(random.random(4) < 0.8, state[:, t - 1], random.integers(3, size=4))
    if kind == "labels":
        return (state + (random.random((4, 50)) < 0.3)) % 4
    return np.array([[0.0, 0.0], [3.0, 1.0], [0.0, 4.0]])[state] + random.normal(size=(4, 50, 2))


def tables(template) -> tuple[np.ndarray, ...]:
    start, change = template.first[0].table, template.later[0].table
    return start.detach().numpy(), change.detach().numpy()


def train(peer, template, rows: np.ndarray, **emission: np.ndarray) -> None:
    """Hmmlearn's training from the same start, without priors."""
    peer.startprob_, peer.transmat_ = tables(template)
    for name, value in emission.items():
        setattr(peer, name, value)
    peer.fit(rows.reshape(200, -1), [50] * 4)


def test_labels_are_learned_as_by_hmmlearn() -> None:
    rows = sequences("labels")
    start = hidden_markov_model(STATE, Variable("x", 4), seed=3)
    found = fit_sequences(start, {"x": rows}, iterations=STEPS, tolerance=0.0)
    peer = CategoricalHMM(3, n_iter=STEPS, tol=-np.inf, init_params="")
    train(peer, start, rows, emissionprob_=start.later[1].table.detach().numpy())
    np.testing.assert_allclose(found.history[:-1], list(peer.monitor_.history)[1:], rtol=1e-9)
    for mine, theirs in zip(tables(found.template), (peer.startprob_, peer.transmat_), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    np.testing.assert_allclose(found.template.later[1].table.detach(), peer.emissionprob_, atol=1e-9)


@pytest.mark.parametrize(
    ("form", "tied", "theirs"), [("diagonal", False, "diag"), ("full", False, "full"), ("full", True, "tied")]
)
def test_gaussians_are_learned_as_by_hmmlearn(form: str, tied: bool, theirs: str) -> None:
    rows = sequences("vectors")
    start = hidden_markov_model(STATE, Variable("x", Real(2)), rows.reshape(200, 2), covariance=form, tied=tied)
    found = fit_sequences(start, {"x": rows}, iterations=STEPS, tolerance=0.0)
    peer = GaussianHMM(3, theirs, n_iter=STEPS, tol=-np.inf, init_params="", covars_prior=0.0, covars_weight=0.0)
    term = start.later[1]
    covariance = term.covariance.detach().numpy()
    train(peer, start, rows, means_=term.bias.detach().numpy(), covars_=covariance[0] if tied else covariance)
    np.testing.assert_allclose(found.history[:-1], list(peer.monitor_.history)[1:], rtol=1e-9)
    np.testing.assert_allclose(found.template.later[1].bias.detach(), peer.means_, rtol=1e-6)
    np.testing.assert_allclose(tables(found.template)[1], peer.transmat_, atol=1e-8)


def test_a_vector_of_zeros_and_ones_is_learned_as_one_label_for_each() -> None:
    rows = (sequences("vectors") > 1.5).astype(int)
    start = hidden_markov_model(STATE, Variable("x", Binary(2)), rows.reshape(200, 2))
    ones = start.later[1].probabilities.detach()
    labels = [Tabular(Variable(f"x{i}", 2), [STATE], torch.stack([1 - ones[:, i], ones[:, i]], 1)) for i in range(2)]
    apart = Template([start.first[0]], [start.later[0], *labels])
    found = fit_sequences(start, {"x": rows.astype(float)}, iterations=STEPS, tolerance=0.0)
    same = fit_sequences(apart, {"x0": rows[:, :, 0], "x1": rows[:, :, 1]}, iterations=STEPS, tolerance=0.0)
    np.testing.assert_allclose(found.history, same.history, rtol=1e-9)
    assert found.log_likelihood > log_likelihood(start, {"x": rows.astype(float)}).sum().item()


def test_seeds_decide_the_start_and_states_differ() -> None:
    x = Variable("x", 4)
    one, same, other = (hidden_markov_model(STATE, x, seed=seed).later[1].table for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one.sum(-1), torch.ones(3, dtype=torch.float64))


def test_clusters_are_those_of_a_mixture() -> None:
    rows, x = sequences("vectors").reshape(200, 2), Variable("x", Real(2))
    mixture = gaussian_mixture(STATE, x, rows, covariance="full", seed=7)
    chain = hidden_markov_model(STATE, x, rows, covariance="full", seed=7)
    torch.testing.assert_close(chain.later[1].bias, mixture.conditionals["x"].bias)


def test_a_linear_system_is_learned_better_than_the_one_that_made_the_rows() -> None:
    """The maximum of likelihood is at least that of the truth, which is one of the systems that can be learned."""
    z, x = Variable("z", Real(1)), Variable("x", Real(3))
    made = linear_dynamical_system(z, x, np.eye(3))
    with torch.no_grad():
        made.later[1].weights.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        made.later[1].scale.copy_(torch.tensor([0.3, 0.5, 0.4]))
    rows = simulate(made, 60, 4, seed=0)["x"]
    truth = log_likelihood(made, {"x": rows}).sum().item()
    found = fit_sequences(linear_dynamical_system(z, x, rows.flatten(0, 1)), {"x": rows}, iterations=60)
    assert found.log_likelihood > truth
    assert found.template.later[0].weights.item() == pytest.approx(0.9, abs=5 * ((1 - 0.81) / 240) ** 0.5)
