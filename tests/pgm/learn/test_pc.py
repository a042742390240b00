"""PC with a faultless test against the class it must find; tests of independence against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pgm import (
    CPDAG,
    BayesianNetwork,
    Columns,
    GraphError,
    Tabular,
    Variable,
    chi_squared,
    d_separated,
    g_squared,
    partial_correlation,
    pc,
    sample,
)
from pgm.learn.cpdag import completed
from pgm.learn.pc import explain

from .test_climb import arrows_of
from .test_cpdag import random_graph
from .test_scores import random_columns

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 7))
@settings(max_examples=25)
def test_separations_give_the_class(seed: int, count: int) -> None:
    """PC is right when its tests are (Spirtes, Glymour and Scheines 2000, theorem 5.1)."""
    graph = random_graph(seed, count)
    found = explain(graph.variables, lambda a, b, given_: bool(d_separated(graph, a, b, given_)))
    assert found == CPDAG.of(graph)


@given(SEEDS)
@settings(max_examples=25)
def test_knowledge_is_respected_and_what_follows_is_found(seed: int) -> None:
    """With true arrows required and reversed ones forbidden: the class, directed further by Meek's rules."""
    generator = np.random.default_rng(seed)
    graph = random_graph(seed, 6)
    arrows = sorted(arrows_of(graph))
    known = {arrow for arrow in arrows if generator.random() < 0.3}
    half = {arrow for arrow in known if generator.random() < 0.5}
    found = explain(
        graph.variables,
        lambda a, b, given_: bool(d_separated(graph, a, b, given_)),
        required=half,
        forbidden=[(b, a) for a, b in known - half],
    )
    assert found == completed(graph.variables, arrows, CPDAG.of(graph).arrows | known)


def test_a_link_may_be_forbidden_or_required_against_the_data() -> None:
    columns = random_columns(9, 3, 300)
    forbidden = [("x0", "x1"), ("x1", "x0"), ("x0", "x2"), ("x2", "x0"), ("x1", "x2"), ("x2", "x1")]
    assert pc(columns, forbidden=forbidden) == CPDAG(columns.variables, frozenset(), frozenset())
    required = [("x2", "x0"), ("x2", "x1")]
    assert pc(columns, alpha=1e-12, required=required).arrows >= set(required)


def test_conditioning_on_fewer_keeps_links() -> None:
    graph = random_graph(5, 7)
    heard: list[tuple[int, int]] = []
    found = explain(
        graph.variables,
        lambda a, b, given_: bool(d_separated(graph, a, b, given_)),
        max_condition=1,
        progress=lambda size, pairs: heard.append((size, pairs)),
    )
    links = {frozenset(link) for link in (*found.arrows, *found.lines)}
    assert links >= {frozenset(arrow) for arrow in arrows_of(graph)}
    assert [size for size, _ in heard] == [0, 1]
    assert heard[0][1] == 7 * 6


def test_a_class_is_found_from_many_rows() -> None:
    """Some 50 tests at 1 in 1,000 go wrong in one draw of 20; the effects are twenty standard errors and more."""
    a, b, c, d, e = (Variable(name) for name in "abcde")
    model = BayesianNetwork(
        Tabular(a, [], [0.5, 0.5]),
        Tabular(b, [], [0.4, 0.6]),
        Tabular(c, [a, b], [[[0.9, 0.1], [0.5, 0.5]], [[0.6, 0.4], [0.1, 0.9]]]),
        Tabular(d, [c], [[0.8, 0.2], [0.3, 0.7]]),
        Tabular(e, [a], [[0.7, 0.3], [0.2, 0.8]]),
    )
    assert pc(sample(model, 20_000, seed=0), alpha=1e-3) == CPDAG.of(model)


def test_normal_columns() -> None:
    generator = np.random.default_rng(0)
    a, b, noise, more = generator.normal(size=(4, 2000))
    c = a + b + noise
    found = pc({"a": a, "b": b, "c": c, "d": c + more}, test=partial_correlation)
    assert repr(found) == "CPDAG(4 variables: a -> c, b -> c, c -> d)"
    found = pc({"still": np.full(2000, 0.1), "a": a, "b": b, "c": c}, test=partial_correlation)
    assert repr(found) == "CPDAG(4 variables: a -> c, b -> c)"


@given(SEEDS)
@settings(max_examples=30)
def test_tables_against_scipy(seed: int) -> None:
    """Statistics and degrees of freedom of each state of what is given add up."""
    columns = random_columns(seed, 4, 400)
    names = ("x2", "x3")[: seed % 3]
    rows = columns.values.T.tolist()
    for test, kind in ((chi_squared, "pearson"), (g_squared, "log-likelihood")):
        statistic, freedom = 0.0, 0
        for state in {tuple(row[2 : 2 + len(names)]) for row in rows}:
            chosen = np.array([row[:2] for row in rows if tuple(row[2 : 2 + len(names)]) == state])
            table = stats.contingency.crosstab(chosen[:, 0], chosen[:, 1]).count
            found = stats.chi2_contingency(table, correction=False, lambda_=kind)
            statistic, freedom = statistic + found.statistic, freedom + found.dof
        expected = stats.chi2.sf(statistic, freedom) if freedom else 1.0
        assert test(columns)("x0", "x1", names) == pytest.approx(expected, rel=1e-8, abs=1e-300)


@given(SEEDS)
@settings(max_examples=30)
def test_correlation_of_residuals(seed: int) -> None:
    """The partial correlation is that of what regression on the given leaves; Fisher's z is near normal."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(4, 4)) @ generator.normal(size=(4, 50))
    design = np.column_stack([*values[2 : 2 + seed % 3], np.ones(50)])
    left = [row - design @ np.linalg.lstsq(design, row, rcond=None)[0] for row in values[:2]]
    z = np.arctanh(np.corrcoef(left)[0, 1]) * np.sqrt(50 - seed % 3 - 3)
    test = partial_correlation(dict(zip("abcd", values, strict=True)))
    assert test("a", "b", tuple("cd"[: seed % 3])) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-5, abs=1e-12)


def test_p_values_are_uniform_when_nothing_depends() -> None:
    """Share of 1,000 tests at 5 per cent: standard error 0.0069, so within 4 of them of 0.05."""
    generator = np.random.default_rng(1)
    data = Columns.of({f"x{i}": generator.integers(0, 3, 500) for i in range(46)})
    test = chi_squared(data)
    pairs = [(a, b) for i, a in enumerate(data.names) for b in data.names[:i]][:1000]
    share = np.mean([test(a, b, ()) < 0.05 for a, b in pairs])
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_what_is_refused() -> None:
    data = {"a": ["0", "1"], "b": ["0", "1"]}
    with pytest.raises(GraphError, match="pc: alpha is 1, expected a number between 0 and 1, such as 0.01."):
        pc(data, 1)
    with pytest.raises(GraphError, match="pc: required: 'z' is not a column of the data; there are 'a', 'b'."):
        pc(data, required=[("a", "z")])
    with pytest.raises(
        GraphError, match="partial_correlation: expected columns of fractions, 'a' holds labels; use chi_squared."
    ):
        pc(data, test=partial_correlation)
    with pytest.raises(
        GraphError, match="chi_squared: expected columns of labels, 'a' holds fractions; use partial_correlation."
    ):
        chi_squared({"a": [0.5]})
