"""Numbers that underflow, overflow, tie or vanish; and names that no alphabet holds."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pgm import (
    BayesianNetwork,
    EvidenceError,
    Exact,
    MarkovNetwork,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    sample,
)
from pgm.semiring import LOG_SUM, SUM, Semiring

ENGINES = [Exact(executor="tape"), Exact(executor="products"), Exact(dtype=torch.float32)]
IDS = ["tape", "products", "float32"]
A, B, C = (Variable(name) for name in "abc")
MAXIMUM, LOG_MAXIMUM = Semiring(maximise=True), Semiring(logs=True, maximise=True)


def markov_chain(steps: int, move: np.ndarray, emit: np.ndarray) -> BayesianNetwork:
    """A hidden chain z0 ... with an observed x for each z."""
    hidden = [Variable(f"z{t}", len(move)) for t in range(steps)]
    shown = [Variable(f"x{t}", emit.shape[1]) for t in range(steps)]
    moves = [Tabular(b, [a], move) for a, b in zip(hidden, hidden[1:], strict=False)]
    emits = [Tabular(x, [z], emit) for z, x in zip(hidden, shown, strict=True)]
    return BayesianNetwork(Tabular(hidden[0], [], [1 / len(move)] * len(move)), *moves, *emits)


@pytest.mark.parametrize(("engine", "close"), list(zip(ENGINES, [1e-11, 1e-11, 1e-4], strict=True)), ids=IDS)
def test_five_hundred_observations_of_tiny_probability(engine: Exact, close: float) -> None:
    """p(evidence) is about 1e-6000; the forward recursion in logs, written here, says the same."""
    move, emit = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1 - 1e-12, 1e-12], [1 - 3e-12, 3e-12]])
    model = markov_chain(500, move, emit)
    forward = np.log([0.5, 0.5]) + np.log(emit[:, 1])
    for _ in range(499):
        forward = np.logaddexp.reduce(forward[:, None] + np.log(move), axis=0) + np.log(emit[:, 1])
    seen = {f"x{t}": "1" for t in range(500)}
    post = infer(model, ["z499"], given=seen, engine=engine)
    expected = np.logaddexp.reduce(forward)
    assert expected < -12_500
    assert post.log_evidence.item() == pytest.approx(expected, rel=close)
    np.testing.assert_allclose(post["z499"].numpy(), np.exp(forward - expected), rtol=100 * close)


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_complementary_extremes(engine: Exact) -> None:
    """exp-shift-multiply-log returns log zero for [0, -700] x [-700, 0]: products lie 304 digits below peaks."""
    tiny = math.exp(-700)
    model = MarkovNetwork(Table([A, B], [[1, tiny], [1, tiny]]), Table([B, C], [[tiny, tiny], [1, 1]]))
    post = infer(model, engine=engine)
    assert post.log_evidence.item() == pytest.approx(math.log(8) - 700, rel=1e-6)
    for name in "abc":
        assert post[name].tolist() == pytest.approx([0.5, 0.5], rel=1e-5)
    assert log_evidence(model, engine=engine).item() == pytest.approx(math.log(8) - 700, rel=1e-6)
    assert mpe(model, engine=engine).log_prob[0].item() == pytest.approx(-700, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_evidence_of_probability_1e_minus_400(engine: Exact) -> None:
    chain = [Variable(f"x{i}") for i in range(5)]
    moves = [Tabular(b, [a], [[1, 1e-100], [1e-100, 1]]) for a, b in zip(chain, chain[1:], strict=False)]
    model = BayesianNetwork(Tabular(chain[0], [], [0.5, 0.5]), *moves)
    seen = {f"x{i}": str(i % 2) for i in range(1, 5)}
    post = infer(model, given=seen, engine=engine)
    assert post.log_evidence.item() == pytest.approx(math.log(0.5) - 300 * math.log(10), rel=1e-5)
    assert post["x0", "1"].item() == pytest.approx(1)
    far = infer(model, ["x4"], given={**seen, "x0": "0", "x2": "0"} | {"x4": "0"}, engine=engine)
    assert far.log_evidence.item() == pytest.approx(math.log(0.5) - 400 * math.log(10), rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_tables_whose_product_is_no_float(engine: Exact) -> None:
    """Each table holds only small numbers, in complement: all products underflow together."""
    small = [[1e-300, 2e-300], [3e-300, 4e-300]]
    model = MarkovNetwork(*(Table([a, b], small) for a, b in ((A, B), (B, C), (C, A))))
    plain = MarkovNetwork(*(Table([a, b], [[1, 2], [3, 4]]) for a, b in ((A, B), (B, C), (C, A))))
    post, expected = infer(model, engine=engine), infer(plain)
    shift = 900 * math.log(10)
    assert post.log_evidence.item() == pytest.approx(expected.log_evidence.item() - shift, rel=1e-6)
    for name in "abc":
        assert post[name].tolist() == pytest.approx(expected[name].tolist(), rel=1e-5)
    best = mpe(model, engine=engine)
    assert best.assignment() == mpe(plain).assignment()
    assert best.log_prob[0].item() == pytest.approx(mpe(plain).log_prob[0].item() - shift, rel=1e-6)
    assert len(sample(model, 10, seed=0, engine=engine)) == 10


LARGE = MarkovNetwork(
    Table([A], [1e300, 1.0]), Table([A, B], [[1e300, 1], [1, 1e300]]), Table([B], [1e300, 1e-300]), Table([C], [1, 3])
)


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_tables_whose_product_overflows(engine: Exact) -> None:
    expected = 900 * math.log(10) + math.log(4)
    post = infer(LARGE, engine=engine)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-6)
    assert post["c"].tolist() == pytest.approx([0.25, 0.75], rel=1e-5)
    assert log_evidence(LARGE, engine=engine).item() == pytest.approx(expected, rel=1e-6)
    assert sample(LARGE, 5, seed=0, engine=engine).labels("a") == ["0"] * 5


@pytest.mark.parametrize(
    "engine",
    ENGINES,
    ids=IDS,
)
def test_the_best_state_of_tables_whose_product_overflows(engine: Exact) -> None:
    best = mpe(LARGE, engine=engine)
    assert best.assignment() == {"a": "0", "b": "0", "c": "1"}
    assert best.log_prob[0].item() == pytest.approx(900 * math.log(10) + math.log(3), rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_what_underflows_first_and_matters_last(engine: Exact) -> None:
    """[1, 1e-200] twice loses its second entry to underflow; a third table makes just that entry the larger one."""
    model = MarkovNetwork(Table([A], [1, 1e-200]), Table([A], [1, 1e-200]), Table([A], [1e-200, 1e250]))
    post = infer(model, engine=engine)
    assert post["a", "1"].item() == pytest.approx(1)
    assert post.log_evidence.item() == pytest.approx(-150 * math.log(10), rel=1e-6)


@pytest.mark.parametrize("executor", ["tape", "products"])
def test_deterministic_chains_keep_exact_zeros(executor: str) -> None:
    """A counter modulo 5 that starts anywhere: what is excluded is exactly 0, what is certain exactly 1."""
    chain = [Variable(f"x{i}", 5) for i in range(50)]
    shift = np.roll(np.eye(5), 1, axis=1)
    model = BayesianNetwork(
        Tabular(chain[0], [], [0.2] * 5), *(Tabular(b, [a], shift) for a, b in zip(chain, chain[1:], strict=False))
    )
    post = infer(model, given={"x7": "3"}, engine=Exact(executor=executor))
    for i in range(50):
        assert post[f"x{i}"].tolist() == np.eye(5)[(3 + i - 7) % 5].tolist()
    assert post.log_evidence.exp().item() == pytest.approx(0.2)
    assert mpe(model, given={"x7": "3"}, engine=Exact(executor=executor)).assignment()["x0"] == "1"


def test_only_the_rows_that_underflow_are_asked_again() -> None:
    """Ordinary and extreme rows of one batch: each equals the same row alone."""
    model = markov_chain(60, np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1 - 1e-30, 1e-30], [1 - 3e-30, 3e-30]]))
    rows = {f"x{t}": ["0", "1", "0" if t % 2 else "1"] for t in range(60)}
    batch = infer(model, ["z30"], given=rows)
    for row in range(3):
        alone = infer(model, ["z30"], given={name: labels[row] for name, labels in rows.items()})
        assert batch["z30"][row].tolist() == pytest.approx(alone["z30"].tolist(), rel=1e-12)
        assert batch.log_evidence[row].item() == pytest.approx(alone.log_evidence.item(), rel=1e-12)


@pytest.mark.parametrize("executor", ["tape", "products"])
def test_more_variables_than_letters(executor: str) -> None:
    """einsum knows 52 letters; a naive Bayes model of 80 features does not fit them. Bayes' rule, written here."""
    label = Variable("label", 2)
    rates = np.linspace(0.1, 0.9, 80)
    features = [
        Tabular(Variable(f"feature {i}"), [label], [[1 - rate, rate], [rate, 1 - rate]]) for i, rate in enumerate(rates)
    ]
    model = BayesianNetwork(Tabular(label, [], [0.3, 0.7]), *features)
    seen = {f"feature {i}": str(i % 2) for i in range(80)}
    odd = np.arange(80) % 2 == 1
    weights = [0.3 * np.where(odd, rates, 1 - rates).prod(), 0.7 * np.where(odd, 1 - rates, rates).prod()]
    post = infer(model, ["label"], given=seen, engine=Exact(executor=executor))
    assert post["label"].tolist() == pytest.approx(np.array(weights) / sum(weights), rel=1e-12)
    assert post.log_evidence.item() == pytest.approx(math.log(sum(weights)), rel=1e-12)


def random_logs(seed: int, *shape: int) -> Tensor:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.where(values < 0.3, 0.0, values)


def test_semirings_agree() -> None:
    """Scaled and logarithmic arithmetic are the same algebra, zeros included."""
    left, right = random_logs(0, 2, 3, 4), random_logs(1, 2, 4, 5)
    for ring, logs in ((SUM, LOG_SUM), (MAXIMUM, LOG_MAXIMUM)):
        torch.testing.assert_close(logs.contract(left.log(), right.log()).exp(), ring.contract(left, right))
        torch.testing.assert_close(logs.total(left.log(), (1, 2)).exp(), ring.total(left, (1, 2)))


def test_removing_no_axis_removes_none() -> None:
    """torch's own sum over an empty list of axes sums them all."""
    values = random_logs(2, 3, 4)
    for ring in (SUM, MAXIMUM, LOG_SUM, LOG_MAXIMUM):
        assert torch.equal(ring.total(values, ()), values)


def test_the_logarithm_of_nothing_has_no_gradient() -> None:
    """A slice of zeros: torch's own logsumexp has a NaN gradient there."""
    values = torch.tensor([[-math.inf, -math.inf], [0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    total = LOG_SUM.total(values, (1,))
    assert total[0].item() == -math.inf
    (found,) = torch.autograd.grad(total[1], values)
    assert torch.isfinite(found).all()
    assert found[1].tolist() == pytest.approx(torch.softmax(values[1], 0).tolist())


def test_contradictions_are_found_in_little_memory() -> None:
    """Equal neighbours on a grid: two sites that differ are impossible, whatever memory there is for the proof."""
    sites = [[Variable(f"{row} {column}") for column in range(12)] for row in range(12)]
    pairs = [(sites[r][c], sites[r + 1][c]) for r in range(11) for c in range(12)]
    pairs += [(sites[r][c], sites[r][c + 1]) for r in range(12) for c in range(11)]
    model = MarkovNetwork(*(Table(pair, [[1.0, 0.0], [0.0, 1.0]]) for pair in pairs))
    assert infer(model, ["0 0"], given={"3 3": "1"}, engine=Exact(memory=1e4))["0 0", "1"].item() == 1.0
    with pytest.raises(EvidenceError, match="has probability 0"):
        infer(model, ["0 0"], given={"3 3": "1", "8 8": "0"}, engine=Exact(memory=1e4))
