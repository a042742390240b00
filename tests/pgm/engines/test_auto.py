"""Auto is exact within the limits; beyond them each answer says how far it may be off."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    Auto,
    BayesianNetwork,
    DualDecomposition,
    Exact,
    Gibbs,
    LikelihoodWeighting,
    MarkovNetwork,
    MiniBucket,
    Model,
    NoisyOr,
    Posterior,
    Query,
    Table,
    Tabular,
    TreeReweighted,
    Variable,
    infer,
    log_evidence,
    mpe,
    sample,
)
from pgm.ask import _scopes
from pgm.engines.auto import Choice
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.evidence import read_evidence
from pgm.testing import random_case, random_targets

QUIET = {"progress": False, "seconds": 0.0}
SIDE = 30


def lattice(side: int, zero: bool = False) -> MarkovNetwork:
    """A grid of two states a site with random couplings, one of them with an exact zero where asked for."""
    generator = torch.Generator().manual_seed(side)
    x = [[Variable(f"x{i}_{j}", 2) for j in range(side)] for i in range(side)]
    pairs = [(x[i][j], x[i + 1][j]) for i in range(side - 1) for j in range(side)]
    pairs += [(x[i][j], x[i][j + 1]) for i in range(side) for j in range(side - 1)]
    tables = [Table(pair, (0.5 * torch.randn(2, 2, generator=generator)).exp()) for pair in pairs]
    return MarkovNetwork(*tables, *([Table(x[0][:2], [[1.0, 0.0], [1.0, 2.0]])] if zero else []))


def symptoms(diseases: int = 50, findings: int = 50, causes: int = 18) -> BayesianNetwork:
    """Findings that random sets of diseases bring about: no table of a finding, and no clique, is small."""
    generator = torch.Generator().manual_seed(0)
    d = [Variable(f"d{k}", 2) for k in range(diseases)]
    terms = [Tabular(v, [], [0.8, 0.2]) for v in d]
    for k in range(findings):
        chosen = [d[i] for i in torch.randperm(diseases, generator=generator)[:causes].tolist()]
        strengths = torch.rand(causes, generator=generator, dtype=torch.float64)
        terms.append(NoisyOr(Variable(f"f{k}", 2), chosen, strengths, leak=0.02))
    return BayesianNetwork(*terms)


SEEN = {f"f{k}": "1" if k % 3 else "0" for k in range(50)}


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=16)
def test_small_questions_are_exact(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    targets, known = random_targets(seed, model), {"given": seen, "likelihood": likelihood}
    found, expected = infer(model, targets, **known, engine=Auto()), infer(model, targets, **known)
    for target in targets:
        np.testing.assert_array_equal(found[target].numpy(), expected[target].numpy())
        assert not found.standard_error(target).any()
    assert found.engine == "Exact"
    assert found.diagnostics["choice"].startswith("Exact: ")
    torch.testing.assert_close(log_evidence(model, **known, engine=Auto()).detach(), expected.log_evidence)
    assert torch.equal(mpe(model, **known, k=2, engine=Auto()).states, mpe(model, **known, k=2).states)
    drawn, again = (sample(model, 5, **known, seed=1, engine=engine) for engine in (Auto(), None))
    assert torch.equal(drawn.states, again.states)


def test_a_wide_grid_is_answered_with_standard_errors() -> None:
    post = infer(lattice(SIDE), ["x0_0", ("x0_0", "x0_1")], given={"x3_3": "1"}, engine=Auto(**QUIET))
    assert post.engine == "Gibbs"
    assert "exact inference would take 2^" in post.diagnostics["choice"]
    assert 0 < float(post.standard_error(("x0_0", "1"))) < 0.02
    assert (post.standard_error(("x0_0", "x0_1")) > 0).all()


def test_the_evidence_of_a_grid_beyond_the_memory_is_between_bounds() -> None:
    model, auto = lattice(14), Auto(memory=1e4, **QUIET)
    post = infer(model, [], engine=auto)
    lower, upper = (post.diagnostics[f"log_evidence_{side}"] for side in ("lower", "upper"))
    assert lower < float(log_evidence(model).detach()) < upper < lower + 50
    with pytest.warns(ConvergenceWarning, match=r"not exact: .*bounds up to .* nats apart\. AIS: "):
        assert float(log_evidence(model, engine=auto)) == float(post.log_evidence)


def test_between_wide_bounds_the_evidence_is_estimated() -> None:
    """By annealing, within five of its standard errors of the exact one."""
    model, known = lattice(10), read_evidence(lattice(10).graph, {}, None)
    wide = Choice(MiniBucket(i_bound=1, iterations=0, progress=False), "MiniBucket: a test; bounds.")
    post = Auto(**QUIET)._estimated(model, known, "raise", wide)
    assert post.diagnostics["choice"].startswith("AIS: a test; the bounds of MiniBucket, which certainly hold, are ")
    error = float(post.log_evidence) - float(log_evidence(model).detach())
    assert 0 < abs(error) < 5 * post.diagnostics["log_evidence_error"]


def test_exact_evidence_has_a_gradient() -> None:
    a, b = Variable("a"), Variable("b")
    model = MarkovNetwork(Table([a, b], [[3.0, 1.0], [1.0, 2.0]]))
    log_evidence(model, given={"a": "0"}, engine=Auto()).backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    log_evidence(model, given={"a": "0"}).backward()
    assert all(torch.equal(one, p.grad) for one, p in zip(found, model.parameters(), strict=True))


def test_no_bound_of_a_probability_is_above_1() -> None:
    model = symptoms(30, 10, 14)
    seen = {name: label for name, label in SEEN.items() if name in model.graph.names}
    for engine in (MiniBucket(i_bound=2, iterations=0, progress=False), TreeReweighted(iterations=5, progress=False)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            assert infer(model, [], given=seen, engine=engine).diagnostics["log_evidence_upper"] <= 0.0
    assert mpe(model, given=seen, engine=MiniBucket(i_bound=2, iterations=0, progress=False)).bound <= 0.0


def test_explanations_of_a_wide_grid_have_a_bound() -> None:
    best = mpe(lattice(SIDE), engine=Auto(**QUIET))
    assert best.log_prob[0] <= best.bound
    assert float(best.gap) < 20
    assert best.diagnostics["choice"].startswith("DualDecomposition: ")


def test_samples_of_a_wide_grid_say_where_they_are_from() -> None:
    drawn = sample(lattice(SIDE), 20, seed=0, engine=Auto(**QUIET))
    assert drawn.states.shape == (20, SIDE**2)
    assert drawn.diagnostics["choice"].startswith("Gibbs: ")


def bounded(model: Model, targets: list, given: dict) -> Posterior:
    """What stands in where neither chains nor weighted draws can be trusted."""
    scopes, known = _scopes(model, tuple(targets)), read_evidence(model.graph, given, None)
    return Auto(**QUIET)._bounded(model, scopes, known, "raise", "a test")


def test_messages_are_held_to_bounds() -> None:
    model, targets = lattice(6, zero=True), ["x0_0", ("x0_0", "x0_1")]
    post, exact = bounded(model, targets, {}), infer(model, targets)
    for target, key in zip(targets, ["x0_0", ("x0_0", "x0_1")], strict=True):
        low, high = post.diagnostics["bounds"][key].unbind(-1)
        for value in (post[target], exact[target]):
            assert ((low <= value + 1e-9) & (value <= high + 1e-9)).all()
    assert post.log_evidence.item() == pytest.approx(exact.log_evidence.item())  # bounds of a 6 x 6 grid meet
    assert post.engine == "LoopyBP"


def test_messages_that_leave_their_intervals_give_way() -> None:
    """On a frustrated clique messages are far off; intervals of a small model are points, and what is reported."""
    x = [Variable(f"x{k}", 2) for k in range(4)]
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)]
    tables = [Table([x[i], x[j]], [[1, 9], [9, 1]]) for i, j in pairs]
    model, rows = MarkovNetwork(*tables, Table([x[0]], [2, 1]), Table([x[1]], [0, 1])), {"x3": ["1", "0"]}
    found, expected = bounded(model, ["x0", ("x0", "x2")], rows), infer(model, ["x0", ("x0", "x2")], given=rows)
    for target in ("x0", ("x0", "x2")):
        torch.testing.assert_close(found[target], expected[target])
    torch.testing.assert_close(found.log_evidence, expected.log_evidence)


def test_a_wide_network_of_noisy_ors_is_answered_with_an_error() -> None:
    net, auto = symptoms(40, 30, 14), Auto(**QUIET)
    seen = {f"f{k}": SEEN[f"f{k}"] for k in range(30)}
    post = infer(net, ["d0", "d1"], given=seen, engine=auto)
    assert post.engine == "Gibbs"
    assert 0 < float(post.standard_error(("d0", "1"))) < 0.05
    best = mpe(net, given=seen, engine=auto)
    assert best.log_prob[0] <= best.bound <= 0.0
    assert best.diagnostics["choice"].startswith("MiniBucket: ")


@pytest.mark.parametrize(
    ("query", "engine"),
    [
        (Query("marginal", ((0,),)), Gibbs),
        (Query("sample", ((0,),)), Gibbs),
        (Query("log_evidence"), MiniBucket),
        (Query("marginal"), MiniBucket),
        (Query("maximum", (tuple(range(SIDE**2)),)), DualDecomposition),
        (Query("marginal", ((0,),), frozenset(range(870))), Exact),
    ],
)
def test_the_choice_can_be_looked_at_before_anything_runs(query: Query, engine: type) -> None:
    choice = Auto(**QUIET).select(lattice(SIDE).graph, query)
    assert isinstance(choice.engine, engine)
    assert choice.reason.startswith(f"{engine.__name__}: ")


def test_without_evidence_below_draws_need_no_weights() -> None:
    net = symptoms(30, 30, 10)
    number = net.graph.numbers
    wanted = Query("marginal", tuple((number[f"f{k}"],) for k in range(30)), frozenset([number["d0"]]))
    choice = Auto(**QUIET).select(net.graph, wanted, Exact(memory=1e4))
    assert isinstance(choice.engine, LikelihoodWeighting)
    assert "nothing observed has parents that are not" in choice.reason
    below = Query("marginal", ((number["d1"],),), frozenset([number["f0"]]))
    assert not isinstance(Auto(**QUIET).select(net.graph, below, Exact(memory=1e4)).engine, LikelihoodWeighting)


def test_refusals_of_exact_inference_point_to_auto() -> None:
    with pytest.raises(PlanError, match=r"widest clique .* Use engine=Auto\(\) for an approximate answer"):
        infer(lattice(40), engine=Exact(seconds=0.0))


def test_impossible_evidence_is_an_error() -> None:
    model = lattice(SIDE, zero=True)
    with pytest.raises(EvidenceError, match="probability 0"):
        infer(model, ["x5_5"], given={"x0_0": "0", "x0_1": "1"}, engine=Auto(**QUIET))


def test_limits_that_are_none_are_refused() -> None:
    with pytest.raises(PlanError, match="Exact: memory is -1 bytes"):
        Auto(memory=-1)
