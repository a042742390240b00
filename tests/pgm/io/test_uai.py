"""UAI models, evidence and results: the forms found in the wild, and what is wrong with its line."""

import itertools
import math
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgm.conditionals import Tabular
from pgm.errors import EvidenceError, FileError
from pgm.io import (
    Result,
    labelled,
    load,
    load_evidence,
    load_results,
    save,
    save_evidence,
    save_results,
)
from pgm.model import BayesianNetwork, MarkovNetwork, Model
from pgm.potentials import Table
from pgm.variable import Variable

MARKOV = """MARKOV
3
2 2 3
2
2 0 1
2 1 2

4
 4.000 2.400
 1.000 0.000

6
 2.2500 3.2500 3.7500
 0.0000 0.0000 10.0000
"""
BAYES = """BAYES
2
2 3
2
1 0
2 0 1

2
 0.25 0.75

6
 0.5 0.25 0.25
 0.125 0.125 0.75
"""


def read(tmp_path: pathlib.Path, text: str) -> Model:
    (tmp_path / "m.uai").write_bytes(text.encode())
    return load(tmp_path / "m.uai")


def message(tmp_path: pathlib.Path, text: str) -> str:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path / "m.uai"))


def test_potentials(tmp_path: pathlib.Path) -> None:
    model = read(tmp_path, MARKOV)
    assert isinstance(model, MarkovNetwork)
    assert [(v.name, v.states) for v in model.variables] == [
        ("x0", ("0", "1")),
        ("x1", ("0", "1")),
        ("x2", ("0", "1", "2")),
    ]
    assert [factor.names for factor in model.factors()] == [("x0", "x1"), ("x1", "x2")]
    assert [factor.values.tolist() for factor in model.factors()] == [
        [[4, 2.4], [1, 0]],
        [[2.25, 3.25, 3.75], [0, 0, 10]],
    ]


def test_conditionals_have_the_child_last(tmp_path: pathlib.Path) -> None:
    model = read(tmp_path, BAYES)
    assert isinstance(model, BayesianNetwork)
    assert model.graph.parents == {"x0": (), "x1": ("x0",)}
    assert model.conditionals["x1"].factor().values.tolist() == [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]


SAME = {
    "windows line ends": BAYES.replace("\n", "\r\n"),
    "all on one line": BAYES.replace("\n", " "),
    "one number a line": BAYES.replace(" ", "\n"),
    "small letters": BAYES.lower(),
    "comments": "# made by hand\n" + BAYES.replace("1 0\n", "1 0   # a\n").replace("2\n 0.25", "2 # {0, 1}\n 0.25"),
    "scientific notation": BAYES.replace("0.25", "2.5e-1").replace("0.125", ".125E0"),
    "whole numbers with points": BAYES.replace("2 3", "2.0 3.0"),
    "no line end": BAYES.rstrip(),
    "empty scope of 1": BAYES.replace("2\n1 0\n", "3\n0\n1 0\n").replace("\n2\n 0", "\n1 1.0\n2\n 0"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_the_same_network_in_other_words(tmp_path: pathlib.Path, text: str) -> None:
    model = read(tmp_path, text)
    expected = read(tmp_path, BAYES)
    assert isinstance(model, BayesianNetwork)
    assert model.variables == expected.variables
    assert [f.values.tolist() for f in model.factors()] == [f.values.tolist() for f in expected.factors()]


def test_functions_without_variables_are_constants(tmp_path: pathlib.Path) -> None:
    markov = read(tmp_path, "MARKOV 1 2 2 0 1 0 1 2.5 2 3 4")
    assert [(f.names, f.values.tolist()) for f in markov.factors()] == [((), 2.5), (("x0",), [3, 4])]
    mixed = read(tmp_path, "BAYES 1 2 2 0 1 0 1 2.5 2 0.25 0.75")
    assert type(mixed) is Model
    assert [(f.names, f.values.tolist()) for f in mixed.factors()] == [(("x0",), [0.25, 0.75]), ((), 2.5)]


def test_chain_graphs_become_potentials_with_the_same_product(tmp_path: pathlib.Path) -> None:
    a, b, c = Variable("a"), Variable("b", 3), Variable("c")
    terms = [Tabular(b, [a], [[0.5, 0.25, 0.25], [0, 1, 0]]), Table([c, b], [[1, 2, 3], [4, 5, 6]]), Table([], 7.0)]
    model = Model(*terms, variables=[c, a, b])
    save(model, tmp_path / "m.uai")
    found = load(tmp_path / "m.uai")
    assert isinstance(found, MarkovNetwork)
    for numbers in itertools.product(*(range(v.size) for v in model.variables)):
        left = model.log_prob({v.name: str(n) for v, n in zip(model.variables, numbers, strict=True)})
        right = found.log_prob({v.name: str(n) for v, n in zip(found.variables, numbers, strict=True)})
        assert left.item() == right.item()


WRONG = [  # the text, what stands in it, what is put in its place, and the message
    (BAYES, "BAYES", "LIMID", ":1: found 'LIMID', expected 'BAYES' or 'MARKOV' as the first word."),
    (BAYES, BAYES, "", ":1: found '', expected 'BAYES' or 'MARKOV' as the first word."),
    (BAYES, "2 3\n", "2 0\n", ":3: x1 has 0 states, expected 1 to 1048576."),
    (BAYES, "2 3\n", "2 -3\n", ":3: the numbers of states: -3 is not a finite number from 0 up."),
    (BAYES, "2 3\n", "2 2.5\n", ":3: the numbers of states: 2.5 is not a whole number up to 2147483648."),
    (BAYES, "2 0 1", "2 0 2", ":6: function 1: names variable 2, but the last is 1."),
    (BAYES, "2 0 1", "2 1 1", ":6: function 1: names a variable twice; list each once."),
    (BAYES, "2 0 1", "2 1 0", ":6: p(x0 | x1): 'x0' has a table already, on line 5."),
    (BAYES, "6\n", "4\n", ":11: function 1: its table has 4 numbers, expected 6 for (x0, x1)."),
    (BAYES, " 0.125 0.125 0.75\n", "", ":12: function 1: its table: expected 6 numbers, found 3; is the file cut off?"),
    (BAYES, BAYES[-15:], BAYES[-15:] + "9\n", ":14: 1 numbers are left after the last table; expected none."),
    (BAYES, "0.125 0.125", "-0.125 0.375", ":13: function 1: its table: -0.125 is not a finite number from 0 up."),
    (BAYES, "0.125 0.125", "nan 0.125", ":13: function 1: its table: nan is not a finite number from 0 up."),
    (BAYES, "0.125 0.125", "O.125 0.125", ":13: BAYES: 'O.125' is not a finite number; expected numbers from 0 up."),
    (BAYES, "0.125 0.75", "0.125 0.95", ":13: p(x1 | x0): row (x0=1) sums to 1.2, expected 1 within 0.02."),
    (BAYES, "1 0\n", "2 1 0\n", ":8: function 0: its table has 2 numbers, expected 6 for (x1, x0)."),
    (MARKOV, "10.0000", "-10.0000", ":14: function 1: its table: -10 is not a finite number from 0 up."),
    (MARKOV, "10.0000", "1e999", ":14: function 1: its table: inf is not a finite number from 0 up."),
    (MARKOV, "MARKOV\n3\n", "MARKOV\n2000000000\n", ":14: the numbers of states: expected 2000000000 numbers, found "
     "22; is the file cut off?"),
    (MARKOV, "MARKOV\n3\n", "MARKOV\n3e9\n", ":2: the number of variables: 3e+09 is not a whole "
     "number up to 2147483648."),
    (MARKOV, "2 2 3", "2 2 2e6", ":3: x2 has 2000000 states, expected 1 to 1048576."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "right", "wrong", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: pathlib.Path, text: str, right: str, wrong: str, expected: str
) -> None:
    assert right in text
    assert message(tmp_path, text.replace(right, wrong, 1)) == expected


def test_a_variable_without_a_table(tmp_path: pathlib.Path) -> None:
    expected = ": no table for 'x1'; every variable needs one, or the file is cut off."
    assert message(tmp_path, "BAYES 2 2 3 1 1 0 2 0.25 0.75") == expected


def test_a_cycle(tmp_path: pathlib.Path) -> None:
    text = "BAYES\n2\n2 2\n2\n2 1 0\n2 0 1\n4 1 0 0 1\n4 1 0 0 1\n"
    assert message(tmp_path, text) == ":5: p(x0 | x1): cycle x0 -> x1 -> x0; the arrows must not loop."


def test_a_file_cut_off_anywhere_is_one_error(tmp_path: pathlib.Path) -> None:
    whole = MARKOV.rstrip()
    for stop in range(len(whole) - len("10.0000")):
        text = message(tmp_path, whole[:stop])
        assert re.match(r":(\d+:)? [^\n]+[.?]$", text), text


EVIDENCE = [
    ("0", [{}]),
    ("", [{}]),
    ("2 1 0 3 1", [{1: 0, 3: 1}]),
    ("2\n1 0\n3 1\n", [{1: 0, 3: 1}]),
    ("1\n2 1 0 3 1\n", [{1: 0, 3: 1}]),
    ("1\r\n2 1 0 3 1\r\n", [{1: 0, 3: 1}]),
    ("1\n0\n", [{}]),
    ("1 1 0 1", [{0: 1}]),
    ("1 0 1", [{0: 1}]),
    ("3\n1 0 1\n0\n2 0 0 1 1\n", [{0: 1}, {}, {0: 0, 1: 1}]),
    ("2\n0\n1 3 1\n", [{}, {3: 1}]),  # a single sample would fit the numbers, but not the lines
    ("2 0 1 3 1", [{0: 1, 3: 1}]),
    ("# seen\n1 4 2 # here\n", [{4: 2}]),
    ("2 1 0 1 0", [{1: 0}]),
]


@pytest.mark.parametrize(("text", "expected"), EVIDENCE)
def test_evidence_in_both_forms(tmp_path: pathlib.Path, text: str, expected: list[dict[int, int]]) -> None:
    (tmp_path / "m.uai.evid").write_text(text)
    assert load_evidence(tmp_path / "m.uai.evid") == expected


SAMPLE = st.dictionaries(st.integers(0, 9), st.integers(0, 3), max_size=4)


@given(samples=st.lists(SAMPLE, min_size=1, max_size=5))
def test_evidence_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, samples: list[dict[int, int]]) -> None:
    path = tmp_path_factory.getbasetemp() / "m.evid.gz"
    save_evidence(samples, path)
    assert load_evidence(path) == samples


EVIDENCE_WRONG = [
    ("3 1 0", ":1: evidence: the 3 numbers do not fit the counts among them; expected 'count, then pairs of variable "
     "and state', with the number of samples before it or not."),
    ("1 -1 0", ":1: evidence: -1 is not a finite number from 0 up."),
    ("1\n1\n0.5", ":3: evidence: 0.5 is not a whole number up to 2147483648."),
    ("1 0 yes", ":1: evidence: 'yes' is not a finite number; expected numbers from 0 up."),
    ("2 1 0 1 1", ": evidence: variable 1 is given two states; expected one."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EVIDENCE_WRONG)
def test_wrong_evidence(tmp_path: pathlib.Path, text: str, expected: str) -> None:
    (tmp_path / "e").write_text(text)
    with pytest.raises(FileError) as caught:
        load_evidence(tmp_path / "e")
    assert str(caught.value).removeprefix(str(tmp_path / "e")) == expected


def test_no_sample_is_not_written(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        FileError, match=r"there is no sample to write; for no evidence give one empty sample, \[{}\]\.$"
    ):
        save_evidence([], tmp_path / "e")


def test_evidence_by_label() -> None:
    model = MarkovNetwork(Table([Variable("a", ["no", "yes"]), Variable("b", 3)], [[1, 2, 3], [4, 5, 6]]))
    assert labelled(model, {1: 2, 0: 1}) == {"b": "2", "a": "yes"}
    with pytest.raises(EvidenceError, match=r"^evidence: there is no variable 2; the model has 2, counted from 0\.$"):
        labelled(model, {2: 0})
    with pytest.raises(EvidenceError, match=r"^evidence: 'b' has no state 3; it has 3, counted from 0\.$"):
        labelled(model, {1: 3})


HALF = Result("MAR", marginals=((0.25, 0.75), (0.5, 0.25, 0.25)))
RESULTS = [
    ("PR\n-2.5\n", [Result("PR", log10=-2.5)]),
    ("PR\n1\n-2.5\n", [Result("PR", log10=-2.5)]),
    ("PR 2 -2.5 1e2", [Result("PR", log10=-2.5), Result("PR", log10=100.0)]),
    ("PR\n-inf", [Result("PR", log10=-math.inf)]),
    ("PR\n-BEGIN-\n1\n-9.0\n-BEGIN-\n1\n-2.5\n", [Result("PR", log10=-2.5)]),
    ("MAR\n2 2 .25 .75 3 .5 .25 .25\n", [HALF]),
    ("MAR\n1\n2 2 .25 .75 3 .5 .25 .25\n", [HALF]),
    ("MAR\r\n2\r\n2 2 .25 .75 3 .5 .25 .25\r\n1 1 1.0\r\n", [HALF, Result("MAR", marginals=((1.0,),))]),
    ("MAR\n1 2 .5 .5", [Result("MAR", marginals=((0.5, 0.5),))]),
    ("MAP\n3 0 1 2\n", [Result("MAP", states=(0, 1, 2))]),
    ("mpe\n1\n3 0 1 2\n", [Result("MAP", states=(0, 1, 2))]),
    ("MAP\n2\n3 0 1 2\n3 2 1 0\n", [Result("MAP", states=(0, 1, 2)), Result("MAP", states=(2, 1, 0))]),
    ("MAP 1 0", [Result("MAP", states=(0,))]),
]


@pytest.mark.parametrize(("text", "expected"), RESULTS)
def test_results_in_all_forms(tmp_path: pathlib.Path, text: str, expected: list[Result]) -> None:
    (tmp_path / "r").write_bytes(text.encode())
    assert load_results(tmp_path / "r") == expected


ROW = st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple)
ANSWER = st.one_of(
    st.lists(st.floats(allow_nan=False).map(lambda x: Result("PR", log10=x)), min_size=1, max_size=3),
    st.lists(
        st.lists(ROW, min_size=2, max_size=4).map(lambda rows: Result("MAR", marginals=tuple(rows))),
        min_size=1,
        max_size=1,
    ),
    st.lists(
        st.lists(st.integers(0, 9), min_size=2, max_size=4).map(lambda s: Result("MAP", states=tuple(s))),
        min_size=1,
        max_size=1,
    ),
)


@given(results=ANSWER)
def test_results_read_back_equal(tmp_path_factory: pytest.TempPathFactory, results: list[Result]) -> None:
    path = tmp_path_factory.getbasetemp() / "m.uai.RES"
    save_results(results, path)
    assert load_results(path) == results


RESULTS_WRONG = [
    ("MAX\n1", ":1: found 'MAX', expected one of PR, MAR, MAP as the first word."),
    ("", ":1: found '', expected one of PR, MAR, MAP as the first word."),
    ("PR\n", ":2: PR: the 0 numbers do not fit their counts; is the file cut off?"),
    ("PR\nlow\n", ":2: PR: 'low' is not a number."),
    ("MAR\n2 2 .25 .75 3 .5 .25", ":2: MAR: the 7 numbers do not fit their counts; is the file cut off?"),
    ("MAP\n3 0 1", ":2: MAP: the 3 numbers do not fit their counts; is the file cut off?"),
    ("MAP\n2 0 -1", ":2: MAP: the 3 numbers do not fit their counts; is the file cut off?"),
    ("MAP\nnan 0 1", ":2: MAP: the 3 numbers do not fit their counts; is the file cut off?"),
]


@pytest.mark.parametrize(("text", "expected"), RESULTS_WRONG)
def test_wrong_results(tmp_path: pathlib.Path, text: str, expected: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(FileError) as caught:
        load_results(tmp_path / "r")
    assert str(caught.value).removeprefix(str(tmp_path / "r")) == expected


def test_results_of_one_known_task_only(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileError, match=r"^Result: task 'MMAP' is not known; expected one of PR, MAR, MAP\.$"):
        Result("MMAP")
    with pytest.raises(FileError, match=r"holds one task; given were 0 results of \[\]\.$"):
        save_results([], tmp_path / "r")
    with pytest.raises(FileError, match=r"holds one task; given were 2 results of \['MAP', 'PR'\]\.$"):
        save_results([Result("PR"), Result("MAP")], tmp_path / "r")
