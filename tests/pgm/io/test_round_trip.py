"""What is written and read again is equal: names, states, order of parents, and every bit of every table."""

import pathlib
import string
import tempfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.conditionals import TableConditional, Tabular
from pgm.factor import Factor
from pgm.io import load, save
from pgm.model import BayesianNetwork, MarkovNetwork, Model
from pgm.potentials import Table
from pgm.variable import Variable

NAMED = [".bif", ".xml", ".net"]
LETTERS = st.one_of(
    st.sampled_from(string.ascii_letters + string.digits),
    st.sampled_from(" _-.,;:|/\\\"'(){}[]<>&#%*=+\t"),  # all that means something in some format
    st.characters(exclude_categories=("C",)),
)
TEXT = st.text(LETTERS, min_size=1, max_size=6)


def numbers(seed: int, rows: int, size: int) -> np.ndarray:
    """Rows that sum to 1, with zeros, certainties and numbers that need all 17 digits."""
    rng = np.random.default_rng(seed)
    values = rng.dirichlet(np.full(size, 0.3), rows) * (rng.random((rows, size)) < 0.8)
    values[values.sum(1) == 0, rng.integers(size)] = 1.0
    return values / values.sum(1, keepdims=True)


@st.composite
def variables(draw: st.DrawFn) -> list[Variable]:
    names = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    states = st.one_of(st.integers(1, 3), st.lists(st.one_of(st.just(""), TEXT), min_size=1, max_size=3, unique=True))
    return [Variable(name, draw(states)) for name in names]


@st.composite
def networks(draw: st.DrawFn) -> BayesianNetwork:
    found = draw(variables())
    terms = []
    for place, child in enumerate(found):
        parents = draw(st.permutations(found[:place]))[: draw(st.integers(0, 3))]
        shape = [v.size for v in (*parents, child)]
        table = numbers(draw(st.integers(0, 2**32)), int(np.prod(shape[:-1])), child.size).reshape(shape)
        terms.append(Tabular(child, parents, table))
    listed = draw(st.permutations(found))
    return BayesianNetwork(*draw(st.permutations(terms)), variables=listed, name=draw(st.one_of(st.just(""), TEXT)))


@st.composite
def mixed(draw: st.DrawFn) -> Model:
    """Potentials, among them constants and doubled scopes, over a network's variables or over free ones."""
    net = draw(networks())
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        scope = draw(st.permutations(net.variables))[: draw(st.integers(0, 3))]
        values = np.random.default_rng(draw(st.integers(0, 2**32))).exponential(size=[v.size for v in scope])
        terms.append(Table(scope, np.where(values < 0.2, 0, values * 1e3)))
    if draw(st.booleans()):
        return MarkovNetwork(*terms, variables=net.variables)
    return Model(*net.terms, *terms, variables=net.variables)


def again(model: Model, suffix: str) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"model{suffix}"
        save(model, path)
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        return load(path)


def scopes(model: Model) -> list[tuple[int, ...]]:
    return [tuple(model.variables.index(v) for v in term.scope) for term in model.terms]


def assert_equal_tables(found: Model, expected: Model) -> None:
    for left, right in zip(found.factors(), expected.factors(), strict=True):
        assert left.values.dtype == torch.float64
        assert torch.equal(left.values, right.values)


@pytest.mark.parametrize("suffix", NAMED)
@settings(max_examples=40)
@given(model=networks())
def test_a_network_reads_back_equal(model: BayesianNetwork, suffix: str) -> None:
    found = again(model, suffix)
    assert isinstance(found, BayesianNetwork)
    assert found.name == model.name
    assert found.variables == model.variables
    assert [term.scope for term in found.terms] == [term.scope for term in model.terms]
    assert_equal_tables(found, model)


@pytest.mark.parametrize("suffix", [".uai"])
@settings(max_examples=40)
@given(model=networks())
def test_a_network_in_uai_keeps_all_but_names(model: BayesianNetwork, suffix: str) -> None:
    found = again(model, suffix)
    assert isinstance(found, BayesianNetwork)
    assert [v.name for v in found.variables] == [f"x{place}" for place in range(len(model.variables))]
    assert [v.states for v in found.variables] == [tuple(map(str, range(v.size))) for v in model.variables]
    assert scopes(found) == scopes(model)
    assert_equal_tables(found, model)


@settings(max_examples=60)
@given(model=mixed())
def test_potentials_in_uai_keep_all_but_names(model: Model) -> None:
    found = again(model, ".uai")
    assert isinstance(found, MarkovNetwork)
    assert [v.size for v in found.variables] == [v.size for v in model.variables]
    assert scopes(found) == scopes(model)
    assert_equal_tables(found, model)


@pytest.mark.parametrize("suffix", NAMED)
def test_control_characters_that_a_format_can_hold_come_back(suffix: str) -> None:
    odd = Variable("a\tb", [" padded ", "tab\t", "nbsp\u00a0", "\u2028", "é", "日本", '\\"', "\\", "//x", "/* x"])
    found = again(BayesianNetwork(Tabular(odd, [], [0.1] * 10)), suffix)
    assert found.variables == (odd,)


@pytest.mark.parametrize("suffix", [*NAMED, ".uai"])
def test_extreme_numbers_come_back(suffix: str) -> None:
    table = [5e-324, 1e-300, 0.1 + 0.2, 1 - (0.1 + 0.2)]
    found = again(BayesianNetwork(Tabular(Variable("a", 4), [], table)), suffix)
    assert found.factors()[0].values.tolist() == table


@pytest.mark.parametrize("suffix", [*NAMED, ".uai"])
def test_rows_within_1e_6_are_rescaled_once(suffix: str) -> None:
    """Read back they are equal: what sums to 1 but for rounding is left as it is."""
    table = [[0.3333333, 0.6666666], [0.5, 0.5]]
    model = BayesianNetwork(Tabular(Variable("a"), [], [0.5, 0.5]), Tabular(Variable("b"), [Variable("a")], table))
    found = again(model, suffix).factors()[1].values.tolist()
    assert found == model.factors()[1].values.tolist()
    assert found == [[pytest.approx(1 / 3, abs=1e-15), pytest.approx(2 / 3, abs=1e-15)], [0.5, 0.5]]


@pytest.mark.parametrize("suffix", [*NAMED, ".uai"])
def test_a_conditional_that_is_no_table_is_written_as_one(suffix: str) -> None:
    a, b = Variable("a"), Variable("b")

    class Copy(TableConditional):
        """b is a, with the axes of its factor in another order."""

        def factor(self) -> Factor:
            return Factor((b, a), torch.tensor([[0.75, 0.125], [0.25, 0.875]], dtype=torch.float32))

    found = again(BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Copy(b, [a])), suffix)
    assert found.factors()[1].values.tolist() == [[0.75, 0.25], [0.125, 0.875]]


@pytest.mark.parametrize("suffix", [".bif", ".xml", ".xmlbif", ".bifxml", ".net", ".uai"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_every_suffix_is_written_and_read(suffix: str, packed: str) -> None:
    model = BayesianNetwork(Tabular(Variable("x0"), [], [0.25, 0.75]))
    found = again(model, suffix + packed)
    assert found.variables == model.variables
    assert_equal_tables(found, model)


def test_an_empty_model_in_uai_comes_back() -> None:
    found = again(MarkovNetwork(), ".uai")
    assert found.variables == ()
    assert found.factors() == ()
