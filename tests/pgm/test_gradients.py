"""log Z is differentiable in all parameters: against autograd through enumeration, finite differences and counts."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

from pgm import (
    BayesianNetwork,
    Exact,
    Logistic,
    LogLinear,
    MarkovNetwork,
    Model,
    NoisyOr,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    plan_for,
)
from pgm.conditionals import Conditional
from pgm.testing import KINDS, random_case

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}  # differences of positive numbers near one, a few hundred roundings
A, B, C = (Variable(name, 2) for name in "abc")


def enumerated_log_z(model: Model, seen: dict[str, str], likelihood: dict[str, list[float]]) -> Tensor:
    """log of the sum over all worlds as one torch expression, so that autograd gives the gradient a second way."""
    names = list(model.graph.names)
    total = torch.ones([v.size for v in model.variables], dtype=torch.float64)
    for factor in model.factors():
        order = [factor.names.index(name) for name in names if name in factor.names]
        shape = [model[name].size if name in factor.names else 1 for name in names]
        total = total * factor.values.permute(order).reshape(shape)
    for name, label in seen.items():
        keep = torch.zeros(model[name].size, dtype=torch.float64)
        keep[model[name].number(label)] = 1
        total = total * keep.reshape([model[name].size if each == name else 1 for each in names])
    for name, weights in likelihood.items():
        vector = torch.tensor(weights, dtype=torch.float64)
        total = total * vector.reshape([-1 if each == name else 1 for each in names])
    return total.sum().log()


def gradients(model: Model, value: Tensor) -> list[Tensor]:
    """One tensor a term; directions that leave rows of conditionals normalised only.

    What the evidence does not touch integrates to one and is dropped; off the normalised tables that is no identity.
    """
    tables = [term.table for term in model.terms]
    unused = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = value + 0 * sum((table.sum() for table in tables), unused)  # so that what was dropped has gradient zero
    *found, _ = torch.autograd.grad(value, [*tables, unused])
    return [
        each - each.mean(-1, keepdim=True) if isinstance(term, Conditional) else each
        for term, each in zip(model.terms, found, strict=True)
    ]


@given(SEEDS, KIND)
@settings(max_examples=27)
def test_gradients_equal_those_of_enumeration(seed: int, kind: str) -> None:
    """Entries that are zero have gradients too."""
    model, seen, likelihood = random_case(seed, kind)
    found = gradients(model, log_evidence(model, given=seen, likelihood=likelihood))
    expected = gradients(model, enumerated_log_z(model, seen, likelihood))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@given(SEEDS)
@settings(max_examples=15)
def test_gradients_of_a_batch_are_the_sum_of_its_rows(seed: int) -> None:
    model, seen, _ = random_case(seed, "markov")
    rows = {name: [label, None] for name, label in seen.items()} or {model.graph.names[0]: [None, None]}
    found = gradients(model, log_evidence(model, given=rows).sum())
    expected = [gradients(model, enumerated_log_z(model, each, {})) for each in (seen, {})]
    for one, first, second in zip(found, *expected, strict=True):
        torch.testing.assert_close(one, first + second, **CLOSE)


@given(SEEDS)
@settings(max_examples=20)
def test_gradients_in_logarithms_are_expected_counts(seed: int) -> None:
    """d log Z / d log table = p(scope | evidence), the counts of EM's first half."""
    model, seen, likelihood = random_case(seed, "markov")
    found = gradients(model, log_evidence(model, given=seen, likelihood=likelihood))
    pairs = [(t.table.detach() * g, tuple(v.name for v in t.scope)) for t, g in zip(model.terms, found, strict=True)]
    post = infer(model, [scope for _, scope in pairs if scope], given=seen, likelihood=likelihood)
    for counts, scope in pairs:
        torch.testing.assert_close(counts, post[scope] if scope else torch.ones((), dtype=torch.float64), **CLOSE)


class LogZ(nn.Module):
    """log evidence as a module's output, so that its parameters can be swapped for a check."""

    def __init__(self, model: Model, seen: dict[str, str]) -> None:
        super().__init__()
        self.model, self.seen = model, seen

    def forward(self) -> Tensor:
        return log_evidence(self.model, given=self.seen)


def assert_gradcheck(model: Model, seen: dict[str, str]) -> None:
    module = LogZ(model, seen)
    names = [name for name, _ in module.named_parameters()]
    values = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]

    def value(*tensors: Tensor) -> Tensor:
        return functional_call(module, dict(zip(names, tensors, strict=True)), ())

    assert torch.autograd.gradcheck(value, values)


@given(SEEDS)
@settings(max_examples=5)
def test_finite_differences_of_tables(seed: int) -> None:
    model, seen, _ = random_case(seed, "markov", most=3)
    positive = [Table(term.scope, term.table.detach() + 0.5) for term in model.terms]
    assert_gradcheck(Model(Table([], 1.0), *positive, variables=model.variables), seen)


def test_finite_differences_of_parameters_behind_tables() -> None:
    """Noisy-or, logistic and log-linear terms: through their own parameters."""
    model = Model(
        Logistic(A, [], [], -0.3),
        Logistic(B, [A], [0.7], 0.1),
        NoisyOr(C, [A, B], [0.4, 0.8], 0.1),
        LogLinear([A, C], [lambda a, c: a == c, lambda a, c: c == "1"], [0.5, -0.2]),
    )
    assert_gradcheck(model, {"c": "1"})


def test_deterministic_tables_have_finite_gradients() -> None:
    """An -inf slice makes the gradient of a plain logsumexp NaN."""
    model = BayesianNetwork(
        Tabular(A, [], [1, 0]), Tabular(B, [A], [[1, 0], [0, 1]]), Tabular(C, [B], [[0.5, 0.5], [0, 1]])
    )
    for engine in (Exact(), Exact(executor="products")):
        value = log_evidence(model, given={"c": "1"}, engine=engine)
        assert value.item() == pytest.approx(math.log(0.5))
        for each in torch.autograd.grad(value, list(model.parameters())):
            assert torch.isfinite(each).all()


def test_ties_share_nothing() -> None:
    """Equal entries: each has the gradient of a sum, not a share of the gradient of a maximum."""
    model = MarkovNetwork(Table([A, B], torch.ones(2, 2)), Table([B, C], torch.ones(2, 2)))
    (first, second) = torch.autograd.grad(log_evidence(model), list(model.parameters()))
    assert first.flatten().tolist() == pytest.approx([0.25] * 4)
    torch.testing.assert_close(second, first)


def test_gradients_where_linear_numbers_underflow() -> None:
    """Weights of 1e-400: the counts still add up to one for each table."""
    chain = [Variable(f"x{i}") for i in range(6)]
    tables = [Table([a, b], [[1e-90, 2e-90], [3e-90, 1e-91]]) for a, b in zip(chain, chain[1:], strict=False)]
    model = MarkovNetwork(*tables)
    scaled = MarkovNetwork(*(Table(term.scope, term.table.detach() * 1e90) for term in tables))
    value, plain = log_evidence(model), log_evidence(scaled)
    assert value.item() == pytest.approx(plain.item() - 5 * 90 * math.log(10), rel=1e-12)
    value.backward()
    plain.backward()
    for term, other in zip(model.terms, scaled.terms, strict=True):
        torch.testing.assert_close(term.table.grad * term.table, other.table.grad * other.table, rtol=1e-9, atol=0)


def test_gradients_of_a_sliced_plan() -> None:
    ring = [Variable(f"x{i}", 3) for i in range(8)]
    tables = [Table([a, b], torch.rand(3, 3)) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)]
    loop = MarkovNetwork(*tables)
    whole = gradients(loop, log_evidence(loop, engine=Exact(executor="products")))
    engine = Exact(executor="products", memory=24 * 120)
    assert plan_for(loop, task="log_evidence", engine=engine).sliced
    sliced = gradients(loop, log_evidence(loop, engine=engine))
    for one, other in zip(whole, sliced, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_without_gradients_none_are_recorded() -> None:
    model, _, _ = random_case(7, "markov")
    with torch.no_grad():
        assert not log_evidence(model).requires_grad
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert not log_evidence(model).requires_grad


def test_gradient_ascent_fits_a_coin() -> None:
    """Maximum likelihood through log_evidence: the fitted probability is the share of heads."""
    coin = Variable("coin", ["heads", "tails"])
    model = BayesianNetwork(Logistic(coin, [], [], 0.0))
    rows = {"coin": ["heads"] * 3 + ["tails"] * 7}
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=50, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = -log_evidence(model, given=rows).sum()
        value.backward()
        return value

    optimiser.step(loss)
    assert infer(model)["coin", "heads"].item() == pytest.approx(0.3, abs=1e-6)
