"""Loopy belief propagation: exact on trees, stationary on loops, honest where it fails, differentiable."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import (
    BayesianNetwork,
    Cardinality,
    ConvergenceWarning,
    EvidenceError,
    Exact,
    LoopyBP,
    MarkovNetwork,
    NoisyOr,
    Parity,
    PlanError,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
)
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import random_field, worlds

seeds = st.integers(0, 10_000)


def random_tree(seed: int, zeros: bool = False) -> BayesianNetwork:
    """A network in which every variable has at most one parent."""
    rng = np.random.default_rng(seed)
    variables = [Variable(f"x{k}", int(rng.integers(2, 4))) for k in range(6)]
    terms = []
    for k, child in enumerate(variables):
        parents = [variables[int(rng.integers(k))]] if k else []
        table = rng.dirichlet(np.ones(child.size), [p.size for p in parents])
        if zeros and k == 3:
            table[..., 0] = 0.0
            table /= table.sum(-1, keepdims=True)
        terms.append(Tabular(child, parents, table))
    return BayesianNetwork(*terms)


@given(seeds, st.booleans())
@settings(max_examples=5)
def test_trees_are_exact(seed: int, zeros: bool) -> None:
    model = random_tree(seed, zeros)
    seen = {"x4": [model["x4"].states[0], None], "x5": [None, model["x5"].states[1]]}
    child, parent = model.conditionals["x2"].child.name, model.conditionals["x2"].given[0].name
    targets = [*model.graph.names, (child, parent)]
    expected = infer(model, targets, given=seen)
    found = infer(model, targets, given=seen, engine=LoopyBP(tolerance=1e-12))
    for target in targets:
        np.testing.assert_allclose(found[target].numpy(), expected[target].numpy(), atol=1e-10)
    torch.testing.assert_close(found.log_evidence, expected.log_evidence)
    assert found.diagnostics["converged"] == [True, True]
    torch.testing.assert_close(log_evidence(model, given=seen, engine=LoopyBP()).detach(), expected.log_evidence)


@given(seeds)
@settings(max_examples=10)
def test_the_best_states_of_trees_are_found_and_known_to_be_best(seed: int) -> None:
    model = random_tree(seed, zeros=True)
    seen = {"x5": model["x5"].states[0]}
    expected, found = mpe(model, given=seen), mpe(model, given=seen, engine=LoopyBP())
    torch.testing.assert_close(found.log_prob, expected.log_prob)
    assert found.gap.item() == pytest.approx(0.0, abs=1e-9)


@given(seeds)
@settings(max_examples=15)
def test_the_best_states_of_loops_are_below_the_bound(seed: int) -> None:
    field = random_field(seed, rows=2, zeros=0.1)
    found = LoopyBP(iterations=50, tolerance=1.0).search(field)
    best = worlds(field).logs.amax(1)
    assert (found.bound >= best - 1e-9).all()
    assert (field.log_weight(found.states[:, None])[:, 0] <= best + 1e-9).all()


@given(seeds)
@settings(max_examples=10)
def test_a_fixed_point_is_stationary_in_the_bethe_free_energy(seed: int) -> None:
    """Beliefs that settle are consistent, and no consistent change of them changes the free energy to first order.

    The free energy and its derivative are written out from their definitions; the changes of the beliefs of factors
    are projected onto those that keep all marginals normalised and consistent.
    """
    field = random_field(seed, variables=5, strength=0.6)
    found = LoopyBP(tolerance=1e-12).solve(field)
    beliefs = [b.clone() for b in found.marginals[0].split(field.sizes.tolist())]
    factors = [
        (g.logs[0, n if g.logs.shape[1] > 1 else 0], s.tolist()) for g in field.groups for n, s in enumerate(g.scopes)
    ]
    passing, settled = LoopyBP(tolerance=1e-12).settle(field)
    tables = [t[0, n] for t in passing.factor_beliefs(settled.messages) for n in range(t.shape[1])]
    joints = [table.flatten().softmax(0).reshape(table.shape) for table in tables]
    for joint, (_, scope) in zip(joints, factors, strict=True):
        for axis, v in enumerate(scope):
            others = [k for k in range(len(scope)) if k != axis]
            torch.testing.assert_close(joint.sum(others), beliefs[v], atol=1e-9, rtol=0)
    slopes = _slopes(field, beliefs, joints, factors)
    directions = _consistent(field, beliefs, [scope for _, scope in factors])
    assert (directions @ slopes).abs().max() < 1e-8


def _slopes(field: Field, beliefs: list[Tensor], joints: list[Tensor], factors: list) -> Tensor:
    """The derivative of energy less entropy by all beliefs, those of variables first."""
    leaves = [b.detach().requires_grad_() for b in (*beliefs, *joints)]
    own, shared = leaves[: len(beliefs)], leaves[len(beliefs) :]
    degree = [sum(v in scope for _, scope in factors) for v in range(field.variables)]
    unary = field.unary[0].split(field.sizes.tolist())
    total = sum(-(b * u).sum() + (1 - d) * (b * b.log()).sum() for b, u, d in zip(own, unary, degree, strict=True))
    total = total + sum((b * (b.log() - t)).sum() for b, (t, _) in zip(shared, factors, strict=True))
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(total, leaves)])


def _consistent(field: Field, beliefs: list[Tensor], scopes: list[list[int]]) -> Tensor:
    """A basis of the changes of all beliefs that keep sums and marginals as they must be."""
    sizes = [len(b) for b in beliefs]
    widths = [*sizes, *(int(np.prod([sizes[v] for v in scope])) for scope in scopes)]
    starts = np.concatenate([[0], np.cumsum(widths)])
    rules = []
    for v, size in enumerate(sizes):
        rule = torch.zeros(int(starts[-1]), dtype=torch.float64)
        rule[starts[v] : starts[v] + size] = 1.0
        rules.append(rule)
    for number, scope in enumerate(scopes):
        shape = [sizes[v] for v in scope]
        for axis, v in enumerate(scope):
            for state in range(sizes[v]):
                rule = torch.zeros(int(starts[-1]), dtype=torch.float64)
                low = starts[len(sizes) + number]
                rule[low : starts[len(sizes) + number + 1]].view(shape).select(axis, state).fill_(1.0)
                rule[starts[v] + state] = -1.0
                rules.append(rule)
    _, values, basis = torch.linalg.svd(torch.stack(rules), full_matrices=True)
    return basis[int((values > 1e-9).sum()) :]


def causes() -> BayesianNetwork:
    """A noisy or of eight causes, too wide to stay a table unless it has to."""
    roots = [Tabular(Variable(f"x{k}"), [], [0.8, 0.2]) for k in range(8)]
    return BayesianNetwork(
        *roots, NoisyOr(Variable("on"), [r.child for r in roots], [0.1 * k for k in range(1, 9)], 0.05)
    )


def test_wide_causes_are_exact_as_the_tree_that_they_are() -> None:
    model, seen = causes(), {"on": ["1", "0", None], "x3": [None, "1", None]}
    targets = [*model.graph.names, ("x7", "x1")]
    expected = infer(model, targets, given=seen)
    found = infer(model, targets, given=seen, engine=LoopyBP(tolerance=1e-12))
    for target in targets:
        np.testing.assert_allclose(found[target].numpy(), expected[target].numpy(), atol=1e-10)
    best = mpe(model, given={"on": "1"}, engine=LoopyBP())
    torch.testing.assert_close(best.log_prob, mpe(model, given={"on": "1"}).log_prob)


@pytest.mark.parametrize("only_one", [Cardinality, lambda xs, weights: Parity(xs, odd=True)])
def test_counts_of_many_are_maximised_along_a_chain(only_one) -> None:
    """All would rather be off, by odds of k to 1, but one must be on: the best is the one that minds least."""
    xs = [Variable(f"x{k}") for k in range(30)]
    odds = [Table([x], [k + 2.0, 1.0]) for k, x in enumerate(xs)]
    model = MarkovNetwork(only_one(xs, [0.0, 1.0, 0.0]), *odds)
    best = mpe(model, engine=LoopyBP())
    assert best.states.tolist() == [[1, *[0] * 29]]
    assert best.log_prob.item() == pytest.approx(best.bound.item())
    found = infer(model, ["x5"], engine=LoopyBP(temperature=0.0, tolerance=1e-12))
    assert found["x5", "0"].item() == pytest.approx(7 / 9)  # against the best with x5 on instead: 2 / 1 of 7 / 1


def test_too_wide_to_maximise_is_refused_by_name() -> None:
    xs = [Tabular(Variable(f"x{k}"), [], [0.6, 0.4]) for k in range(30)]
    model = BayesianNetwork(*xs, NoisyOr(Variable("on"), [x.child for x in xs], [0.5] * 30))
    with pytest.raises(PlanError, match=r"LoopyBP: a noisy or.* of x0, x1.* a table of 2\^31 entries"):
        mpe(model, engine=LoopyBP())


@given(seeds)
@settings(max_examples=8)
def test_max_marginals_at_temperature_zero(seed: int) -> None:
    field = random_field(seed, tree=True)
    found, all_ = LoopyBP(temperature=0.0, tolerance=1e-12).solve(field), worlds(field)
    tops = torch.stack([all_.logs[:, all_.states[:, 0] == s].amax(1) for s in range(int(field.sizes[0]))], 1)
    torch.testing.assert_close(found.marginals[:, : tops.shape[1]], tops.softmax(1))
    torch.testing.assert_close(found.log_evidence, all_.logs.amax(1))


def frustrated() -> MarkovNetwork:
    """Four spins, every two of which strongly want something else: messages go round and round."""
    xs = [Variable(f"x{k}") for k in range(4)]
    pairs = [(xs[i], xs[j]) for i in range(4) for j in range(i)]
    tables = [[[1, 60], [60, 1]] if k % 2 else [[60, 1], [1, 60]] for k in range(len(pairs))]
    lean = [Table([x], [1.0, 1.3]) for x in xs]
    return MarkovNetwork(*(Table(pair, table) for pair, table in zip(pairs, tables, strict=True)), *lean)


def test_what_does_not_settle_says_so() -> None:
    expected = r"LoopyBP: messages have not settled after 30 iterations: residual 0\.\d+, tolerance 1e-06"
    with pytest.warns(ConvergenceWarning, match=expected):
        found = infer(frustrated(), ["x0"], engine=LoopyBP(damping=0.0, iterations=30))
    assert found.diagnostics["converged"] is False
    assert found.diagnostics["iterations"] == 30
    assert found.diagnostics["residual"] == found.diagnostics["residuals"][-1] > 1e-3
    with pytest.warns(ConvergenceWarning, match="2 of 2 rows have not settled"):
        infer(frustrated(), ["x0"], given={"x1": ["0", "1"]}, engine=LoopyBP(iterations=1))


def test_impossible_evidence_is_an_error() -> None:
    a, b, c = (Variable(name) for name in "abc")
    same, other = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], same), Tabular(c, [a], other))
    with pytest.raises(EvidenceError, match=r"LoopyBP: the evidence .* has probability 0"):
        infer(model, ["a"], given={"b": "1", "c": "1"}, engine=LoopyBP())
    with pytest.raises(EvidenceError, match="probability 0"):
        mpe(model, given={"b": "1", "c": "1"}, engine=LoopyBP())
    rows = infer(model, ["a"], given={"b": ["1", "1"], "c": ["1", "0"]}, engine=LoopyBP(), impossible="nan")
    assert rows["a"].isnan().all(1).tolist() == [True, False]
    assert log_evidence(model, given={"b": "1", "c": "1"}, engine=LoopyBP()).item() == -np.inf


def test_joint_targets_need_a_factor() -> None:
    a, b, c = (Variable(name) for name in "abc")
    chain = MarkovNetwork(Table([a, b], [[2, 1], [1, 2]]), Table([b, c], [[2, 1], [1, 2]]))
    with pytest.raises(PlanError, match="no factor has all of a, c.*Exact"):
        infer(chain, [("a", "c")], engine=LoopyBP())


@pytest.mark.parametrize(
    "options",
    [{"damping": 1.0}, {"temperature": -1.0}, {"schedule": "random"}, {"iterations": 0}, {"gradient": "none"}],
)
def test_options_are_checked(options: dict) -> None:
    (name,) = options
    with pytest.raises(PlanError, match=f"LoopyBP: {name} is .*expected"):
        LoopyBP(**options)


def loop(seed: int, zeros: bool = False) -> tuple[list[Tensor], Field]:
    """A field with loops, and its numbers as leaves."""
    field = random_field(seed, variables=4, rows=2, strength=0.4, zeros=0.15 * zeros, trains=1)
    leaves = [field.unary.clone(), *(g.logs.clone() for g in field.groups), *(c.clone() for c in field.trains[0].cores)]
    return leaves, field


def rebuilt(field: Field, leaves: list[Tensor]) -> Field:
    count = len(field.groups)
    groups = tuple(Group(g.scopes, logs) for g, logs in zip(field.groups, leaves[1 : 1 + count], strict=True))
    return replace(
        field, unary=leaves[0], groups=groups, trains=(replace(field.trains[0], cores=tuple(leaves[1 + count :])),)
    )


@given(seeds, st.booleans())
@settings(max_examples=5)
def test_implicit_gradients_are_those_of_finite_differences(seed: int, zeros: bool) -> None:
    compare_with_differences("implicit", seed, zeros)


@given(seeds)
@settings(max_examples=1)
def test_unrolled_gradients_are_those_of_finite_differences(seed: int) -> None:
    compare_with_differences("unrolled", seed, False)


def compare_with_differences(gradient: Literal["implicit", "unrolled"], seed: int, zeros: bool) -> None:
    """Central differences of step h = 1e-5 are off by h^2 times third derivatives, and by rounding of 1e-13 / h."""
    engine = LoopyBP(damping=0.2, tolerance=1e-13, iterations=4000, gradient=gradient)
    leaves, field = loop(seed, zeros)
    mix = torch.randn(field.unary.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def value(numbers: list[Tensor]) -> Tensor:
        solved = engine.solve(rebuilt(field, numbers))
        return (solved.marginals * mix).sum() + solved.log_evidence.sum()

    for leaf in leaves:
        leaf.requires_grad_()
    found = torch.autograd.grad(value(leaves), leaves)
    with torch.no_grad():  # zeros stay zeros
        ways = [torch.where(leaf.isfinite() & (leaf != 0), torch.cos(9 * leaf), 0.0) for leaf in leaves]
        up, down = (value([x + h * way for x, way in zip(leaves, ways, strict=True)]) for h in (1e-5, -1e-5))
        slopes = [torch.where(way == 0, 0.0, slope * way).sum() for slope, way in zip(found, ways, strict=True)]
    assert sum(slopes).item() == pytest.approx(((up - down) / 2e-5).item(), abs=1e-6, rel=1e-6)


@given(seeds)
@settings(max_examples=8)
def test_gradients_of_models_that_are_trees_are_exact_ones(seed: int) -> None:
    model = random_tree(seed)
    seen = {"x3": [model["x3"].states[0], None], "x5": model["x5"].states[1]}
    seen["x5"] = [seen["x5"]] * 2
    slopes = []
    for engine in (Exact(), LoopyBP(tolerance=1e-12)):
        total = log_evidence(model, given=seen, engine=engine).sum()
        slopes.append(torch.autograd.grad(total, list(model.parameters())))
    for exact, found in zip(*slopes, strict=True):
        torch.testing.assert_close(found, exact)


def test_a_gradient_that_does_not_settle_says_so() -> None:
    field = random_field(1, strength=0.5)
    live = replace(field, unary=field.unary.clone().requires_grad_())
    with pytest.warns(ConvergenceWarning, match="messages have not settled after 2"):
        found = LoopyBP(iterations=2).solve(live)
    with pytest.warns(ConvergenceWarning, match="the gradient has not settled after 2 iterations"):
        found.marginals[0, 0].backward()


def test_a_large_torus_needs_no_model() -> None:
    """Uniform couplings on a torus: one message for all, t = atanh(tanh J tanh 3t) with external field 0.

    Above the Bethe critical point the beliefs are magnetised: m = tanh 4t.
    """
    coupling = 0.5
    unary = torch.zeros(1, 40, 40, 2, dtype=torch.float64)
    unary[..., 1] = 1e-9  # which way to lean
    pair = torch.tensor([[coupling, -coupling], [-coupling, coupling]], dtype=torch.float64)
    found = LoopyBP(damping=0.0, iterations=2000, tolerance=1e-13).solve(grid(unary, pair, wrap=True))
    t = 1.0
    for _ in range(200):
        t = np.arctanh(np.tanh(coupling) * np.tanh(3 * t))
    up = found.marginals[0, 1::2]
    torch.testing.assert_close(up, torch.full_like(up, 0.5 * (1 + np.tanh(4 * t))), atol=1e-7, rtol=0)
    magnet = np.tanh(4 * t)
    pairs = found.joint((0, 1))[0]
    assert (pairs[1, 1] + pairs[1, 0]).item() == pytest.approx(0.5 * (1 + magnet), abs=1e-7)
