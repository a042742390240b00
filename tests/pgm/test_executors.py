"""One plan, several ways to run it: tape, matrix products, logarithms, slices, single precision, other copies."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from pgm import (
    BayesianNetwork,
    Exact,
    MarkovNetwork,
    Model,
    Plan,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    plan_for,
    sample,
)
from pgm.errors import PlanError
from pgm.plan import Query
from pgm.planner import make_plan
from pgm.products import Products
from pgm.tape import layout_of
from pgm.testing import KINDS, brute_log_z, brute_mpe, brute_posterior, random_case, random_targets

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
CLOSE = {"rtol": 1e-12, "atol": 0}  # positive sums and products keep their relative precision
A, B, C = (Variable(name) for name in "abc")


def loop(length: int = 8, states: int = 3) -> MarkovNetwork:
    ring = [Variable(f"x{i}", states) for i in range(length)]
    generator = np.random.default_rng(length)
    return MarkovNetwork(
        *(Table([a, b], generator.random((states, states))) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
    )


def bytes_needed(model: Model, seen: dict[str, str], likelihood: dict[str, list[float]]) -> float:
    plan = plan_for(model, given=seen, likelihood=likelihood, engine=Exact(executor="products"))
    return 24 * plan.entries


@given(SEEDS, KIND, st.floats(0.4, 0.9))
@settings(max_examples=20)
def test_slices_change_nothing(seed: int, kind: str, share: float) -> None:
    """With less memory than the plan needs it is cut into slices; every answer stays."""
    model, seen, likelihood = random_case(seed, kind)
    engine = Exact(executor="products", memory=share * bytes_needed(model, seen, likelihood))
    targets = random_targets(seed, model, 2)
    try:
        plan = plan_for(model, [*model.graph.names, *targets], given=seen, likelihood=likelihood, engine=engine)
    except PlanError:
        assume(False)
    assume(plan.sliced)
    post = infer(model, [*model.graph.names, *targets], given=seen, likelihood=likelihood, engine=engine)
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    for target in [*((name,) for name in model.graph.names), *targets]:
        wanted = brute_posterior(model, target, given=seen, likelihood=likelihood)
        np.testing.assert_allclose(post[target].numpy(), wanted, **CLOSE)


def tight(model: Model, task: str, targets: list[str] | None = None) -> Exact:
    """An engine with so little memory that this question is sliced."""
    whole = plan_for(model, targets, task=task, engine=Exact(executor="products"))
    engine = Exact(executor="products", memory=24 * whole.entries * 0.7)
    assert plan_for(model, targets, task=task, engine=engine).sliced
    return engine


def test_the_other_questions_in_slices() -> None:
    model = loop()
    assert log_evidence(model, engine=tight(model, "log_evidence")).item() == pytest.approx(
        brute_log_z(model), rel=1e-12
    )
    (best,) = brute_mpe(model)
    found = mpe(model, engine=tight(model, "maximum"))
    assert (found.assignment(), found.log_prob[0].item()) == (best[0], pytest.approx(best[1], rel=1e-12))
    drawn = sample(model, 400, ["x0"], seed=1, engine=tight(model, "sample", ["x0"]))
    wanted = brute_posterior(model, "x0")
    error = 5 * np.sqrt(wanted * (1 - wanted) / 400)  # five standard errors of a share
    assert (np.abs(np.bincount(drawn["x0"].numpy(), minlength=3) / 400 - wanted) < error).all()


def test_marginal_map_is_sliced_over_what_is_maximised_only() -> None:
    """A sum over slices would not commute with the maximum inside them."""
    model = loop(6)
    targets = ["x0", "x2", "x3"]
    whole = plan_for(model, targets, task="maximum", engine=Exact(executor="products"))
    engine = Exact(executor="products", memory=24 * whole.entries * 0.8)
    plan = plan_for(model, targets, task="maximum", engine=engine)
    assert plan.sliced
    assert set(plan.names(plan.sliced)) <= set(targets)
    ((state, value),) = brute_mpe(model, targets)
    found = mpe(model, targets, engine=engine)
    assert (found.assignment(), found.log_prob[0].item()) == (state, pytest.approx(value, rel=1e-12))


def test_a_batch_in_slices_with_missing_cells_and_impossible_rows() -> None:
    model = BayesianNetwork(
        Tabular(A, [], [0.5, 0.5]), Tabular(B, [A], [[1, 0], [0.2, 0.8]]), Tabular(C, [A, B], [[[0.5, 0.5]] * 2] * 2)
    )
    rows = {"a": ["0", "1", None], "b": ["1", "1", "0"]}
    engine = Exact(executor="products", memory=24 * 11)
    post = infer(model, [("a", "c"), "b"], given=rows, engine=engine, impossible="nan")
    plain = infer(model, [("a", "c"), "b"], given=rows, impossible="nan")
    torch.testing.assert_close(post["a", "c"], plain["a", "c"], equal_nan=True, **CLOSE)
    assert post.log_evidence.isneginf().tolist() == [True, False, False]


def products(model: Model, query: Query, logs: bool) -> tuple[Products, torch.Tensor, torch.Tensor]:
    plan = make_plan(model.graph, query, 0.0)
    tables = [factor.values.detach() for factor in model.factors()]
    return Products(plan, layout_of(plan), tables, logs), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0)


@given(SEEDS, KIND)
@settings(max_examples=25)
def test_logarithms_agree_with_scaled_numbers(seed: int, kind: str) -> None:
    model, _, _ = random_case(seed, kind)
    query = Query("marginal", tuple((v,) for v in range(len(model.variables))))
    linear, *evidence = products(model, query, False)
    logs, *_ = products(model, query, True)
    for one, other in zip(linear.answers(*evidence), logs.answers(*evidence), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)  # exp and log each cost |log| roundings


@given(SEEDS, KIND)
@settings(max_examples=26)
def test_single_precision(seed: int, kind: str) -> None:
    """At most a few hundred roundings of 2^-24 each, all on positive numbers: 1e-4 in all, relatively."""
    model, seen, likelihood = random_case(seed, kind)
    engine = Exact(dtype=torch.float32)
    post = infer(model, given=seen, likelihood=likelihood, engine=engine)
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-5, abs=1e-4)
    for name in model.graph.names:
        wanted = brute_posterior(model, name, given=seen, likelihood=likelihood)
        np.testing.assert_allclose(post[name].numpy(), wanted, rtol=1e-4, atol=1e-37)


def test_a_model_in_single_precision() -> None:
    model, seen, _ = random_case(5, "bayesian")
    before = infer(model, given=seen)
    model.to(torch.float32)
    after = infer(model, given=seen)
    for name in model.graph.names:
        np.testing.assert_allclose(after[name].numpy(), before[name].numpy(), rtol=1e-5, atol=1e-30)
    expected = brute_posterior(model, model.graph.names[0], given=seen)
    np.testing.assert_allclose(after[model.graph.names[0]].numpy(), expected, **CLOSE)  # float64 from those tables


def test_the_plan_says_what_will_run() -> None:
    model = loop(4)
    assert "a tape of" in plan_for(model).executor
    assert plan_for(model, engine=Exact(executor="products")).executor == "matrix products on cpu"
    assert plan_for(model, engine=Exact(dtype=torch.float32)).executor == "matrix products on cpu"
    assert isinstance(infer(model).plan, Plan)


def pair() -> MarkovNetwork:
    return MarkovNetwork(Table([A, B], [[1, 2], [3, 4]]), Table([B, C], [[1, 0], [1, 1]]))


def change_in_place(model: Model) -> None:
    with torch.no_grad():
        model.terms[0].table[0, 1] = 7.0


def change_through_data(model: Model) -> None:
    model.terms[0].table.data[0, 1] = 7.0


def replace_parameter(model: Model) -> None:
    model.terms[0].table = nn.Parameter(torch.tensor([[1.0, 7], [3, 4]], dtype=torch.float64))


def replace_data(model: Model) -> None:
    model.terms[0].table.data = torch.tensor([[1.0, 7], [3, 4]], dtype=torch.float64)


def load_state(model: Model) -> None:
    other = pair()
    change_in_place(other)
    model.load_state_dict(other.state_dict())


def zero_becomes_positive(model: Model) -> None:
    with torch.no_grad():
        model.terms[1].table[0, 1] = 5.0


def positive_becomes_zero(model: Model) -> None:
    with torch.no_grad():
        model.terms[0].table[0, 1] = 0.0


def optimiser_step(model: Model) -> None:
    torch.optim.SGD(model.parameters(), lr=0.1).zero_grad()
    (-log_evidence(model, given={"a": "1"}) + log_evidence(model)).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def to_single_precision(model: Model) -> None:
    with torch.no_grad():
        model.terms[0].table[0, 1] = 0.1
    model.to(torch.float32)


CHANGES = [
    change_in_place, change_through_data, replace_parameter, replace_data, load_state, zero_becomes_positive,
    positive_becomes_zero, optimiser_step, to_single_precision,
]  # fmt: skip


@pytest.mark.parametrize("executor", ["tape", "products"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_parameters_are_taken_up(change, executor: str) -> None:  # type: ignore[no-untyped-def]
    """A model that has answered answers from its present tables, whichever way they were changed."""
    model, engine = pair(), Exact(executor=executor)
    infer(model, given={"c": "1"}, engine=engine)
    infer(model, engine=engine)
    mpe(model, engine=engine)
    before = brute_log_z(model)
    change(model)
    assert brute_log_z(model) != before
    for seen in ({}, {"c": "1"}):
        for name in "abc":
            expected = brute_posterior(model, name, given=seen)
            np.testing.assert_allclose(infer(model, given=seen, engine=engine)[name].numpy(), expected, **CLOSE)
    assert mpe(model, engine=engine).log_prob[0].item() == pytest.approx(brute_mpe(model)[0][1], rel=1e-12)
    assert log_evidence(model, engine=engine).item() == pytest.approx(brute_log_z(model), rel=1e-12)


def test_copies_of_a_model_that_has_answered() -> None:
    model = pair()
    expected = infer(model, given={"c": "1"})["a"]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert infer(twin, given={"c": "1"})["a"].tolist() == expected.tolist()
        change_in_place(twin)
        assert infer(twin, given={"c": "1"})["a"].tolist() != expected.tolist()
        assert infer(model, given={"c": "1"})["a"].tolist() == expected.tolist()


def test_the_state_of_a_model_is_its_tables_alone() -> None:
    model = pair()
    infer(model)
    assert list(model.state_dict()) == ["shared.0.table", "shared.1.table"]


def test_patterns_of_evidence_do_not_mix() -> None:
    """Questions kept with the model are told apart by targets, by what is observed and by the engine."""
    model = loop(5)
    for _ in range(2):
        for seen in ({}, {"x0": "1"}, {"x1": "1"}, {"x1": "2", "x0": "0"}, {"x0": "0", "x1": "2"}):
            for targets in (["x2"], ["x3"], ["x3", "x2"]):
                for executor in ("tape", "products"):
                    post = infer(model, targets, given=seen, engine=Exact(executor=executor))
                    for name in targets:
                        np.testing.assert_allclose(
                            post[name].numpy(), brute_posterior(model, name, given=seen), **CLOSE
                        )


def test_more_patterns_than_are_kept() -> None:
    """Beyond what a model keeps, the least recently used question is forgotten and compiled anew."""
    model = loop(7, 2)
    names = model.graph.names
    seen = [{name: "1" for k, name in enumerate(names) if pattern >> k & 1} for pattern in range(2**7 - 1)]
    for each in [*seen, seen[0], seen[1]]:
        target = next(name for name in names if name not in each)
        np.testing.assert_allclose(
            infer(model, [target], given=each)[target], brute_posterior(model, target, given=each)
        )
    assert len(model.sessions.kept) <= 64


def test_a_tape_that_no_longer_fits() -> None:
    """Zeros kept the tape short; once half of them are gone the same question runs as matrix products, and is right."""
    x = [Variable(name, 128) for name in "abc"]
    pairs = [(x[0], x[1]), (x[1], x[2]), (x[2], x[0])]
    model, engine = MarkovNetwork(*(Table(pair, np.eye(128)) for pair in pairs)), Exact(memory=8e6, seconds=0.0)
    assert "a tape" in infer(model, given={"a": "3"}, engine=engine).plan.executor
    assert "a tape" in infer(model, engine=engine).plan.executor
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand(128, 128, generator=torch.Generator().manual_seed(1)).sub_(0.5).clamp_min_(0))
    for seen in ({}, {"a": "3"}):
        np.testing.assert_allclose(
            infer(model, given=seen, engine=engine)["b"], brute_posterior(model, "b", given=seen)
        )
    assert "matrix products" in infer(model, engine=engine).plan.executor


def test_threads_do_not_share_their_scratch() -> None:
    """Many threads ask one model at once: every answer is that of asking alone."""
    model = loop(12, 12)
    rows = [{"x0": str(k % 12), "x6": str(k // 12 % 12)} for k in range(96)]
    alone = [infer(model, given=row)["x3"] for row in rows]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda row: infer(model, given=row)["x3"], rows))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-13)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_gpu_agrees(dtype: torch.dtype) -> None:
    tolerance = {torch.float64: 1e-11, torch.float32: 1e-4}[dtype]
    for seed in range(30):
        model, seen, likelihood = random_case(seed, KINDS[seed % 3])
        engine = Exact(device="cuda", dtype=dtype)
        post = infer(model, given=seen, likelihood=likelihood, engine=engine)
        for name in model.graph.names:
            wanted = brute_posterior(model, name, given=seen, likelihood=likelihood)
            np.testing.assert_allclose(post[name].cpu().numpy(), wanted, rtol=tolerance, atol=1e-37)
        best = mpe(model, given=seen, likelihood=likelihood, engine=engine).log_prob[0].item()
        ((_, value),) = brute_mpe(model, given=seen, likelihood=likelihood)
        assert best == pytest.approx(value, rel=tolerance, abs=tolerance)
        assert len(sample(model, 10, given=seen, likelihood=likelihood, seed=0, engine=engine)) == 10
    model.to("cuda")
    value = log_evidence(model, given=seen, likelihood=likelihood)
    assert value.item() == pytest.approx(brute_log_z(model, given=seen, likelihood=likelihood), rel=1e-10, abs=1e-10)
    value.backward()
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in model.parameters())
