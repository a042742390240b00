"""Gaussian conditionals against scipy, their definition row by row, and the laws of Gaussians."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pgm import (
    BayesianNetwork,
    Binary,
    ConditionalLinearGaussian,
    Gaussian,
    GraphError,
    LinearGaussian,
    Real,
    ShapeError,
    Variable,
)
from pgm.gaussians import GaussianConditional

SEEDS = st.integers(0, 2**32 - 1)
X, Y, V, W = Variable("x", Real()), Variable("y", Real()), Variable("v", Real(2)), Variable("w", Real(3))
M, K, B = Variable("m", Real(2, 3)), Variable("k", ["a", "b", "c"]), Variable("b", 2)
FORMS = st.sampled_from(["number", "diagonal", "matrix"])


def covariance(generator: np.random.Generator, form: str, batch: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    if form == "matrix" and len(shape) == 1:
        wide = generator.normal(size=(*batch, *shape, shape[0] + 1))
        return wide @ wide.swapaxes(-1, -2)
    return generator.uniform(0.1, 3, size=(*batch, *(shape if form == "diagonal" else ())))


def logpdf(x: np.ndarray, mean: np.ndarray, noise: np.ndarray) -> float:
    """The density of one value by scipy, its numbers side by side, whatever form its covariance has."""
    full = noise.ndim == 2 and x.ndim == 1
    matrix = noise if full else np.diag(np.broadcast_to(noise, x.shape).reshape(-1))
    return float(stats.multivariate_normal.logpdf(x.reshape(-1), mean.reshape(-1), matrix))


@given(SEEDS, FORMS, st.sampled_from([X, V, W, M]))
@settings(max_examples=40)
def test_a_gaussian_has_scipys_density(seed: int, form: str, child: Variable) -> None:
    generator = np.random.default_rng(seed)
    mean, noise = generator.normal(size=child.shape), covariance(generator, form, (), child.shape)
    term = Gaussian(child, mean, noise)
    values = generator.normal(size=(4, *child.shape))
    expected = [logpdf(value, np.asarray(mean), np.asarray(noise)) for value in values]
    there = torch.from_numpy(values)
    assert term.log_prob(there).tolist() == pytest.approx(expected, rel=1e-9)
    assert term.distribution().log_prob(there).tolist() == pytest.approx(expected, rel=1e-9)
    assert term.covariance.detach().numpy() == pytest.approx(noise, rel=1e-9)
    assert tuple(term.distribution().event_shape) == child.shape


@given(SEEDS, FORMS, st.sampled_from([X, V, M]), st.permutations([K, Y, B, M, W]), st.integers(0, 5))
@settings(max_examples=40)
def test_finite_parents_choose_and_the_others_are_regressed_on(
    seed: int, form: str, child: Variable, parents: list[Variable], count: int
) -> None:
    generator = np.random.default_rng(seed)
    given = [parent for parent in parents[:count] if parent is not child]
    chosen, real = [p for p in given if p.finite], [p for p in given if not p.finite]
    sizes = tuple(p.size for p in chosen)
    columns = sum(math.prod(p.shape) for p in real)
    weights = generator.normal(size=(*sizes, columns, *child.shape))
    bias, noise = generator.normal(size=(*sizes, *child.shape)), covariance(generator, form, sizes, child.shape)
    term = ConditionalLinearGaussian(child, given, weights, bias, noise)
    rows = 3
    values = [
        generator.integers(p.size, size=rows) if p.finite else generator.normal(size=(rows, *p.shape)) for p in given
    ]
    x = generator.normal(size=(rows, *child.shape))
    expected = []
    for row in range(rows):
        state = tuple(int(v[row]) for p, v in zip(given, values, strict=True) if p.finite)
        numbers = [v[row].reshape(-1) for p, v in zip(given, values, strict=True) if not p.finite]
        side = np.concatenate(numbers) if numbers else np.zeros(0)
        mean = bias[state] + np.tensordot(side, weights[state], 1)
        expected.append(logpdf(x[row], mean, np.asarray(noise[state])))
    tensors = [torch.from_numpy(np.asarray(value)) for value in values]
    assert term.log_prob(*tensors, torch.from_numpy(x)).tolist() == pytest.approx(expected, rel=1e-8)


@given(SEEDS, FORMS, st.sampled_from([X, V]), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=30)
def test_an_axis_of_length_one_serves_all_states(
    seed: int, form: str, child: Variable, one: bool, two: bool, three: bool
) -> None:
    generator = np.random.default_rng(seed)
    lengths = [1 if shared else K.size for shared in (one, two, three)]
    weights, bias = (
        generator.normal(size=(lengths[0], 1, *child.shape)),
        generator.normal(size=(lengths[1], *child.shape)),
    )
    noise = covariance(generator, form, (lengths[2],), child.shape)
    shared = ConditionalLinearGaussian(child, [K, Y], weights, bias, noise)
    wide = [np.repeat(each, K.size // len(each), 0) for each in (weights, bias, noise)]
    repeated = ConditionalLinearGaussian(child, [K, Y], *wide)
    values = (
        torch.tensor([0, 1, 2]),
        torch.tensor([1.0, -1.0, 0.5]),
        torch.from_numpy(generator.normal(size=(3, *child.shape))),
    )
    torch.testing.assert_close(shared.log_prob(*values), repeated.log_prob(*values), rtol=1e-12, atol=1e-12)
    for name in ("weights", "bias", "scale"):
        left, right = (getattr(term.regression(), name) for term in (shared, repeated))
        torch.testing.assert_close(left, right, rtol=1e-13, atol=0)


@given(SEEDS, FORMS, st.sampled_from([X, V, M]))
@settings(max_examples=20)
def test_the_one_form_says_what_the_distribution_says(seed: int, form: str, child: Variable) -> None:
    """Mean and covariance of child given parents, from `regression` and from torch's distribution."""
    generator = np.random.default_rng(seed)
    noise = covariance(generator, form, (3,), child.shape)
    size = math.prod(child.shape)
    term = ConditionalLinearGaussian(
        child, [Y, K], generator.normal(size=(3, 1, *child.shape)), generator.normal(size=(3, *child.shape)), noise
    )
    made, y = term.regression(), torch.tensor(0.7, dtype=torch.float64)
    assert (made.finite, made.real) == ((K,), (Y,))
    for state in range(3):
        there = term.distribution(y, torch.tensor(state))
        mean = made.bias[state] + y * made.weights[state, 0]
        torch.testing.assert_close(mean.reshape(child.shape), there.mean)
        total = made.scale[state] @ made.scale[state].mT
        torch.testing.assert_close(total.diagonal().reshape(child.shape), there.variance)
        assert total.shape == (size, size)


def test_batches_broadcast() -> None:
    term = ConditionalLinearGaussian(V, [K, X], np.ones((3, 1, 2)), np.arange(6.0).reshape(3, 2), np.ones(3))
    k, x, v = torch.tensor([[0], [2]]), torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.zeros(2)
    assert term.log_prob(k, x, v).shape == term.distribution(k, x).batch_shape == (2, 4)
    assert term.log_prob(k, x, v)[1, 2].item() == pytest.approx(stats.norm.logpdf([0, 0], [7, 8]).sum())
    assert term.draw(k, x, shape=(5,)).shape == (5, 2, 4, 2)
    assert term.log_prob(torch.zeros(0, dtype=torch.long), torch.zeros(0), torch.zeros(0, 2)).shape == (0,)


@pytest.mark.parametrize("noise", [0.25, [0.25, 4.0], [[1.0, 0.9], [0.9, 1.0]], [[1.0, 2.0], [2.0, 4.0]]], ids=repr)
def test_draws_have_the_moments_of_the_conditional(noise: list[float]) -> None:
    """Means of n draws within 5 standard errors, sqrt(var / n); covariances within 5 sqrt(2) var / sqrt(n)."""
    torch.manual_seed(0)
    n, term = 20_000, LinearGaussian(V, [X], [[1.0, -2.0]], [0.5, 0.0], noise)
    drawn = term.draw(torch.tensor(2.0), shape=(n,)).detach().double()
    scale = term.regression().scale.detach()
    wanted = scale @ scale.mT
    errors = (drawn.mean(0) - torch.tensor([2.5, -4.0])).abs()
    assert bool((errors < 5 * (wanted.diagonal() / n).sqrt()).all())
    largest = wanted.diagonal().max()
    assert bool(((drawn.T.cov() - wanted).abs() < 5 * math.sqrt(2 / n) * largest).all())


def test_draws_are_differentiable_in_parents_and_parameters() -> None:
    term, x = LinearGaussian(Y, [X], [3.0], 1.0, 4.0), torch.tensor(2.0, requires_grad=True)
    torch.manual_seed(1)
    drawn = term.draw(x)
    drawn.backward()
    assert (x.grad.item(), term.bias.grad.item(), term.weights.grad.item()) == (3, 1, 2)
    assert term.scale.grad.item() == pytest.approx((drawn.item() - 7) / 2, rel=1e-6)  # the noise that was drawn


@pytest.mark.parametrize("term", [
    Gaussian(V, [1.0, 2.0], [[2.0, 0.5], [0.5, 1.0]]),
    Gaussian(V, [1.0, 2.0], [2.0, 0.5]),
    Gaussian(M, np.zeros((2, 3)), 2.0),
    ConditionalLinearGaussian(V, [K, X], np.ones((3, 1, 2)), np.zeros((1, 2)), np.ones((3, 2))),
], ids=repr)  # fmt: skip
def test_log_prob_has_the_gradients_of_finite_differences(term: GaussianConditional) -> None:
    values = [torch.tensor([0, 2, 1]) if v.finite else torch.randn(3, *v.shape).double() for v in term.scope]
    names = dict(term.named_parameters())

    def total(*parameters: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(
            _Density(term), dict(zip(map("term.{}".format, names), parameters, strict=True)), tuple(values)
        )

    assert torch.autograd.gradcheck(total, tuple(p.detach().clone().requires_grad_() for p in names.values()))


class _Density(torch.nn.Module):
    def __init__(self, term: GaussianConditional) -> None:
        super().__init__()
        self.term = term

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self.term.log_prob(*values)


@given(SEEDS, st.integers(2, 4))
@settings(max_examples=20)
def test_a_vector_is_a_chain_of_numbers_even_where_some_are_certain(seed: int, length: int) -> None:
    """One Gaussian of a vector, and one linear Gaussian a number given those before it, some without noise."""
    generator = np.random.default_rng(seed)
    weights, spread = np.tril(generator.uniform(-1, 1, (length, length)), -1), generator.uniform(0.5, 2, length)
    spread *= generator.random(length) < 0.6
    inverse = np.linalg.inv(np.eye(length) - weights)  # x = inverse @ noise
    vector = Variable("vector", Real(length))
    whole = Gaussian(vector, np.zeros(length), inverse @ np.diag(spread**2) @ inverse.T)
    parts = [Variable(f"x{i}", Real()) for i in range(length)]
    chain = [LinearGaussian(parts[i], parts[:i], weights[i, :i], 0.0, spread[i] ** 2) for i in range(length)]
    x = torch.from_numpy((inverse @ (spread * generator.normal(size=length)))[None])
    model = BayesianNetwork(*chain)
    found = model.log_prob({part.name: x[:, i] for i, part in enumerate(parts)}).item()
    assert math.isfinite(found)
    assert whole.log_prob(x).item() == pytest.approx(found, rel=1e-9, abs=1e-9)


def test_no_noise_is_a_function() -> None:
    double = LinearGaussian(Y, [X], [2.0], 1.0, 0.0)
    x, y = torch.tensor([0.1, 0.1], dtype=torch.float64), torch.tensor([1.2, 1.3], dtype=torch.float64)
    assert double.log_prob(x, y).tolist() == [0, -math.inf]
    assert double.draw(torch.tensor(0.5)).item() == 2
    double.log_prob(x[0], y[0]).backward()
    assert all(bool(p.grad.isfinite().all()) for p in double.parameters())


def test_precisions_mix() -> None:
    single = LinearGaussian(Y, [X], torch.tensor([2.0]), 0.0, 1.0)
    assert {p.dtype for p in single.parameters()} == {torch.float64}
    term = Gaussian(V, torch.zeros(2), torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    assert {p.dtype for p in term.parameters()} == {torch.float32}
    value = torch.tensor([0.3, -0.2], dtype=torch.float64)
    assert term.log_prob(value).item() == pytest.approx(copy.deepcopy(term).double().log_prob(value).item(), rel=1e-6)


def test_upper_triangles_of_a_root_are_not_parameters() -> None:
    term = Gaussian(V, [0.0, 0.0], [[2.0, 1.0], [1.0, 2.0]])
    before = term.log_prob(torch.ones(2))
    with torch.no_grad():
        term.scale[0, 1] = 7.0
    assert torch.equal(term.log_prob(torch.ones(2)), before)
    torch.testing.assert_close(term.covariance, torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64))
    made = term.regression().scale
    torch.testing.assert_close(made @ made.mT, term.covariance)


WRONG = {
    "not real": (
        lambda: Gaussian(Variable("on", Binary()), 0.0, 1.0), GraphError,
        "Gaussian(on): 'on' is Binary(), expected Real.",
    ),
    "finite parent": (
        lambda: LinearGaussian(Y, [K], [1.0], 0.0, 1.0), GraphError,
        "LinearGaussian(y): parent 'k' is finite; use ConditionalLinearGaussian.",
    ),
    "mean": (
        lambda: Gaussian(V, [0.0, 0.0, 0.0], 1.0), ShapeError,
        "Gaussian(v): mean: shape (3,), expected (2,) = [v].",
    ),
    "weights": (
        lambda: LinearGaussian(V, [X, W], np.zeros((3, 2)), [0, 0], 1.0), ShapeError,
        "LinearGaussian(v): weights: shape (3, 2), expected (4, 2) = [columns x, w[0], w[1], w[2], v].",
    ),
    "infinite": (
        lambda: Gaussian(X, math.inf, 1.0), ShapeError, "Gaussian(x): mean: inf, expected finite numbers.",
    ),
    "covariance": (
        lambda: Gaussian(V, [0, 0], np.ones((1, 2, 2))), ShapeError,
        "Gaussian(v): covariance has shape (1, 2, 2), expected (), or (2,), or (2, 2) = "
        "[*finite parents, *event]: one variance, a diagonal, or a matrix.",
    ),
    "one variance": (
        lambda: ConditionalLinearGaussian(X, [K], None, np.zeros(K.size), 1.0), ShapeError,
        f"ConditionalLinearGaussian(x): covariance has shape (), expected ({K.size},) = "
        "[*finite parents, *event]: one variance, a diagonal, or a matrix.",
    ),
    "negative": (
        lambda: Gaussian(X, 0.0, -1.0), ShapeError, "Gaussian(x): covariance: a variance is -1, expected 0 or more.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, kind, text = WRONG[case]
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == text
