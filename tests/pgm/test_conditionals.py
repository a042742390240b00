"""Conditionals against their definitions, written out row by row."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.causes import NoisyAnd, NoisyMax, NoisyOr
from pgm.conditionals import Conditional, Deterministic, Tabular
from pgm.errors import GraphError, ShapeError
from pgm.logistic import Logistic, Softmax
from pgm.potentials import Pairwise, Table
from pgm.variable import Variable

YES = ["no", "yes"]
RAIN, WIND, WET = (Variable(name, YES) for name in ["rain", "wind", "wet"])
SKY = Variable("sky", ["clear", "grey", "black"])
MOOD = Variable("mood", ["bad", "fair", "good"])

probability = st.floats(0, 1)
weight = st.floats(-5, 5)


def binary(count: int) -> list[Variable]:
    return [Variable(f"x{i}", YES) for i in range(count)]


def rows(parents: list[Variable]) -> list[tuple[int, ...]]:
    return list(product(*(range(parent.size) for parent in parents)))


@st.composite
def distribution(draw: st.DrawFn, size: int) -> list[float]:
    counts = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size).filter(any))
    return [count / sum(counts) for count in counts]


@st.composite
def causes(draw: st.DrawFn) -> tuple[list[float], float]:
    return draw(st.lists(probability, max_size=4)), draw(probability)


def examples() -> list[Conditional]:
    """One of each kind, with parameters inside their bounds."""
    return [
        Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]]),
        NoisyOr(WET, [RAIN, WIND], [0.9, 0.3], leak=0.2),
        NoisyAnd(WET, [RAIN, WIND], [0.9, 0.3], leak=0.2),
        NoisyMax(MOOD, [SKY, RAIN], [[[0.2, 0.3, 0.5]] * 3, [[0.5, 0.25, 0.25], [1, 0, 0]]], leak=[0.5, 0.4, 0.1]),
        Logistic(WET, [RAIN, SKY], [1.0, -2.0, 0.5, 0.25], 0.1),
        Softmax(MOOD, [RAIN, SKY], [[1.0, 0.0, -1.0]] * 4, [0.1, 0.2, 0.3]),
        Deterministic(WET, [RAIN, WIND], max),
    ]


each = pytest.mark.parametrize("term", examples(), ids=repr)


@each
def test_rows_are_distributions(term: Conditional) -> None:
    values = term.factor().values
    assert values.shape == tuple(variable.size for variable in term.scope)
    assert values.dtype == torch.float64
    assert bool((values >= 0).all())
    torch.testing.assert_close(values.sum(-1), torch.ones_like(values[..., 0]), rtol=0, atol=1e-15)


@pytest.mark.parametrize("term", examples()[:-1], ids=repr)
def test_gradients_are_those_of_finite_differences(term: Conditional) -> None:
    assert torch.autograd.gradcheck(lambda *_: term.factor().values, tuple(term.parameters()))


@each
def test_a_state_dict_carries_all_numbers(term: Conditional) -> None:
    other = copy.deepcopy(term)
    for tensor in other.state_dict().values():
        tensor.zero_()
    assert not torch.equal(other.factor().values, term.factor().values)
    other.load_state_dict(term.state_dict())
    assert torch.equal(other.factor().values, term.factor().values)


@each
def test_to_changes_the_precision_of_the_factor(term: Conditional) -> None:
    single = copy.deepcopy(term).to(torch.float32).factor().values
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), term.factor().values, rtol=0, atol=1e-6)  # float32 keeps seven digits


@given(causes())
@settings(deadline=None)
def test_noisy_or_is_one_minus_the_product_of_failures(drawn: tuple[list[float], float]) -> None:
    strengths, leak = drawn
    parents = binary(len(strengths))
    values = NoisyOr(WET, parents, strengths, leak).factor().values
    for x in rows(parents):
        failures = [1 - s for s, on in zip(strengths, x, strict=True) if on]
        assert values[x][1].item() == pytest.approx(1 - (1 - leak) * np.prod(failures), abs=1e-14)


@given(causes())
@settings(deadline=None)
def test_noisy_and_is_the_product_of_passes(drawn: tuple[list[float], float]) -> None:
    strengths, leak = drawn
    parents = binary(len(strengths))
    values = NoisyAnd(WET, parents, strengths, leak).factor().values
    for x in rows(parents):
        passes = [1 - s for s, on in zip(strengths, x, strict=True) if not on]
        assert values[x][1].item() == pytest.approx((1 - leak) * np.prod(passes), abs=1e-14)


@given(st.data(), st.lists(st.integers(1, 3), max_size=3), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_noisy_max_is_the_greatest_of_hidden_effects(data: st.DataObject, sizes: list[int], states: int) -> None:
    parents = [Variable(f"x{i}", size) for i, size in enumerate(sizes)]
    child = Variable("y", states)
    tables = [[data.draw(distribution(states)) for _ in range(size)] for size in sizes]
    leak = data.draw(distribution(states))
    values = NoisyMax(child, parents, tables, leak).factor().values
    for x in rows(parents):
        expected = [0.0] * states
        for effects in product(range(states), repeat=len(sizes) + 1):
            chance = leak[effects[-1]] * np.prod([tables[i][x[i]][effects[i]] for i in range(len(sizes))])
            expected[max(effects)] += chance
        assert values[x].tolist() == pytest.approx(expected, abs=1e-14)


@given(causes())
@settings(deadline=None)
def test_noisy_or_is_the_noisy_max_of_two_states(drawn: tuple[list[float], float]) -> None:
    strengths, leak = drawn
    parents = binary(len(strengths))
    tables = [[[1.0, 0.0], [1 - s, s]] for s in strengths]
    other = NoisyMax(WET, parents, tables, [1 - leak, leak])
    torch.testing.assert_close(
        NoisyOr(WET, parents, strengths, leak).factor().values, other.factor().values, rtol=1e-14, atol=1e-15
    )


def test_noisy_max_never_leaks_by_default() -> None:
    term = NoisyMax(MOOD, [RAIN], [[[0.2, 0.3, 0.5], [1, 0, 0]]])
    assert term.factor().values.tolist() == [[0.2, 0.3, 0.5], [1, 0, 0]]


def test_certain_causes_make_the_logical_gates() -> None:
    parents = binary(3)
    gate_or = Deterministic(WET, parents, lambda *labels: "yes" if "yes" in labels else "no")
    gate_and = Deterministic(WET, parents, lambda *labels: "no" if "no" in labels else "yes")
    assert torch.equal(NoisyOr(WET, parents, [1, 1, 1]).factor().values, gate_or.factor().values)
    assert torch.equal(NoisyAnd(WET, parents, [1, 1, 1]).factor().values, gate_and.factor().values)


def test_tiny_strengths_keep_all_digits() -> None:
    on = NoisyOr(WET, [RAIN, WIND], [1e-30, 2e-30]).factor().values[..., 1]
    assert on.flatten().tolist() == pytest.approx([0, 2e-30, 1e-30, 3e-30], rel=1e-15)


@given(st.lists(st.integers(1, 3), max_size=3), st.integers(1, 4), st.integers(0, 10))
@settings(deadline=None)
def test_deterministic_puts_all_mass_on_the_returned_label(sizes: list[int], states: int, shift: int) -> None:
    parents = [Variable(f"x{i}", size) for i, size in enumerate(sizes)]
    term = Deterministic(Variable("y", states), parents, lambda *x: (sum(map(int, x)) + shift) % states)
    for x in rows(parents):
        expected = [float(y == (sum(x) + shift) % states) for y in range(states)]
        assert term.factor().values[x].tolist() == expected


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(2, 4))
@settings(deadline=None, max_examples=29)
def test_logistic_is_the_softmax_of_a_design_row(data: st.DataObject, sizes: list[int], states: int) -> None:
    parents = [Variable(f"x{i}", size) for i, size in enumerate(sizes)]
    columns = sum(1 if size == 2 else size for size in sizes)
    weights = np.array(data.draw(st.lists(weight, min_size=columns * (states - 1), max_size=columns * (states - 1))))
    bias = np.array(data.draw(st.lists(weight, min_size=states - 1, max_size=states - 1)))
    weights = np.concatenate([np.zeros((columns, 1)), weights.reshape(columns, states - 1)], 1)  # first state: logit 0
    bias = np.concatenate([[0.0], bias])
    child = Variable("y", states)
    term = Softmax(child, parents, weights, bias)
    for x in rows(parents):
        design = np.concatenate([[n] if size == 2 else np.eye(size)[n] for n, size in zip(x, sizes, strict=True)])
        odds = np.exp(design @ weights + bias)
        assert term.factor().values[x].tolist() == pytest.approx(odds / odds.sum(), rel=1e-12)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_logistic_is_the_softmax_of_two_states(sizes: list[int], seed: int) -> None:
    parents, generator = [Variable(f"x{i}", size) for i, size in enumerate(sizes)], np.random.default_rng(seed)
    weights, bias = generator.normal(size=sum(1 if size == 2 else size for size in sizes)), generator.normal()
    one = Logistic(WET, parents, weights, bias).factor().values
    both = Softmax(WET, parents, np.stack([0 * weights, weights], 1), [0.0, bias]).factor().values
    torch.testing.assert_close(one, both, rtol=1e-12, atol=0)


def test_logistic_without_parents_is_its_bias() -> None:
    assert Logistic(WET, [], [], 0.0).factor().values.tolist() == [0.5, 0.5]


def test_a_table_may_be_lists_arrays_tensors_or_labels() -> None:
    lists = [[0.9, 0.1], [0.2, 0.8]]
    frozen = np.array(lists)
    frozen.flags.writeable = False
    forms = [
        frozen,
        np.array(lists)[::-1][::-1],
        np.array(lists)[:, ::-1][:, ::-1].astype(">f8"),
        torch.tensor(lists, dtype=torch.float64),
        {"yes": {"yes": 0.8, "no": 0.2}, "no": [0.9, 0.1]},
        {("no", "no"): 0.9, ("no", "yes"): 0.1, ("yes", "no"): 0.2, ("yes", "yes"): 0.8},
    ]
    for form in forms:
        assert Tabular(WET, [RAIN], form).factor().values.tolist() == lists


def test_a_table_is_a_copy() -> None:
    numbers = torch.tensor([0.5, 0.5], dtype=torch.float64)
    term = Tabular(RAIN, [], numbers)
    numbers[0] = 7
    assert term.factor().values.tolist() == [0.5, 0.5]


def test_single_precision_tables_with_many_states_are_accepted() -> None:
    many = Variable("many", 30_000)
    table = torch.full((30_000,), 1 / 30_000, dtype=torch.float32)
    assert Tabular(many, [], table).factor().values.dtype == torch.float32


def test_no_draws_have_the_shape_of_no_rows() -> None:
    """As torch's own distributions do not all draw nothing."""
    term = Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]])
    rains = torch.tensor([0, 1, 1])
    assert term.draw(rains, shape=[0]).shape == (0, 3)
    assert term.draw(rains, shape=[2, 0]).shape == (2, 0, 3)
    assert term.draw(rains[:0], shape=[2]).shape == (2, 0)
    assert term.draw(rains, shape=[2]).shape == (2, 3)


def test_names_of_child_and_parents() -> None:
    term = NoisyOr(WET, [RAIN, WIND], [0.5, 0.5])
    assert (term.child, term.given, repr(term)) == (WET, (RAIN, WIND), "NoisyOr(wet | rain, wind)")


def third(label: str) -> str:
    return "maybe" if label == "yes" else label


WRONG = {
    "shape": (
        lambda: Tabular(WET, [RAIN, WIND], [[0.9, 0.1], [0.2, 0.8]]),
        "Tabular(wet): table has shape (2, 2), expected (2, 2, 2) = [rain, wind, wet]; the child is the last axis.",
    ),
    "root row": (
        lambda: Tabular(RAIN, [], [0.7, 0.5]),
        "Tabular(rain): rows must sum to 1; row () sums to 1.2. Use a Table potential for unnormalised numbers.",
    ),
    "row": (
        lambda: Tabular(WET, [RAIN], [[1, 0], [0.5, 0.6]]),
        "Tabular(wet): rows must sum to 1; row (rain=yes) sums to 1.1. Use a Table potential for unnormalised numbers.",
    ),
    "negative": (
        lambda: Tabular(WET, [RAIN], [[1, 0], [1.5, -0.5]]),
        "Tabular(wet): entry (rain=yes, wet=yes) is -0.5; expected finite numbers that are not negative.",
    ),
    "nan": (
        lambda: Tabular(RAIN, [], [float("nan"), 1]),
        "Tabular(rain): entry (rain=no) is nan; expected finite numbers that are not negative.",
    ),
    "label": (
        lambda: Tabular(RAIN, [], {"no": 0.5, "maybe": 0.5}),
        "Tabular(rain): unknown label 'maybe' on axis 'rain'; its states are ['no', 'yes'].",
    ),
    "missing label": (
        lambda: Tabular(WET, [RAIN], {"no": [1, 0]}),
        "Tabular(wet): no entry for 'yes' on axis 'rain'; its states are ['no', 'yes'].",
    ),
    "twice": (
        lambda: Tabular(WET, [RAIN, RAIN], [[[1, 0]] * 2] * 2),
        "Tabular(wet): scope ['rain', 'rain', 'wet'] lists a variable twice.",
    ),
    "not binary": (
        lambda: NoisyOr(WET, [SKY], [0.5]),
        "NoisyOr(wet): 'sky' has 3 states, expected 2, off then on. Use NoisyMax for more.",
    ),
    "count": (
        lambda: NoisyOr(WET, [RAIN, WIND], [0.5]),
        "NoisyOr(wet): strengths: shape (1,), expected (2,) = [rain, wind].",
    ),
    "strength": (
        lambda: NoisyAnd(WET, [RAIN, WIND], [0.5, 1.5]),
        "NoisyAnd(wet): strengths: 1.5 for (wind), expected finite numbers from 0 to 1.",
    ),
    "leak": (
        lambda: NoisyOr(WET, [RAIN], [0.5], leak=-0.1),
        "NoisyOr(wet): leak: -0.1, expected finite numbers from 0 to 1.",
    ),
    "effects": (
        lambda: NoisyMax(MOOD, [SKY, RAIN], [[[1, 0, 0]] * 3]),
        "NoisyMax(mood): 1 tables, expected 2, one a parent: [sky, rain].",
    ),
    "effect": (
        lambda: NoisyMax(MOOD, [RAIN], [[[1, 0], [0, 1]]]),
        "NoisyMax(mood) effect of rain: table has shape (2, 2), expected (2, 3) = [rain, mood]; "
        "the child is the last axis.",
    ),
    "effect row": (
        lambda: NoisyMax(MOOD, [RAIN], [[[1, 0, 0], [0.5, 0, 0]]]),
        "NoisyMax(mood) effect of rain: rows must sum to 1; row (rain=yes) sums to 0.5. "
        "Use a Table potential for unnormalised numbers.",
    ),
    "function": (
        lambda: Deterministic(WET, [RAIN], third),
        "Deterministic(wet): the function returned 'maybe' for (rain=yes); the states of 'wet' are 'no', 'yes'.",
    ),
    "columns": (
        lambda: Softmax(MOOD, [RAIN, SKY], [1.0, 2.0], [0, 0, 0]),
        "Softmax(mood): weights: shape (2,), expected (4, 3) = "
        "[rain, sky=clear, sky=grey, sky=black] x [bad, fair, good].",
    ),
    "infinite": (
        lambda: Logistic(WET, [RAIN], [float("inf")], 0.0),
        "Logistic(wet): weights: inf for (rain), expected finite numbers.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(ShapeError) as caught:
        make()
    assert str(caught.value) == text


def test_what_is_no_table_is_said() -> None:
    with pytest.raises(
        ShapeError, match=r"^Tabular\(wet\): table is not an array of numbers .*\(2, 2\) = \[rain, wet\]"
    ):
        Tabular(WET, [RAIN], [[0.5, 0.5], [1.0]])


NO_VARIABLES = {
    "name as child": (
        lambda: Tabular("rain", [], [0.8, 0.2]),
        "Tabular(rain): 'rain' is no Variable; make one with Variable(name, states).",
    ),
    "lone parent": (
        lambda: Tabular(WET, RAIN, [[0.9, 0.1], [0.2, 0.8]]),
        "Tabular(wet): given is Variable('rain', ['no', 'yes']), expected a list of variables.",
    ),
    "lone scope": (
        lambda: Table(RAIN, [1, 2]),
        "Table: scope is Variable('rain', ['no', 'yes']), expected a list of variables.",
    ),
    "name in a scope": (
        lambda: Pairwise("rain", WET, 1.0),
        "Pairwise(rain, wet): 'rain' is no Variable; make one with Variable(name, states).",
    ),
}


@pytest.mark.parametrize("case", NO_VARIABLES)
def test_what_is_no_variable_is_said(case: str) -> None:
    make, text = NO_VARIABLES[case]
    with pytest.raises(GraphError) as caught:
        make()
    assert str(caught.value) == text
