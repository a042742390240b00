"""Closed forms against counting by hand, least squares, other libraries, and densities that are stationary."""

from collections import Counter
from itertools import product

import numpy as np
import pandas
import pyagrum
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Dirichlet,
    EvidenceError,
    Gaussian,
    GraphError,
    LinearGaussian,
    MarkovNetwork,
    NoisyOr,
    NormalInverseWishart,
    PlanError,
    Plate,
    Real,
    ShapeError,
    Table,
    Tabular,
    Variable,
    fit,
    fitted,
    partial_fit,
    sample,
    statistics,
)
from pgm.testing import random_model

SEEDS = st.integers(0, 2**32 - 1)
RAIN, WET = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
NET = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]), Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]]))
X, Y = Variable("x", Real(2)), Variable("y", Real(3))
KIND = Variable("kind", 3)


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


@given(SEEDS)
@settings(max_examples=25)
def test_tables_are_relative_counts_and_unseen_rows_stay(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_model(generator, 4, kind="bayesian")
    rows, alpha = sample(model, 30, seed=seed), float(generator.choice([0.0, 0.7]))
    found = fit(model, rows, prior=Dirichlet(alpha)).model
    for name, conditional in model.conditionals.items():
        names, sizes = [v.name for v in conditional.scope], [v.size for v in conditional.scope]
        counts = Counter(zip(*(rows[each].tolist() for each in names), strict=True))
        for row in product(*map(range, sizes[:-1])):
            seen = np.array([counts[(*row, k)] + alpha for k in range(sizes[-1])])
            before = numpy(conditional.factor().ordered(conditional.scope)[row])
            expected = seen / seen.sum() if seen.sum() else before
            np.testing.assert_allclose(numpy(found.conditionals[name].table[row]), expected, atol=1e-12)


@pytest.mark.parametrize("rows", [None, 7.0], ids=["likelihood", "BDeu"])
def test_tables_are_those_of_pyagrum(rows: float | None) -> None:
    sky, day = Variable("sky", ["a", "b", "c"]), Variable("day", ["a", "b"])
    blank = np.full((2, 3), 1 / 3)
    model = BayesianNetwork(Tabular(day, [], [0.5, 0.5]), Tabular(sky, [day], blank))
    generator = np.random.default_rng(5)
    data = {"day": generator.choice(["a", "b"], 100).tolist(), "sky": generator.choice(["a", "b", "c"], 100).tolist()}
    net = pyagrum.fastBN("day{a|b}->sky{a|b|c}")
    learner = pyagrum.BNLearner(pandas.DataFrame(data), net)
    learner.useNoPrior() if rows is None else learner.useBDeuPrior(rows)
    peer = learner.learnParameters(net.dag())
    found = fit(model, data, prior=None if rows is None else Dirichlet(equivalent_rows=rows)).model.conditionals
    for i, j in product(range(2), range(3)):
        assert peer.cpt("sky")[{"day": i, "sky": j}] == pytest.approx(found["sky"].table[i, j].item(), abs=1e-9)


FORMS = {
    "one variance": (lambda s: np.full((1,), np.trace(s) / 3), ()),
    "diagonal": (lambda s: np.diag(s), (3,)),
    "matrix": (lambda s: s, (3, 3)),
}


@pytest.mark.parametrize("form", FORMS)
@given(SEEDS)
@settings(max_examples=10)
def test_regression_is_least_squares(form: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(5, 2, (40, 2)), generator.normal(size=(40, 3)) @ generator.normal(size=(3, 3))
    of, shape = FORMS[form]
    blank = np.eye(3) if len(shape) == 2 else np.ones(shape)
    model = BayesianNetwork(Gaussian(X, np.zeros(2), 1.0), LinearGaussian(Y, [X], np.zeros((2, 3)), np.zeros(3), blank))
    found = fit(model, {"x": x, "y": y}).model.conditionals["y"]
    design = np.c_[x, np.ones(40)]
    best, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ best
    np.testing.assert_allclose(numpy(found.weights), best[:2], atol=1e-9)
    np.testing.assert_allclose(numpy(found.bias), best[2], atol=1e-8)
    expected = of(residual.T @ residual / 40).reshape(shape)
    np.testing.assert_allclose(numpy(found.covariance), expected, atol=1e-9)


def test_dependent_columns_share_the_weight_and_constant_ones_have_none() -> None:
    generator = np.random.default_rng(1)
    columns = Variable("x", Real(4))
    a, b = generator.normal(3, 1, 50), generator.normal(3, 1, 50)
    y = 2 * a + b + 1
    model = BayesianNetwork(
        Gaussian(columns, np.zeros(4), 1.0), LinearGaussian(Variable("y", Real()), [columns], np.zeros(4), 0.0, 1.0)
    )
    x = np.stack([a, a, 1000 * b, np.full(50, 7.0)], 1)
    found = fit(model, {"x": x, "y": y + 1e-3 * generator.normal(size=50)}).model.conditionals["y"]
    np.testing.assert_allclose(numpy(found.weights), [1.0, 1.0, 1e-3, 0.0], atol=1e-3)
    assert found.covariance.item() < 2e-6


def mixed(bias: int, weights: int, scale: int) -> BayesianNetwork:
    """y given x and kind; each kind of number with one entry a state, or one for all."""
    y = Variable("y", Real())
    regression = ConditionalLinearGaussian(y, [KIND, X], np.zeros((weights, 2)), np.zeros(bias), np.ones(scale))
    return BayesianNetwork(Tabular(KIND, [], [0.2, 0.3, 0.5]), Gaussian(X, np.zeros(2), 1.0), regression)


@pytest.mark.parametrize(("bias", "weights", "scale"), [(3, 3, 3), (3, 3, 1), (3, 1, 1), (1, 1, 1)])
def test_what_states_share_is_pooled(bias: int, weights: int, scale: int) -> None:
    generator = np.random.default_rng(0)
    kind, x = generator.integers(0, 3, 90), generator.normal(4, 1, (90, 2))
    y = kind + (1 + kind) * x[:, 0] - x[:, 1] + generator.normal(size=90) * (1 + kind)
    found = fit(mixed(bias, weights, scale), {"kind": kind, "x": x, "y": y}).model.conditionals["y"]
    one_hot = np.eye(3)[kind]
    blocks = [x * one_hot[:, [k]] for k in range(3)] if weights == 3 else [x]
    design = np.concatenate([*blocks, one_hot if bias == 3 else np.ones((90, 1))], 1)
    best, *_ = np.linalg.lstsq(design, y, rcond=None)
    squares = (y - design @ best) ** 2
    expected = [squares[kind == k].mean() for k in range(3)] if scale == 3 else [squares.mean()]
    np.testing.assert_allclose(numpy(found.weights).reshape(-1), best[: 2 * weights], atol=1e-9)
    np.testing.assert_allclose(numpy(found.bias).reshape(-1), best[2 * weights :], atol=1e-8)
    np.testing.assert_allclose(numpy(found.covariance).reshape(-1), expected, atol=1e-9)


def test_what_has_no_closed_form_is_kept_and_said() -> None:
    generator = np.random.default_rng(0)
    data = {"kind": generator.integers(0, 3, 9), "x": generator.normal(size=(9, 2)), "y": generator.normal(size=9)}
    model = mixed(1, 1, 3)  # a bias that states of different variance share
    found = fit(model, data)
    assert found.kept == ("ConditionalLinearGaussian(y)",)
    assert repr(found).endswith("1 iteration, converged; kept ConditionalLinearGaussian(y))")
    torch.testing.assert_close(found.model.conditionals["y"].bias, model.conditionals["y"].bias)
    cause = BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]), NoisyOr(WET, [RAIN], [0.8], 0.1))
    assert fit(cause, {"rain": ["no", "yes"], "wet": ["no", "yes"]}).kept == ("NoisyOr(wet)",)


def test_parameters_without_gradient_stay() -> None:
    root = Tabular(RAIN, [], [0.5, 0.5])
    root.requires_grad_(False)
    found = fit(BayesianNetwork(root, NET.conditionals["wet"]), {"rain": ["yes"], "wet": ["yes"]})
    assert found.kept == ("Tabular(rain)",)
    assert found.model.conditionals["rain"].table.tolist() == [0.5, 0.5]
    assert found.model.conditionals["wet"].table[1].tolist() == [0.0, 1.0]


def test_the_model_given_does_not_change() -> None:
    before = {name: tensor.clone() for name, tensor in NET.state_dict().items()}
    found = fit(NET, {"rain": ["yes", "no"], "wet": [None, "yes"]}, iterations=3)
    for name, tensor in NET.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    assert found.model.graph == NET.graph


def test_copies_in_a_plate_are_fitted_together() -> None:
    def model(copies: int) -> BayesianNetwork:
        x, y = Variable("a", Real()), Variable("b", Real())
        plate = Plate("row", copies, Gaussian(x, 0.0, 1.0), LinearGaussian(y, [x], [0.0], 0.0, 1.0))
        return BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5]), plate)

    generator = np.random.default_rng(2)
    a, b, rain = generator.normal(3, 1, (20, 4)), generator.normal(size=(20, 4)), generator.integers(0, 2, 20)
    wide = {"rain": rain} | {f"a[{i}]": a[:, i] for i in range(4)} | {f"b[{i}]": b[:, i] for i in range(4)}
    long = {"rain": rain.repeat(4), "a[0]": a.reshape(-1), "b[0]": b.reshape(-1)}
    one, two = fit(model(4), wide).model.state_dict(), fit(model(1), long).model.state_dict()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name])


@given(SEEDS)
@settings(max_examples=10)
def test_weights_repeat_rows(seed: int) -> None:
    generator = np.random.default_rng(seed)
    times = generator.integers(0, 4, 12) + (np.arange(12) == 0)
    data = {"kind": generator.integers(0, 3, 12), "x": generator.normal(size=(12, 2)), "y": generator.normal(size=12)}
    repeated = {name: np.repeat(column, times, 0) for name, column in data.items()}
    one, two = fit(mixed(3, 1, 1), data, weights=times), fit(mixed(3, 1, 1), repeated)
    assert one.log_likelihood == pytest.approx(two.log_likelihood, rel=1e-9)
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(tensor, two.model.state_dict()[name], rtol=1e-6, atol=1e-8)


@given(SEEDS)
@settings(max_examples=10)
def test_chunks_give_the_answer_of_one_pass(seed: int) -> None:
    generator = np.random.default_rng(seed)
    far = float(10.0 ** generator.integers(0, 8))  # large means must not cost digits of the variance
    x = generator.normal(far, 1, (60, 2))
    data = {"kind": generator.integers(0, 3, 60), "x": x, "y": x.sum(1) + generator.normal(size=60)}
    model, total, by_hand = mixed(3, 3, 1), None, None
    for rows in np.split(np.arange(60), np.sort(generator.integers(1, 59, 3))):
        chunk = {name: column[rows] for name, column in data.items()}
        by_hand, total = partial_fit(model, chunk, total) if len(rows) else (by_hand, total)
    whole = fitted(model, statistics(model, data))
    assert total is not None
    assert total.rows == 60
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(by_hand.state_dict()[name], tensor, rtol=1e-6, atol=1e-6 * far)
    torch.testing.assert_close(whole.conditionals["x"].covariance, torch.tensor(x.var(0).mean()), rtol=1e-6, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_prior_of_regressions_makes_the_posterior_stationary(form: str) -> None:
    """The gradient of log likelihood plus log prior, written out here, is zero at the estimate."""
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(15, 2)), generator.normal(size=(15, 3))
    _, shape = FORMS[form]
    blank = np.eye(3) if len(shape) == 2 else np.ones(shape)
    model = BayesianNetwork(Gaussian(X, np.zeros(2), 1.0), LinearGaussian(Y, [X], np.zeros((2, 3)), np.zeros(3), blank))
    scale = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]])
    prior = NormalInverseWishart(scale, degrees=6.0, mean=[1.0, 2.0, 3.0], rows=4.0, ridge=2.5)
    found = fit(model, {"x": x, "y": y}, prior={"y": prior})
    term = found.model.conditionals["y"]
    mean = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    made = term.regression()
    covariance = made.scale @ made.scale.mT
    precision, log_det = torch.linalg.inv(covariance), torch.logdet(covariance)

    def normal(gap: torch.Tensor, strength: float) -> torch.Tensor:
        return -0.5 * log_det - 0.5 * strength * gap @ precision @ gap

    log_prior = -0.5 * (6 + 3 + 1) * log_det - 0.5 * torch.trace(precision @ torch.tensor(scale))
    log_prior = log_prior + normal(term.bias - mean, 4.0) + sum(normal(row, 2.5) for row in made.weights)
    objective = term.log_prob(torch.tensor(x), torch.tensor(y)).sum() + log_prior
    for gradient in torch.autograd.grad(objective, [term.weights, term.bias, term.scale]):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))
    other = found.model.conditionals["x"].log_prob(torch.tensor(x)).sum().item()
    assert found.history[-1] == pytest.approx(objective.item() + other)


def test_log_likelihood_is_that_of_the_model() -> None:
    data = {"rain": ["no", "yes", "no"], "wet": ["no", "yes", "yes"]}
    found = fit(NET, data, prior=Dirichlet(1.0))
    expected = sum(found.model.log_prob({"rain": r, "wet": w}).item() for r, w in zip(*data.values(), strict=True))
    assert found.log_likelihood == pytest.approx(expected)


def test_recovered_probabilities_are_within_their_standard_errors() -> None:
    """Of 20,000 rows: a relative count strays by sqrt(p (1 - p) / n); five of those are allowed."""
    found = fit(NET, sample(NET, 20_000, seed=0)).model.conditionals
    for state, p in enumerate([0.1, 0.8]):
        error = (p * (1 - p) / 9_500) ** 0.5
        assert found["wet"].table[state, 1].item() == pytest.approx(p, abs=5 * error)


def test_refusals() -> None:
    data = {"rain": ["no"], "wet": ["yes"]}
    with pytest.raises(PlanError, match=r"fit: Table\(rain\) is a potential, .* use fit_by_gradient"):
        fit(MarkovNetwork(Table([RAIN], [1.0, 2.0])), {"rain": ["no"]})
    with pytest.raises(EvidenceError, match=r"fit: data hold single values, expected a column for each .* one value a"):
        fit(NET, {"rain": "no"})
    for nothing in ({}, {"rain": []}):
        with pytest.raises(EvidenceError, match=r"fit: data hold no rows, expected a column"):
            fit(NET, nothing)
    with pytest.raises(EvidenceError, match=r"fit: evidence for 'rain' is 'maybe'; its states are 'no', 'yes'"):
        fit(NET, {"rain": ["maybe"]})
    with pytest.raises(EvidenceError, match=r"statistics: 'wet' is missing in some row, expected complete rows"):
        statistics(NET, {"rain": ["no", "yes"], "wet": ["no", None]})
    with pytest.raises(GraphError, match=r"prior: NormalInverseWishart.* is given for 'rain', .* expected a Dirichlet"):
        fit(NET, data, prior={"rain": NormalInverseWishart(1.0)})
    with pytest.raises(
        GraphError, match=r"prior: 'snow' is not the child of what is learned; there are 'rain', 'wet'\."
    ):
        fit(NET, data, prior={"snow": Dirichlet(1.0)})
    with pytest.raises(
        GraphError, match=r"prior: it is 1\.0, expected a Dirichlet, a NormalInverseWishart, or one for"
    ):
        partial_fit(NET, data, prior=1.0)
    with pytest.raises(ShapeError, match=r"Dirichlet: counts have shape \(3,\), .* \(2, 2\), the table of Tabular"):
        fit(NET, data, prior={"wet": Dirichlet([1.0, 1.0, 1.0])})
    with pytest.raises(ShapeError, match=r"Dirichlet: a count is negative, expected 0 or more"):
        Dirichlet(-1.0)
    with pytest.raises(ShapeError, match=r"fit: weights: row 0 has -1, expected 0 or more\."):
        fit(NET, data, weights=[-1.0])
    with pytest.raises(ShapeError, match=r"fit: weights: shape \(2,\), expected \(1,\) = \[rows\]\."):
        fit(NET, data, weights=[1.0, 2.0])
    with pytest.raises(GraphError, match=r"fitted: the statistics have 2 parts, expected 1, those of Bayes"):
        fitted(BayesianNetwork(Tabular(RAIN, [], [0.5, 0.5])), statistics(NET, data))
