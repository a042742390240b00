"""Scores against counting by hand, the gamma function, other libraries, and the laws they must obey."""

from collections import Counter
from functools import partial
from math import log, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import norm

from pgm import Columns, GraphError, bdeu, bic
from pgm.learn.learned import directed_graph
from pgm.learn.scores import maximum_log_likelihood

SEEDS = st.integers(0, 2**32 - 1)
CLOSE = {"rel": 1e-10, "abs": 1e-9}  # sums of a few thousand logarithms
SCORES = (bic, bdeu, partial(bdeu, equivalent_sample_size=7.5), maximum_log_likelihood)


def random_columns(seed: int, variables: int = 5, most: int = 60) -> Columns:
    """Columns of one to four states that depend on one another."""
    generator = np.random.default_rng(seed)
    rows, cause = int(generator.integers(1, most)), generator.integers(0, 4, 10_000)
    data = {}
    for number in range(variables):
        size = int(generator.integers(1, 5))
        noise = generator.integers(0, size, rows)
        data[f"x{number}"] = np.where(generator.random(rows) < 0.6, cause[:rows] % size, noise)
    return Columns.of(data)


def counted(columns: Columns, child: int, parents: list[int]) -> dict[tuple[int, ...], Counter]:
    found: dict[tuple[int, ...], Counter] = {}
    for row in columns.values.T.tolist():
        found.setdefault(tuple(row[p] for p in parents), Counter())[row[child]] += 1
    return found


def bic_by_hand(columns: Columns, child: int, parents: list[int]) -> float:
    tables = counted(columns, child, parents).values()
    likelihood = sum(n * log(n / sum(counts.values())) for counts in tables for n in counts.values())
    free = (columns.sizes[child] - 1) * prod(int(columns.sizes[p]) for p in parents)
    return likelihood - log(columns.rows) / 2 * free


def bdeu_by_hand(columns: Columns, child: int, parents: list[int], weight: float) -> float:
    a = weight / prod(int(columns.sizes[p]) for p in parents)
    part = a / columns.sizes[child]
    total = 0.0
    for counts in counted(columns, child, parents).values():
        total += gammaln(a) - gammaln(a + sum(counts.values()))
        total += sum(gammaln(part + n) - gammaln(part) for n in counts.values())
    return total


def random_family(seed: int, count: int) -> tuple[int, list[int]]:
    order = np.random.default_rng(seed).permutation(count).tolist()
    return order[0], order[1 : 1 + seed % count]


@given(SEEDS, st.floats(0.01, 100))
def test_families_by_hand(seed: int, weight: float) -> None:
    columns = random_columns(seed)
    child, parents = random_family(seed, 5)
    names = [columns.names[p] for p in parents]
    found = bic(columns)(columns.names[child], names)
    assert found == pytest.approx(bic_by_hand(columns, child, parents), **CLOSE)
    found = bdeu(columns, weight)(columns.names[child], names)
    assert found == pytest.approx(bdeu_by_hand(columns, child, parents, weight), **CLOSE)


@given(SEEDS, st.sampled_from(SCORES))
def test_one_parent_more_is_the_larger_family(seed: int, make) -> None:
    """Many candidates at once and each family alone are one number."""
    columns = random_columns(seed)
    score = make(columns)
    child, parents = random_family(seed, 5)
    others = [v for v in range(5) if v != child and v not in parents]
    found = score.families(child, tuple(parents), np.array([*others, -1]))
    expected = [score(columns.names[child], [columns.names[p] for p in (*parents, other)]) for other in others]
    expected.append(score(columns.names[child], [columns.names[p] for p in parents]))
    assert found == pytest.approx(expected, **CLOSE)


def test_more_joint_states_than_rows() -> None:
    """Twelve parents of four states have 2^24 joint states; only those that occur are counted."""
    generator = np.random.default_rng(0)
    columns = Columns.of({f"x{i:02}": generator.integers(0, 4, 500) for i in range(13)})
    parents = list(range(1, 13))
    found = bdeu(columns, 10.0)("x00", columns.names[1:])
    assert found == pytest.approx(bdeu_by_hand(columns, 0, parents, 10.0), **CLOSE)
    found = bic(columns)("x00", columns.names[1:])
    assert found == pytest.approx(bic_by_hand(columns, 0, parents), **CLOSE)


@given(SEEDS, st.sampled_from(SCORES))
def test_reversing_a_covered_arrow_changes_nothing(seed: int, make) -> None:
    """a -> b and b -> a with the same other parents are Markov equivalent (Chickering 1995)."""
    columns = random_columns(seed)
    score, (a, b, *rest) = make(columns), columns.names
    rest = rest[: seed % 4]
    one, other = score(a, rest) + score(b, [a, *rest]), score(b, rest) + score(a, [b, *rest])
    assert one == pytest.approx(other, **CLOSE)


def test_total_is_the_sum_of_families() -> None:
    columns = random_columns(7, 3)
    score = bic(columns)
    graph = directed_graph(columns.variables, {"x2": ["x0", "x1"]})
    assert score.total(graph) == pytest.approx(score("x0") + score("x1") + score("x2", ["x0", "x1"]))


@given(SEEDS)
@settings(max_examples=10)
def test_other_libraries_agree(seed: int) -> None:
    gum = pytest.importorskip("pyagrum")
    peers = pytest.importorskip("pgmpy.structure_score")
    pandas = pytest.importorskip("pandas")
    columns = random_columns(seed, 4, 200)
    labels = np.array(columns.values, dtype=str)
    frame = pandas.DataFrame(dict(zip(columns.names, labels, strict=True)))
    learner = gum.BNLearner(frame, [])
    learner.useScoreBIC()
    learner.useNoPrior()
    for child, parents in (("x0", []), ("x1", ["x0"]), ("x3", ["x0", "x2"])):
        found = bic(frame)(child, parents)
        assert found == pytest.approx(log(2) * learner.score(child, parents), **CLOSE)  # it counts in bits
        assert found == pytest.approx(peers.BIC(frame).local_score(child, tuple(parents)), **CLOSE)
        peer = peers.BDeu(frame, equivalent_sample_size=3)
        assert bdeu(frame, 3)(child, parents) == pytest.approx(peer.local_score(child, tuple(parents)), **CLOSE)


@given(SEEDS)
def test_regression_by_least_squares(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(4, 4)) @ generator.normal(size=(4, 30)) + generator.normal(size=(4, 1)) * 5
    columns = Columns.of({f"x{i}": row for i, row in enumerate(values)})
    parents = list(range(1, 1 + seed % 4))
    design = np.column_stack([*(values[p] for p in parents), np.ones(30)])
    residual = values[0] - design @ np.linalg.lstsq(design, values[0], rcond=None)[0]
    likelihood = norm.logpdf(residual, scale=residual.std()).sum()
    expected = likelihood - log(30) / 2 * (len(parents) + 2)
    assert bic(columns)("x0", [f"x{p}" for p in parents]) == pytest.approx(expected, rel=1e-6)


@given(SEEDS)
def test_normal_scores_are_equivalent_too(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(3, 3)) @ generator.normal(size=(3, 40))
    score = bic(dict(zip("abc", values, strict=True)))
    one, other = score("a", ["c"]) + score("b", ["a", "c"]), score("b", ["c"]) + score("a", ["b", "c"])
    assert one == pytest.approx(other, rel=1e-6)


@given(SEEDS)
def test_units_of_parents_make_no_difference(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b, noise = generator.normal(size=(3, 40))
    near, far = ({"a": a * unit, "b": b, "c": a + b + noise} for unit in (1.0, 1e-9))
    assert bic(near)("c", ["a", "b"]) == pytest.approx(bic(far)("c", ["a", "b"]), rel=1e-9)


def test_what_is_refused() -> None:
    with pytest.raises(GraphError, match="bdeu: expected columns of labels, 'x' holds fractions; use bic."):
        bdeu({"x": [0.5, 1.5]})
    with pytest.raises(GraphError, match="bdeu: equivalent_sample_size is 0, expected a number above 0."):
        bdeu({"x": ["a"]}, 0)
    with pytest.raises(GraphError, match="Score: 'y' is not a column of the data."):
        bic({"x": ["a"]})("y")
