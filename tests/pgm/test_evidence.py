"""Evidence: hard, missing, virtual and soft, one row and many, possible and not; the model never changes."""

import math
import re

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Exact,
    Graph,
    MarkovNetwork,
    Model,
    Real,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    sample,
)
from pgm.errors import EvidenceError
from pgm.evidence import Evidence, patterns, read_evidence
from pgm.testing import KINDS, brute_log_z, brute_posterior, enumerate_joint, random_case

CLOSE = {"rtol": 1e-12, "atol": 0}  # positive sums and products keep their relative precision
SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
A, B, C = (Variable(name, ["no", "yes"]) for name in ["a", "b", "c"])


def chain() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(A, [], [0.2, 0.8]), Tabular(B, [A], [[0.9, 0.1], [0.3, 0.7]]), Tabular(C, [B], [[0.5, 0.5], [0, 1]])
    )


def random_rows(seed: int, model: Model, rows: int, missing: float) -> dict[str, np.ndarray]:
    """State numbers of worlds that are possible, each cell missing (-1) with some probability."""
    generator = np.random.default_rng(seed)
    joint = enumerate_joint(model).values.numpy()
    worlds = generator.choice(joint.size, rows, p=joint.reshape(-1) / joint.sum())
    states = np.stack(np.unravel_index(worlds, joint.shape), 1)
    states[generator.random(states.shape) < missing] = -1
    names = [name for name in model.graph.names if generator.random() < 0.7]
    return {name: states[:, model.graph.names.index(name)] for name in names}


def row_of(model: Model, rows: dict[str, np.ndarray], row: int) -> dict[str, str]:
    return {name: model[name].states[states[row]] for name, states in rows.items() if states[row] >= 0}


def count_patterns(model: Model, rows: dict[str, np.ndarray]) -> int:
    evidence = read_evidence(model.graph, rows, None)
    return len(list(patterns(evidence, [v.size for v in model.variables])))


@pytest.mark.parametrize(("count", "missing"), [(3, 0.1), (40, 0.5)], ids=["few patterns", "many patterns"])
@given(SEEDS, KIND)
@settings(max_examples=9)
def test_a_batch_is_its_rows(count: int, missing: float, seed: int, kind: str) -> None:
    model, _, likelihood = random_case(seed, kind)
    rows = random_rows(seed, model, count, missing)
    likelihood = {name: weights for name, weights in likelihood.items() if name not in rows}
    likelihood = {name: np.maximum(weights, 0.01) for name, weights in likelihood.items()}
    post = infer(model, given=rows, likelihood=likelihood)
    totals = log_evidence(model, given=rows, likelihood=likelihood)
    for row in range(count if rows else 0):
        seen = row_of(model, rows, row)
        expected = brute_log_z(model, given=seen, likelihood=likelihood)
        assert post.log_evidence[row].item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert totals[row].item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
        for name in model.graph.names:
            wanted = brute_posterior(model, name, given=seen, likelihood=likelihood)
            np.testing.assert_allclose(post[name][row].numpy(), wanted, **CLOSE)


@pytest.mark.parametrize("executor", ["tape", "products"])
@pytest.mark.parametrize("count", [4, 40])
def test_joints_of_a_batch_with_missing_cells(executor: str, count: int) -> None:
    """Both routes through missing cells: a plan a pattern, and likelihoods for all rows at once."""
    model, _, _ = random_case(4, "bayesian")
    rows = random_rows(4, model, count, 0.4)
    target = model.graph.names[:3]
    post = infer(model, [target], given=rows, engine=Exact(executor=executor))
    for row in range(count):
        wanted = brute_posterior(model, target, given=row_of(model, rows, row))
        np.testing.assert_allclose(post[target][row].numpy(), wanted, **CLOSE)


def test_both_routes_are_taken() -> None:
    model, _, _ = random_case(4, "bayesian")
    assert count_patterns(model, random_rows(4, model, 4, 0.4)) > 1
    assert count_patterns(model, random_rows(4, model, 40, 0.4)) == 1


def test_patterns_of_missing_cells() -> None:
    """Few patterns are grouped; of many, cells become vectors: one-hot where observed, ones where missing."""
    holes = np.array([0, -1, 1])
    few = Evidence({0: holes, 1: np.array([1, 1, 0])}, {}, 3, True)
    groups = [(rows.tolist(), sorted(hard), sorted(soft)) for rows, hard, soft in patterns(few, [2, 2])]
    assert groups == [([1], [1], []), ([0, 2], [0, 1], [])] or groups == [([0, 2], [0, 1], []), ([1], [1], [])]
    every = np.array([[(i >> bit) & 1 for i in range(8)] for bit in range(3)]) - 1
    ((rows, hard, soft),) = patterns(Evidence(dict(enumerate(every)), {}, 8, True), [2, 2, 2])
    assert (rows.tolist(), hard, sorted(soft)) == (list(range(8)), {}, [0, 1, 2])
    assert soft[0].tolist() == [[1, 1], [1, 0]] * 4


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_every_form_of_evidence_says_the_same(seed: int, kind: str) -> None:
    model, seen, _ = random_case(seed, kind)
    numbers = {name: model[name].number(label) for name, label in seen.items()}
    one_hot = {name: np.eye(model[name].size)[number] for name, number in numbers.items()}
    expected = infer(model, given=seen)
    forms = [
        infer(model, given={name: torch.tensor(number) for name, number in numbers.items()}),
        infer(model, given={name: np.array(number) for name, number in numbers.items()}),
        infer(model, given=dict(reversed(seen.items()))),
        infer(model, likelihood=one_hot),
        infer(model, likelihood={name: {label: 1.0} for name, label in seen.items()}),
    ]
    for post in forms:
        assert post.log_evidence.item() == pytest.approx(expected.log_evidence.item(), rel=1e-12, abs=1e-12)
        for name in model.graph.names:
            torch.testing.assert_close(post[name], expected[name], **CLOSE)


def test_every_form_of_a_batch_says_the_same() -> None:
    labels = {"c": ["yes", None, "no", "yes"], "a": ["no", "yes", "yes", None]}
    frame = pandas.DataFrame(labels)
    numbers = {"c": torch.tensor([1, -1, 0, 1]), "a": np.array([0, 1, 1, -1])}
    blanks = {"c": ["yes", "", "no", "yes"], "a": ["no", "yes", "yes", float("nan")]}
    expected = infer(chain(), given=labels)["b"]
    assert expected[1].tolist() == pytest.approx([0.3, 0.7])
    for form in (frame, numbers, blanks):
        assert torch.equal(infer(chain(), given=form)["b"], expected)


def test_pandas_has_many_ways_to_miss() -> None:
    """Beside a missing number pandas turns labels 1 and 2 into floats, or has its own value for what is missing."""
    dice, coin = Variable("dice", [1, 2]), Variable("coin", ["x", "y"])
    model = BayesianNetwork(Tabular(dice, [], [0.3, 0.7]), Tabular(coin, [dice], [[0.1, 0.9], [0.5, 0.5]]))
    expected = [[0.1, 0.9], [0.38, 0.62]]
    for column in (pandas.Series([1, None]), pandas.array([1, None], dtype="Int64"), pandas.Categorical([1, None])):
        post = infer(model, ["coin"], given=pandas.DataFrame({"dice": column}))
        np.testing.assert_allclose(post["coin"].numpy(), expected, rtol=1e-14)
    with pytest.raises(EvidenceError, match="evidence for 'dice' is 1.5; its states are '1', '2'"):
        infer(model, given={"dice": [1.5]})


def test_one_observation_serves_all_rows() -> None:
    post = infer(chain(), given={"a": "yes", "c": ["no", "yes"]})
    alone = [infer(chain(), given={"a": "yes", "c": label})["b", "yes"].item() for label in ["no", "yes"]]
    assert post["b", "yes"].tolist() == pytest.approx(alone, rel=1e-14)


def test_a_likelihood_is_an_observed_child() -> None:
    """Virtual evidence on b equals an extra node with p(seen | b) in proportion, observed (Pearl's construction)."""
    eye = Variable("eye", ["dark", "bright"])
    wider = BayesianNetwork(*chain().terms, Tabular(eye, [B], [[0.7, 0.3], [0.1, 0.9]]))
    virtual = infer(chain(), likelihood={"b": [0.3, 0.9]})
    observed = infer(wider, given={"eye": "bright"})
    assert virtual.log_evidence.item() == pytest.approx(observed.log_evidence.item())
    for name in "abc":
        torch.testing.assert_close(virtual[name], observed[name], **CLOSE)


@given(st.floats(1e-200, 1e200))
def test_the_scale_of_a_likelihood_moves_only_the_log_evidence(scale: float) -> None:
    plain, scaled = (
        infer(chain(), likelihood={"b": [0.3, 0.9]}),
        infer(chain(), likelihood={"b": [0.3 * scale, 0.9 * scale]}),
    )
    torch.testing.assert_close(scaled["a"], plain["a"], rtol=1e-12, atol=0)
    assert (scaled.log_evidence - plain.log_evidence).item() == pytest.approx(math.log(scale), rel=1e-12, abs=1e-12)


def test_a_likelihood_for_each_row() -> None:
    weights = [[0.3, 0.9], [1.0, 1.0], [0.0, 1.0]]
    post = infer(chain(), likelihood={"b": weights})
    for row, each in enumerate(weights):
        np.testing.assert_allclose(
            post["a"][row].numpy(), brute_posterior(chain(), "a", likelihood={"b": each}), **CLOSE
        )


def test_evidence_adds_up() -> None:
    """Summed over all states of what is observed, the probabilities of the evidence are one."""
    cells = [(a, c) for a in ["no", "yes"] for c in ["no", "yes"]]
    totals = log_evidence(chain(), given={"a": [a for a, _ in cells], "c": [c for _, c in cells]})
    assert totals.exp().sum().item() == pytest.approx(1, abs=1e-15)


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_jeffrey_gives_the_posterior_asked_for_and_keeps_the_rest(seed: int, kind: str) -> None:
    """Jeffrey's rule for one variable: q(x) = sum over v of p(x | v) q(v), and v itself has distribution q."""
    model, seen, _ = random_case(seed, kind)
    variable = model.variables[seed % len(model.variables)]
    seen.pop(variable.name, None)
    plain = brute_posterior(model, variable.name, given=seen)
    wanted = np.random.default_rng(seed).random(variable.size) * (plain > 0)
    wanted /= wanted.sum()
    post = infer(model, given=seen, jeffrey={variable.name: wanted})
    np.testing.assert_allclose(post[variable.name].numpy(), wanted, rtol=0, atol=1e-11)
    for name in model.graph.names:
        if name != variable.name:
            both = brute_posterior(model, (variable.name, name), given=seen)
            given_v = np.divide(both, plain[:, None], out=np.zeros_like(both), where=plain[:, None] > 0)
            np.testing.assert_allclose(post[name].numpy(), wanted @ given_v, rtol=0, atol=1e-11)


def test_jeffrey_for_two_variables_is_the_nearest_distribution() -> None:
    """Iterative proportional fitting of the table of a and b to the margins asked for, written out here."""
    table = brute_posterior(chain(), ("a", "b"))
    for _ in range(200):
        table = table * (np.array([0.5, 0.5]) / table.sum(1))[:, None]
        table = table * (np.array([0.1, 0.9]) / table.sum(0))
    post = infer(chain(), [("a", "b"), "a", "b"], jeffrey={"a": [0.5, 0.5], "b": [0.1, 0.9]})
    np.testing.assert_allclose(post["a", "b"].numpy(), table, rtol=0, atol=1e-11)


def test_jeffrey_is_not_a_likelihood() -> None:
    soft = infer(chain(), ["b"], jeffrey={"b": [0.5, 0.5]})["b"]
    virtual = infer(chain(), ["b"], likelihood={"b": [0.5, 0.5]})["b"]
    assert soft.tolist() == pytest.approx([0.5, 0.5])
    assert virtual.tolist() == pytest.approx([0.42, 0.58])


def test_jeffrey_in_batches() -> None:
    """One distribution for many rows of evidence, and many for one row."""
    many = infer(chain(), given={"c": ["yes", None]}, jeffrey={"a": [0.5, 0.5]})
    assert many["a"].numpy() == pytest.approx(np.full((2, 2), 0.5))
    each = infer(chain(), given={"c": "yes"}, jeffrey={"a": [[0.5, 0.5], [0.1, 0.9]]})
    alone = infer(chain(), given={"c": "yes"}, jeffrey={"a": [0.1, 0.9]})
    assert each["b"][1].tolist() == pytest.approx(alone["b"].tolist(), rel=1e-10)


def test_jeffrey_refuses_what_cannot_be() -> None:
    messages = {
        "jeffrey: the distribution of 'b' sums to 1.1, expected 1.": {"jeffrey": {"b": [0.5, 0.6]}},
        "jeffrey: 'b' is given weight on a state that the evidence excludes.": {
            "given": {"c": "no"}, "jeffrey": {"b": [0.5, 0.5]}
        },
        "jeffrey: 'b' is also observed or has a likelihood; give one of them.": {
            "given": {"b": "no"}, "jeffrey": {"b": [0.5, 0.5]}
        },
        "jeffrey: 3 rows of distributions for 2 rows of evidence.": {
            "given": {"c": ["no", "yes"]}, "jeffrey": {"a": [[0.5, 0.5]] * 3}
        },
    }  # fmt: skip
    for message, arguments in messages.items():
        with pytest.raises(EvidenceError, match=f"^{re.escape(message)}$"):
            infer(chain(), **arguments)


def test_impossible_evidence_is_named() -> None:
    nothing = "has probability 0 (checked in log arithmetic)."
    for verb in (infer, mpe):
        with pytest.raises(EvidenceError) as caught:
            verb(chain(), given={"b": "yes", "c": "no"})
        assert str(caught.value) == f"{verb.__name__}: the evidence {{'b': 'yes', 'c': 'no'}} {nothing}"
    with pytest.raises(EvidenceError, match=r"^sample: the evidence \{'b': 'yes', 'c': 'no'\} has probability 0"):
        sample(chain(), 1, given={"b": "yes", "c": "no"})
    with pytest.raises(EvidenceError) as caught:
        infer(chain(), given={"c": "no"}, likelihood={"b": [0, 1]})
    assert str(caught.value) == f"infer: the evidence {{'c': 'no'}} with likelihoods of 'b' {nothing}"
    assert log_evidence(chain(), given={"b": "yes", "c": "no"}).item() == -math.inf


def test_impossible_rows_of_a_batch() -> None:
    rows = {"b": ["no", "yes", "yes"], "c": ["no", "no", "yes"]}
    with pytest.raises(EvidenceError) as caught:
        infer(chain(), given=rows)
    assert str(caught.value) == (
        "infer: the evidence {'b': 'yes', 'c': 'no'} in row 1 (one such row of 3) has probability 0 "
        "(checked in log arithmetic). Use impossible='nan' to answer the other rows."
    )
    post = infer(chain(), given=rows, impossible="nan")
    assert post["a"].isnan().any(1).tolist() == [False, True, False]
    assert post["a"][2].tolist() == infer(chain(), given={"b": "yes", "c": "yes"})["a"].tolist()
    assert post.log_evidence.isneginf().tolist() == [False, True, False]


@pytest.mark.parametrize("executor", ["tape", "products"])
def test_a_table_of_zeros_is_impossible_evidence(executor: str) -> None:
    model = MarkovNetwork(Table([A, B], [[0, 0], [0, 0]]), Table([C], [1, 2]))
    with pytest.raises(EvidenceError, match="probability 0"):
        infer(model, ["c"], engine=Exact(executor=executor))


def test_what_evidence_cannot_be_is_said() -> None:
    messages = {
        "infer: 'snow' is not a variable; there are 'a', 'b', 'c'.": {"given": {"snow": "yes"}},
        "infer: evidence for 'a' is 'maybe'; its states are 'no', 'yes'.": {"given": {"a": "maybe"}},
        "infer: evidence for 'a' is 'maybe'; its states are 'no', 'yes'. ": {"given": {"a": ["yes", "maybe"]}},
        "infer: 'a' has both a state and a likelihood; give one of them.": {
            "given": {"a": "no"}, "likelihood": {"a": [1, 1]}
        },
        "infer: evidence for 'a' has 1 rows and for 'b' 2; make them equal.": {
            "given": {"a": ["no"], "b": ["no", "no"]}
        },
        "infer: evidence for 'a' has state number 2, expected 0 to 1, or -1 for missing.": {
            "given": {"a": torch.tensor([0, 2])}
        },
        "infer: evidence for 'a' has state number -2, expected 0 to 1, or -1 for missing.": {
            "given": {"a": torch.tensor([0, -2])}
        },
        "infer: evidence for 'a' is a float64 array of shape (1,), expected integer state numbers of shape [rows], "
        "-1 for missing.": {"given": {"a": torch.tensor([0.5], dtype=torch.float64)}},
        "infer: likelihood of 'a' has shape (3,), expected (2,) or (rows, 2) = its states 'no', 'yes'.": {
            "likelihood": {"a": [1, 1, 1]}
        },
        "infer: likelihood of 'a' must be finite and not negative.": {"likelihood": {"a": [1, -1]}},
        "infer: evidence for 'a' is 'maybe'; its states are 'no', 'yes'.  ": {"likelihood": {"a": {"maybe": 1}}},
    }  # fmt: skip
    for message, arguments in messages.items():
        with pytest.raises(EvidenceError, match=f"^{re.escape(message.strip())}$"):
            infer(chain(), **arguments)


@given(SEEDS, KIND)
@settings(max_examples=20)
def test_evidence_never_changes_the_model(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kept = (dict(seen), {name: list(weights) for name, weights in likelihood.items()})
    prior = infer(model)
    infer(model, given=seen, likelihood=likelihood)
    mpe(model, given=seen, likelihood=likelihood)
    sample(model, 3, given=seen, likelihood=likelihood, seed=0)
    after = infer(model)
    assert (seen, likelihood) == kept
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for name in model.graph.names:
        torch.testing.assert_close(after[name], prior[name], **CLOSE)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_rows_are_no_answers() -> None:
    post = infer(chain(), [("a", "b"), "b"], given={"c": []})
    assert (post["a", "b"].shape, post["b"].shape, post.log_evidence.shape) == ((0, 2, 2), (0, 2), (0,))
    assert log_evidence(chain(), given={"c": []}).shape == (0,)
    assert mpe(chain(), given={"c": []}).states.shape == (0, 1, 3)


@pytest.mark.parametrize("value", [{"no": 0.5, "yes": 0.5}, {"yes"}])
def test_weights_and_sets_are_no_states(value: object) -> None:
    with pytest.raises(EvidenceError) as caught:
        infer(chain(), given={"a": value})
    assert str(caught.value) == (
        f"infer: evidence for 'a' is {value!r}, expected a label, or a list of labels. "
        "Weights on the states go to likelihood or jeffrey."
    )


SIZE, PLACE, KIND_OF = Variable("size", Real()), Variable("place", Real(2)), Variable("kind", ["a", "b"])
NUMERIC = Graph((SIZE, PLACE, KIND_OF), ())


def test_numbers_may_be_missing_in_every_form() -> None:
    """None, NaN, pandas' NA and '' stand for a whole missing value, or for one number of a vector."""
    nan = math.nan
    forms = [[1.5, None], [1.5, nan], ["1.5", ""], np.array([1.5, nan]), torch.tensor([1.5, nan]), (1.5, pandas.NA)]
    for form in (*forms, pandas.Series([1.5, None]), pandas.array([1.5, None], dtype="Float64")):
        np.testing.assert_array_equal(read_evidence(NUMERIC, {"size": form}, None).real[0].numpy(), [1.5, nan])
    vectors = [[[1.0, 2.0], None], [np.array([1.0, 2.0]), None], np.array([[1.0, 2.0], [nan, nan]])]
    for form in (*vectors, pandas.Series([[1.0, 2.0], None])):
        found = read_evidence(NUMERIC, {"place": form}, None)
        np.testing.assert_array_equal(found.real[1].numpy(), [[1.0, 2.0], [nan, nan]])
        assert (found.rows, found.batched) == (2, True)
    part = read_evidence(NUMERIC, {"place": [1.0, None]}, None)
    np.testing.assert_array_equal(part.real[1].numpy(), [[1.0, nan]])
    assert (part.rows, part.batched) == (1, False)
    np.testing.assert_array_equal(read_evidence(NUMERIC, {"place": None}, None).real[1].numpy(), [[nan, nan]])


def test_one_row_of_numbers_serves_many_of_labels() -> None:
    found = read_evidence(NUMERIC, {"place": [1.0, 2.0], "kind": ["a", "b", None], "size": 3}, None)
    assert found.rows == 3
    assert found.real[1].tolist() == [[1.0, 2.0]] * 3
    assert found.real[0].tolist() == [3.0] * 3
    assert found.hard[2].tolist() == [0, 1, -1]
    frame = pandas.DataFrame({"kind": ["a", "b"], "size": [1, 2]})
    assert read_evidence(NUMERIC, frame, None).real[0].tolist() == [1.0, 2.0]
    assert read_evidence(NUMERIC, {"place": [], "size": []}, None).real[1].shape == (0, 2)


def test_numbers_keep_their_gradient() -> None:
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    read_evidence(NUMERIC, {"size": value}, None).real[0].sum().backward()
    assert value.grad.tolist() == [1, 1]


def test_what_numbers_cannot_be_is_said() -> None:
    messages = {
        "infer: 'size' is not made of numbers (could not convert string to float: 'tall').": {
            "given": {"size": "tall"}
        },
        "infer: 'size' has inf, expected Real().": {"given": {"size": [1.0, math.inf]}},
        "infer: 'place' has shape (3,), expected [*batch, 2], since its domain is Real(2).": {
            "given": {"place": [1.0, 2.0, 3.0]}
        },
        "infer: evidence for 'size' has shape (2, 1), expected () for one row, or one axis more for many.": {
            "given": {"size": [[1.0], [2.0]]}
        },
        "infer: evidence for 'size' has 2 rows and for 'kind' 3; make them equal.": {
            "given": {"size": [1.0, 2.0], "kind": ["a", "b", "a"]}
        },
        "infer: likelihood of 'size', which is Real(), expected a variable with states; observe a noisy child of it "
        "instead.": {"likelihood": {"size": [1.0, 2.0]}},
    }  # fmt: skip
    for message, arguments in messages.items():
        with pytest.raises(EvidenceError, match=f"^{re.escape(message)}$"):
            read_evidence(NUMERIC, arguments.get("given"), arguments.get("likelihood"))
