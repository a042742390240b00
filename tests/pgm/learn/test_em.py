"""EM against enumeration, closed forms and other libraries; its laws; where it starts and how it ends."""

import warnings
from collections import Counter
from copy import deepcopy
from itertools import product

import numpy as np
import pandas
import pyagrum
import pytest
import torch
from hmmlearn.hmm import CategoricalHMM, GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import FactorAnalysis
from sklearn.mixture import GaussianMixture

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Dirichlet,
    EvidenceError,
    Gaussian,
    LinearGaussian,
    Logistic,
    NormalInverseWishart,
    PlanError,
    Real,
    Tabular,
    Variable,
    fit,
    fit_by_gradient,
    sample,
)
from pgm.evidence import read_evidence
from pgm.hybrid.oracles import brute_answer, random_network
from pgm.learn.expect import blocks
from pgm.model import Model
from pgm.testing import brute_log_z, brute_posterior, random_model

SEEDS = st.integers(0, 2**32 - 1)
Z, X = Variable("z", 3), Variable("x", Real(2))
A, B = Variable("a", Real()), Variable("b", Real())
Columns = dict[str, np.ndarray]


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def punched(rows: Columns, share: float, generator: np.random.Generator) -> Columns:
    """The same rows with a share of cells missing, independently."""
    found = {}
    for name, column in rows.items():
        gone = generator.random(column.shape) < share
        found[name] = np.where(gone, np.nan if column.dtype.kind == "f" else -1, column)
    return found


def drawn(model: Model, n: int, seed: int) -> Columns:
    rows = sample(model, n, seed=seed)
    return {name: rows[name].numpy() for name in rows}


@given(SEEDS)
@settings(max_examples=15)
def test_one_iteration_is_expected_counts_by_enumeration(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_model(generator, 4, kind="bayesian")
    data = punched(drawn(model, 8, seed), float(generator.choice([0.2, 0.6])), generator)
    given = [
        {name: model[name].states[column[row]] for name, column in data.items() if column[row] >= 0} for row in range(8)
    ]
    found = fit(model, data, iterations=1)
    for name, conditional in model.conditionals.items():
        names = [v.name for v in conditional.scope]
        counts = sum(spread(brute_posterior(model, missing(names, row), given=row), names, row, model) for row in given)
        total = counts.sum(-1, keepdims=True)
        before = numpy(conditional.factor().ordered(conditional.scope))
        expected = np.where(total > 1e-12, counts / np.where(total > 1e-12, total, 1), before)
        np.testing.assert_allclose(numpy(found.model.conditionals[name].table), expected, atol=1e-9)
    expected_sum = sum(brute_log_z(found.model, given=row) for row in given)
    assert found.log_likelihood == pytest.approx(expected_sum, abs=1e-9)


def missing(names: list[str], row: dict[str, str]) -> list[str]:
    return [name for name in names if name not in row]


def spread(posterior: np.ndarray, names: list[str], row: dict[str, str], model: Model) -> np.ndarray:
    """A posterior of what is missing in a family as a table over all of it, 0 where the row says otherwise."""
    table = np.zeros([model[name].size for name in names])
    table[tuple(model[n].number(row[n]) if n in row else slice(None) for n in names)] = posterior
    return table


@given(SEEDS)
@settings(max_examples=15)
def test_the_sum_never_falls(seed: int) -> None:
    """With and without priors; `fit` itself raises when it does."""
    generator = np.random.default_rng(seed)
    model = random_model(generator, 5, kind="bayesian")
    data = punched(drawn(model, 12, seed), 0.4, generator)
    alpha = float(generator.choice([0.0, 0.3]))
    found = fit(model, data, prior=Dirichlet(alpha), iterations=15, tolerance=0.0)
    assert len(found.history) == 15
    steps = np.diff(found.history)
    assert (steps >= -1e-9 * max(1.0, abs(found.history[-1]))).all()


def test_a_sum_that_falls_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = Variable("x"), Variable("y")
    model = BayesianNetwork(Tabular(x, [], [0.5, 0.5]), Tabular(y, [x], [[0.6, 0.4], [0.4, 0.6]]))
    wrong = {1: torch.tensor([0.5, 0.5]), 2: torch.tensor([[0.1, 0.9], [0.1, 0.9]])}
    monkeypatch.setattr("pgm.learn.em.write", lambda term, *_: term.table.data.copy_(wrong[term.table.dim()]))
    with pytest.raises(
        RuntimeError, match=r"^fit: EM went down from -0\.69.* to -2\.30.*; this is a mistake in the lib"
    ):
        fit(model, {"x": [None], "y": ["0"]})


def test_tables_with_holes_are_those_of_pyagrum() -> None:
    """Both run EM until little moves: pyAgrum until the log-likelihood changes by less than 1e-8 of itself."""
    x, y = Variable("x", ["a", "b"]), Variable("y", ["a", "b"])
    model = BayesianNetwork(Tabular(x, [], [0.5, 0.5]), Tabular(y, [x], [[0.9, 0.1], [0.2, 0.8]]))
    generator, rows = np.random.default_rng(0), sample(model, 200, seed=0)
    data = {name: np.where(generator.random(200) < 0.25, "", rows.labels(name)).tolist() for name in rows}
    learner = pyagrum.BNLearner(pandas.DataFrame(data).replace("", "?"), pyagrum.fastBN("x{a|b}->y{a|b}"), ["?"])
    learner.useNoPrior()
    learner.useEM(1e-8)
    peer = learner.learnParameters(pyagrum.fastBN("x{a|b}->y{a|b}").dag())
    found = fit(model, data, tolerance=1e-14).model.conditionals
    np.testing.assert_allclose(numpy(found["x"].table), peer.cpt("x").toarray(), atol=1e-5)
    np.testing.assert_allclose(numpy(found["y"].table), peer.cpt("y").toarray(), atol=1e-5)


SHAPES = {"full": (3, 2, 2), "tied": (1, 2, 2), "diag": (3, 2), "spherical": (3,)}


@pytest.mark.parametrize("kind", SHAPES)
def test_mixtures_are_those_of_scikit_learn(kind: str) -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 4.0]])
    x = centres[generator.integers(0, 3, 150)] + generator.normal(size=(150, 2))
    means = centres + 0.5
    shape = SHAPES[kind]
    unit = np.broadcast_to(np.eye(2) if shape[1:] == (2, 2) else np.ones(shape[1:]), shape)
    model = BayesianNetwork(Tabular(Z, [], [0.2, 0.3, 0.5]), ConditionalLinearGaussian(X, [Z], None, means, unit))
    peer = GaussianMixture(
        3,
        covariance_type=kind,
        weights_init=[0.2, 0.3, 0.5],
        means_init=means,
        precisions_init=unit[0] if kind == "tied" else unit,
        reg_covar=0,
        max_iter=20,
        tol=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(x)
    found = fit(model, {"x": x}, iterations=20, tolerance=0)
    np.testing.assert_allclose(numpy(found.model.conditionals["z"].table), peer.weights_, atol=1e-9)
    np.testing.assert_allclose(numpy(found.model.conditionals["x"].bias), peer.means_, atol=1e-9)
    covariance = numpy(found.model.conditionals["x"].covariance).reshape(peer.covariances_.shape)
    np.testing.assert_allclose(covariance, peer.covariances_, atol=1e-9)
    assert found.log_likelihood == pytest.approx(150 * peer.score(x), rel=1e-9)


def chain(length: int, emission: Tabular | ConditionalLinearGaussian) -> BayesianNetwork:
    """A hidden Markov model whose steps share their parameters."""
    z = [Variable(f"z{t}", 2) for t in range(length)]
    x = [Variable(f"x{t}", emission.child.domain) for t in range(length)]
    start, step = Tabular(z[0], [], [0.6, 0.4]), Tabular(z[1], [z[0]], [[0.7, 0.3], [0.2, 0.8]])
    steps = [step.renamed({"z0": z[t - 1], "z1": z[t]}) for t in range(1, length)]
    seen = [emission.renamed({"z": z[t], "x": x[t]}) for t in range(length)]
    return BayesianNetwork(start, *steps, *seen)


HIDDEN = Variable("z", 2)


def test_chains_of_labels_are_those_of_hmmlearn() -> None:
    table = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    model = chain(6, Tabular(Variable("x", 3), [HIDDEN], table))
    rows = np.random.default_rng(0).integers(0, 3, (20, 6))
    found = fit(model, {f"x{t}": rows[:, t] for t in range(6)}, iterations=5, tolerance=0).model
    peer = CategoricalHMM(2, n_iter=5, tol=0, init_params="")
    peer.n_features = 3
    peer.startprob_, peer.transmat_, peer.emissionprob_ = [0.6, 0.4], np.array([[0.7, 0.3], [0.2, 0.8]]), table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(rows.reshape(-1, 1), [6] * 20)
    np.testing.assert_allclose(numpy(found.conditionals["z0"].table), peer.startprob_, atol=1e-9)
    np.testing.assert_allclose(numpy(found.conditionals["z1"].table), peer.transmat_, atol=1e-9)
    np.testing.assert_allclose(numpy(found.conditionals["x0"].table), peer.emissionprob_, atol=1e-9)


def test_chains_of_numbers_are_those_of_hmmlearn() -> None:
    means, variances = np.array([[0.0], [2.0]]), np.array([[1.0], [1.5]])
    emission = ConditionalLinearGaussian(Variable("x", Real()), [HIDDEN], None, means[:, 0], variances[:, 0])
    rows = np.random.default_rng(0).normal(1, 1.5, (20, 6))
    found = fit(chain(6, emission), {f"x{t}": rows[:, t] for t in range(6)}, iterations=5, tolerance=0).model
    peer = GaussianHMM(2, "diag", n_iter=5, tol=0, init_params="", means_weight=0, covars_prior=0, covars_weight=0)
    peer.startprob_, peer.transmat_ = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.2, 0.8]])
    peer.means_, peer.covars_ = means, variances
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(rows.reshape(-1, 1), [6] * 20)
    np.testing.assert_allclose(numpy(found.conditionals["z1"].table), peer.transmat_, atol=1e-6)
    np.testing.assert_allclose(numpy(found.conditionals["x0"].bias), peer.means_[:, 0], atol=1e-6)


def test_several_hidden_parents_of_a_number() -> None:
    """One iteration, with a joint posterior by Bayes' rule in each row."""
    first, second = Variable("first", 2), Variable("second", 3)
    means = np.arange(6.0).reshape(2, 3) ** 1.3
    y = Variable("y", ["no", "yes"])
    model = BayesianNetwork(
        Tabular(first, [], [0.4, 0.6]),
        Tabular(second, [first], [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]),
        ConditionalLinearGaussian(A, [first, second], None, means, np.full((2, 3), 2.0)),
        Logistic(y, [first, A], [1.0, -0.2], 0.3),
    )
    generator = np.random.default_rng(1)
    a, seen = generator.normal(3, 3, 40), generator.integers(0, 2, 40)
    found = fit(model, {"a": a, "y": seen}, iterations=1)
    prior = np.array([0.4, 0.6])[:, None] * np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    density = np.exp(-((a[:, None, None] - means) ** 2) / 4) / np.sqrt(4 * np.pi)
    yes = 1 / (1 + np.exp(-(np.array([0.0, 1.0]) - 0.2 * a[:, None] + 0.3)))
    joint = prior * density * np.where(seen[:, None] == 1, yes, 1 - yes)[:, :, None]
    posterior = joint / joint.sum((1, 2), keepdims=True)
    weight = posterior.sum(0)
    expected = (posterior * a[:, None, None]).sum(0) / weight
    np.testing.assert_allclose(numpy(found.model.conditionals["a"].bias), expected, atol=1e-9)
    spread = (posterior * (a[:, None, None] - expected) ** 2).sum(0) / weight
    np.testing.assert_allclose(numpy(found.model.conditionals["a"].covariance), spread, atol=1e-9)
    np.testing.assert_allclose(numpy(found.model.conditionals["first"].table), weight.sum(1) / 40, atol=1e-9)
    assert found.kept == ("Logistic(y)",)


def test_numbers_missing_in_one_column_have_a_closed_form() -> None:
    """Anderson (1957): the regression from the complete rows, the other column from all of them."""
    generator = np.random.default_rng(0)
    a = generator.normal(1, 2, 200)
    b = np.where(generator.random(200) < 0.4, np.nan, 0.5 * a + generator.normal(size=200))
    model = BayesianNetwork(Gaussian(A, 0.0, 1.0), LinearGaussian(B, [A], [0.0], 0.0, 1.0))
    found = fit(model, {"a": a, "b": b}, tolerance=1e-15).model.conditionals
    seen = ~np.isnan(b)
    slope, constant = np.polyfit(a[seen], b[seen], 1)
    assert found["a"].bias.item() == pytest.approx(a.mean(), abs=1e-6)
    assert found["a"].covariance.item() == pytest.approx(a.var(), abs=1e-6)
    assert found["b"].weights.item() == pytest.approx(slope, abs=1e-6)
    assert found["b"].bias.item() == pytest.approx(constant, abs=1e-6)


def test_holes_of_every_kind_lead_to_where_gradients_lead() -> None:
    """Two routes to a stationary point of the same likelihood: EM, and L-BFGS on the differentiable log evidence."""
    kind = Variable("kind", 2)
    model = BayesianNetwork(
        Tabular(kind, [], [0.5, 0.5]),
        ConditionalLinearGaussian(A, [kind], None, [-1.0, 1.0], [1.0, 1.0]),
        ConditionalLinearGaussian(B, [kind, A], [[0.1], [0.5]], [0.0, 0.0], [1.0]),
    )
    data = punched(drawn(model, 60, 0), 0.25, np.random.default_rng(0))
    found, other = fit(model, data, tolerance=1e-9), fit_by_gradient(model, data, tolerance=1e-4)
    assert other.converged
    assert found.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


def test_parts_of_a_vector_may_be_missing() -> None:
    """The expected statistics of a Gaussian vector, from the conditional of each row by the textbook formula."""
    generator = np.random.default_rng(4)
    y = Variable("y", Real(3))
    mean, covariance = np.array([1.0, 2.0, 3.0]), np.array([[2.0, 0.8, 0.3], [0.8, 1.5, 0.5], [0.3, 0.5, 1.0]])
    data = punched({"y": generator.multivariate_normal(mean, covariance, 30)}, 0.3, generator)["y"]
    filled, extra = data.copy(), np.zeros((3, 3))
    for row in filled:
        m = np.isnan(row)
        gain = covariance[np.ix_(m, ~m)] @ np.linalg.pinv(covariance[np.ix_(~m, ~m)])
        row[m] = mean[m] + gain @ (row[~m] - mean[~m])
        extra[np.ix_(m, m)] += covariance[np.ix_(m, m)] - gain @ covariance[np.ix_(~m, m)]
    found = fit(BayesianNetwork(Gaussian(y, mean, covariance)), {"y": data}, iterations=1).model.conditionals["y"]
    np.testing.assert_allclose(numpy(found.mean), filled.mean(0), atol=1e-9)
    gap = filled - filled.mean(0)
    np.testing.assert_allclose(numpy(found.covariance), (gap.T @ gap + extra) / 30, atol=1e-9)


@given(SEEDS)
@settings(max_examples=5)
def test_networks_of_both_kinds_rise_and_end_at_what_enumeration_says(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_network(generator, 2, 2)
    data = punched(drawn(model, 6, seed), 0.3, generator)
    prior = {name: NormalInverseWishart(0.5) for name in ("x0", "x1")}
    found = fit(model, data, prior=prior, iterations=3, tolerance=0)
    rows = [{name: column[row] for name, column in data.items()} for row in range(6)]
    expected = sum(brute_answer(found.model, labelled(row, model)).log_evidence for row in rows)
    assert found.log_likelihood == pytest.approx(expected, abs=1e-7)
    assert (np.diff(found.history) >= -1e-9 * max(1.0, abs(found.history[-1]))).all()


def labelled(row: dict[str, np.ndarray], model: Model) -> dict[str, object]:
    """Labels of the states that are seen, and numbers, of which some may be missing."""
    states = {name: model[name].states[v] for name, v in row.items() if model[name].finite and v >= 0}
    return states | {name: v for name, v in row.items() if not model[name].finite}


def test_equal_rows_of_many_columns_are_found() -> None:
    """So many states that a row has no number below 2^62: the counts are those of a dictionary all the same."""
    columns = [Variable(f"v{i}", 1000) for i in range(9)]
    model = BayesianNetwork(*(Tabular(v, [], np.full(1000, 1e-3)) for v in columns))
    rows = np.random.default_rng(0).integers(0, 1000, (9, 20))[:, np.r_[np.arange(20), :10, :5]]
    evidence = read_evidence(model.graph, {v.name: row for v, row in zip(columns, rows, strict=True)}, None)
    found: Counter[tuple[int, ...]] = Counter()
    for block in blocks(model, evidence, torch.ones(35, dtype=torch.float64)):
        found.update(dict(zip(map(tuple, rows.T[block.rows].tolist()), block.weights.tolist(), strict=True)))
    assert found == Counter(map(tuple, rows.T.tolist()))


def test_factor_analysis_from_weights_of_zero() -> None:
    """Weights of zero are a saddle point, which is left at random; scikit-learn's optimum is reached."""
    generator = np.random.default_rng(0)
    z, x = Variable("z", Real(1)), Variable("x", Real(4))
    data = generator.normal(size=(200, 1)) @ generator.normal(size=(1, 4)) + generator.normal(size=(200, 4)) * 0.7
    latent = Gaussian(z, [0.0], 1.0)
    latent.requires_grad_(False)
    model = BayesianNetwork(latent, LinearGaussian(x, [z], np.zeros((1, 4)), np.zeros(4), np.ones(4)))
    found = fit(model, {"x": data}, tolerance=1e-9)
    peer = FactorAnalysis(1, tol=1e-10, max_iter=5000, svd_method="lapack").fit(data)
    assert found.log_likelihood == pytest.approx(200 * peer.score(data), abs=1e-3)
    assert found.kept == ("Gaussian(z)",)


def test_a_leaf_that_is_never_seen_changes_nothing_else() -> None:
    rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
    model = BayesianNetwork(Tabular(rain, [], [0.5, 0.5]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
    found = fit(model, {"rain": ["yes", "no", "yes"]}).model.conditionals
    torch.testing.assert_close(found["rain"].table, torch.tensor([1 / 3, 2 / 3], dtype=torch.float64))
    torch.testing.assert_close(found["wet"].table, model.conditionals["wet"].table)


def latent_class(rows: list[list[float]]) -> BayesianNetwork:
    """Four questions about one hidden variable with two states."""
    questions = [Variable(f"q{i}", 2) for i in range(4)]
    return BayesianNetwork(Tabular(HIDDEN, [], [0.5, 0.5]), *(Tabular(q, [HIDDEN], rows) for q in questions))


def test_states_that_nothing_tells_apart_are_told_apart_at_random() -> None:
    truth = latent_class([[0.9, 0.1], [0.2, 0.8]])
    data = {name: column for name, column in drawn(truth, 500, 0).items() if name != "z"}
    reference = fit(truth, data).log_likelihood
    symmetric = latent_class([[0.6, 0.4], [0.6, 0.4]])
    one, same, other = (fit(symmetric, data, seed=seed) for seed in (1, 1, 2))
    assert one.log_likelihood == pytest.approx(reference, abs=1e-3)
    assert one.history == same.history
    assert one.history != other.history


def test_a_start_that_tells_states_apart_is_used() -> None:
    model = latent_class([[0.8, 0.2], [0.3, 0.7]])
    data = {name: column for name, column in drawn(model, 50, 0).items() if name != "z"}
    one, other = (fit(model, data, seed=seed, iterations=2) for seed in (1, 2))
    assert one.history == other.history


def test_the_best_of_several_starts_is_kept() -> None:
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.normal(m, 0.3, 40) for m in (-4, 0, 4)])
    states = Variable("z", 3)
    model = BayesianNetwork(
        Tabular(states, [], [0.98, 0.01, 0.01]),
        ConditionalLinearGaussian(A, [states], None, [0.0, 50.0, 60.0], [4.0, 0.1, 0.1]),  # a poor start
    )
    limits = {"prior": NormalInverseWishart(0.01), "iterations": 200}
    one, several = fit(model, {"a": x}, **limits), fit(model, {"a": x}, restarts=8, **limits)
    assert several.history[-1] > one.history[-1] + 50
    np.testing.assert_allclose(np.sort(numpy(several.model.conditionals["a"].bias)), [-4, 0, 4], atol=0.3)


def test_priors_make_the_penalised_sum_rise() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(30, 2))
    means = generator.normal(size=(3, 2))
    model = BayesianNetwork(
        Tabular(Z, [], [0.3, 0.3, 0.4]), ConditionalLinearGaussian(X, [Z], None, means, np.tile(np.eye(2), (3, 1, 1)))
    )
    prior = {"z": Dirichlet(1.0), "x": NormalInverseWishart(0.5, mean=[0.1, 0.2], rows=2.0)}
    found = fit(model, {"x": x}, prior=prior, iterations=50, tolerance=0)
    assert (np.diff(found.history) >= -1e-9 * abs(found.history[-1])).all()
    assert found.history[-1] != pytest.approx(found.log_likelihood)


def test_an_interruption_keeps_the_best_so_far() -> None:
    model = latent_class([[0.8, 0.2], [0.3, 0.7]])
    data = {name: column for name, column in drawn(model, 50, 0).items() if name != "z"}
    told: list[tuple[int, float]] = []

    def progress(step: int, best: float) -> None:
        told.append((step, best))
        if step == 3:
            raise KeyboardInterrupt

    found = fit(model, data, progress=progress)
    assert [step for step, _ in told] == [1, 2, 3]
    assert told[-1][1] == found.history[-1] == pytest.approx(found.log_likelihood)
    assert (found.stopped, found.converged, found.iterations) == ("interrupted", False, 3)
    assert repr(found).endswith("3 iterations, interrupted)")
    assert fit(model, data, iterations=3, tolerance=0).log_likelihood == pytest.approx(found.log_likelihood)


def test_an_interruption_before_a_start_has_got_anywhere_keeps_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    model = latent_class([[0.8, 0.2], [0.3, 0.7]])
    data = {name: column for name, column in drawn(model, 50, 0).items() if name != "z"}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pgm.learn.em.random_start", stop)
    found, first = fit(model, data, restarts=2), fit(model, data)
    assert (found.stopped, found.converged) == ("interrupted", False)
    assert found.history == first.history


def test_parameters_in_single_precision_rise_and_stay_so() -> None:
    """Rounded to single precision the sum would fall between two iterations."""
    model = latent_class([[0.75, 0.25], [0.25, 0.75]])
    data = {name: column for name, column in drawn(model, 2000, 0).items() if name != "z"}
    found, double = fit(deepcopy(model).float(), data).model, fit(model, data).model
    for name, tensor in found.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor.double(), double.state_dict()[name], rtol=0, atol=1e-6)


def test_refusals() -> None:
    rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
    never = BayesianNetwork(Tabular(rain, [], [1.0, 0.0]), Tabular(wet, [rain], [[1.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(EvidenceError, match=r"fit: row 1 has probability 0 in the model to begin with; give it tables"):
        fit(never, {"wet": ["no", "yes"]})
    model = BayesianNetwork(
        Tabular(HIDDEN, [], [0.5, 0.5]), ConditionalLinearGaussian(A, [HIDDEN], None, [0.0, 9.0], [1.0, 0.1])
    )
    with pytest.raises(PlanError, match=r"fit: restarts is 0 and iterations 500, expected 1 or more of both"):
        fit(model, {"a": [0.0, 1.0]}, restarts=0)
    with pytest.raises(EvidenceError, match=r"fit: the likelihood has no bound: the covariance of .*\(a\) shrank to 0"):
        fit(model, {"a": [0.0, 1.0, -1.0, 0.5, 9.0]})


@pytest.mark.parametrize("states", list(product([2, 3], [1, 2])))
def test_equal_rows_are_counted_once(states: tuple[int, int]) -> None:
    """Repeating all rows multiplies the log-likelihood and changes no parameter."""
    x, y = (Variable(name, n) for name, n in zip("xy", states, strict=True))
    model = BayesianNetwork(Tabular(x, [], np.full(x.size, 1 / x.size)), Tabular(y, [x], np.full(states, 1 / y.size)))
    data = punched(drawn(model, 10, 0), 0.3, np.random.default_rng(0))
    one = fit(model, data, iterations=5, tolerance=0)
    three = fit(model, {name: np.tile(column, 3) for name, column in data.items()}, iterations=5, tolerance=0)
    assert three.log_likelihood == pytest.approx(3 * one.log_likelihood)
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(tensor, three.model.state_dict()[name])
