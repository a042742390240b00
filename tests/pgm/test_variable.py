"""Variables: labels, numbers, and what they refuse."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgm.errors import EvidenceError, GraphError
from pgm.variable import Finite, Variable, by_name, quoted

labels = st.lists(st.text(max_size=5), min_size=1, max_size=8, unique=True)


@given(labels)
def test_numbers_invert_states(states: list[str]) -> None:
    variable = Variable("x", states)
    assert [variable.number(label) for label in variable.states] == list(range(len(states)))
    assert (variable.states, variable.size) == (tuple(states), len(states))


@given(labels)
def test_pickling_keeps_equality_and_hash(states: list[str]) -> None:
    variable = Variable("x", states)
    back = pickle.loads(pickle.dumps(variable))
    assert back == variable
    assert hash(back) == hash(variable)
    assert back.number(states[-1]) == len(states) - 1


def test_labels_are_text() -> None:
    assert Variable("x", 3) == Variable("x", [0, 1, 2]) == Variable("x", Finite(["0", "1", "2"]))
    assert Variable("x", [False, True]).number(True) == Variable("x", [False, True]).number("True") == 1


def test_variables_differ_by_name_and_by_states() -> None:
    assert len({Variable("x"), Variable("y"), Variable("x", 3), Variable("x")}) == 3
    assert Finite(["a", "b"]) != Finite(["b", "a"])


def test_reprs_can_be_read_back() -> None:
    variable = Variable("rain", ["no", "it's"])
    assert eval(repr(variable)) == variable
    assert eval(repr(variable.domain)) == variable.domain


WRONG = {
    "fraction": (
        lambda: Variable("x", 2.5),
        "Variable(x): states are 2.5, expected a list of labels, their number, or Real() or such.",
    ),
    "empty name": (lambda: Variable(""), "Variable: the name is '', expected non-empty text."),
    "name of another type": (lambda: Variable(3), "Variable: the name is 3, expected non-empty text."),
    "no state": (
        lambda: Variable("x", []),
        "Variable(x): Finite: a variable needs at least one state; none was given.",
    ),
    "zero states": (
        lambda: Variable("x", 0),
        "Variable(x): Finite: a variable needs at least one state; none was given.",
    ),
    "repeated": (
        lambda: Variable("x", ["a", "b", "a"]),
        "Variable(x): Finite: state 'a' occurs twice in ('a', 'b', 'a'); labels must differ.",
    ),
    "the same text": (
        lambda: Variable("x", [1, "1"]),
        "Variable(x): Finite: state '1' occurs twice in ('1', '1'); labels must differ.",
    ),
    "one text": (
        lambda: Variable("x", "yes"),
        "Variable(x): states are the text 'yes', expected a list of labels or a number.",
    ),
    "two of a name": (
        lambda: by_name([Variable("x", ["a"]), Variable("x", ["b", "c"])]),
        "variable 'x' is given with states 'a' and with states 'b', 'c'; use one Variable object for both.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(GraphError) as caught:
        make()
    assert str(caught.value) == text


def test_an_unknown_label_is_said() -> None:
    with pytest.raises(EvidenceError) as caught:
        Variable("wet", ["no", "yes"]).number("maybe")
    assert str(caught.value) == "'wet' is 'maybe'; its states are 'no', 'yes'."


@given(st.lists(st.text("abc", max_size=3)), st.integers(0, 5))
def test_quoted_shows_at_most_its_limit(names: list[str], limit: int) -> None:
    text = quoted(names, limit)
    assert text.count("'") == 2 * min(len(names), limit)
    assert text.endswith(f" and {len(names) - limit} more") == (len(names) > limit)
