"""Hugin NET: dialects read the same, what is wrong is named with its line."""

import pathlib
import re

import pytest

from pgm.conditionals import Tabular
from pgm.errors import FileError
from pgm.io import load, save
from pgm.model import BayesianNetwork, Model
from pgm.variable import Variable

TEXT = """net
{
  name = "weather";
}
node a
{
  states = ("no" "yes");
}
node b
{
  states = ("low" "mid" "high");
}
potential (a)
{
  data = (0.25 0.75);
}
potential (b | a)
{
  data = ((0.5 0.25 0.25)
          (0.125 0.125 0.75));
}
"""
EXPECTED = [[0.25, 0.75], [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]]


def read(tmp_path: pathlib.Path, text: str) -> Model:
    path = tmp_path / "m.net"
    path.write_bytes(text.encode())
    return load(path)


def message(tmp_path: pathlib.Path, text: str) -> str:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path / "m.net"))


SAME = {
    "plain": TEXT,
    "windows line ends": TEXT.replace("\n", "\r\n"),
    "all on one line": TEXT.replace("\n", " "),
    "comments": "% made by hand\n" + TEXT.replace(";", "; % why; } {").replace("0.25)\n", "0.25) % a=no\n"),
    "comments in the data": TEXT.replace("0.25)\n", "0.25)\n   % rest ) ;\n  ").replace("data", "% data = 1;\n data"),
    "discrete nodes": TEXT.replace("node a", "discrete node a").replace("node b", "discrete  node b"),
    "states without quotes": TEXT.replace('"no" "yes"', "no yes ").replace('"low" "mid"', "low mid"),
    "an empty bar": TEXT.replace("(a)", "( a | )"),
    "flat data": TEXT.replace("((", "(").replace("))", ")").replace(")\n          (", "\n"),
    "data split further": TEXT.replace("0.25 0.75", "0.25\n\n 0.75"),
    "other attributes": TEXT.replace(
        '  states = ("no"', '  label = "A; {rain} (5%)";\n  position = (10 20);\n  states = ("no"'
    ),
    "braces close together": TEXT.replace("\n{\n", "{").replace("\n}\n", "}"),
    "scientific notation": TEXT.replace("0.25", "2.5e-1").replace("0.125", ".125E0"),
    "no net block's attributes but a size": TEXT.replace("  name", "  node_size = (50 50);\n  name"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_the_same_network_in_other_words(tmp_path: pathlib.Path, text: str) -> None:
    model = read(tmp_path, text)
    assert model.name == "weather"
    assert [(v.name, v.states) for v in model.variables] == [("a", ("no", "yes")), ("b", ("low", "mid", "high"))]
    assert [factor.values.tolist() for factor in model.factors()] == EXPECTED


def test_names_that_are_no_identifiers_are_written_as_such_and_kept(tmp_path: pathlib.Path) -> None:
    names = ["my var", "my-var", "n0_my_var", "1st", "été"]
    variables = [Variable(name) for name in names]
    save(BayesianNetwork(*(Tabular(v, [], [0.5, 0.5]) for v in variables)), tmp_path / "a.net")
    text = (tmp_path / "a.net").read_text()
    keys = re.findall(r"^node (\S+)$", text, re.MULTILINE)
    assert len(set(keys)) == len(names)
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) for key in keys)
    assert load(tmp_path / "a.net").variables == tuple(variables)


ONLY = "only nets of discrete chance nodes are read; remove it, or export one."
BLOCKS = "expected one of 'net', 'node', 'discrete node', 'potential' and a block in braces."
POTENTIAL = "expected 'potential ( child | parents )' with one child."
WRONG = [  # what stands in the file, what is put in its place, and the message
    ("potential (b", "potentail (b", f":17: found 'potentail (b | a)', {BLOCKS}"),
    ("node a", "continuous node a", f":5: continuous node a: {ONLY}"),
    ("node a", "decision a", f":5: decision a: {ONLY}"),
    ("net\n", "class Net\n", f":1: class Net: {ONLY}"),
    ('  states = ("no" "yes");\n', "", ":5: node a: has no 'states', expected 'states = (\"a\" \"b\");'."),
    ('  states = ("no" "yes");\n', "states = ();", ":5: Variable(a): Finite: a variable needs at least one state; none "
     "was given."),
    ('"yes");', '"yes")', ":7: node a: found 'states = (\"no\" \"yes\")', expected 'name = value;'."),
    ('"yes"', '"no"', ":5: Variable(a): Finite: state 'no' occurs twice in ('no', 'no'); labels must differ."),
    ("node b", "node a", ":9: variable 'a' is declared twice; names must differ."),
    ("(a)", "(c)", ":13: 'c' is not a declared variable; there are 'a', 'b'."),
    ("b | a", "b | c", ":17: 'c' is not a declared variable; there are 'a', 'b'."),
    ("(b | a)", "(b a)", f":17: potential (b a): {POTENTIAL}"),
    ("(b | a)", "( | a)", f":17: potential ( | a): {POTENTIAL}"),
    ("(b | a)", "b | a", f":17: potential b | a: {POTENTIAL}"),
    ("  data = (0.25 0.75);\n", "", ":13: p(a): has no 'data', expected 'data = ( numbers );'."),
    ("data = (0.25", "model_data = (0.25", ":13: p(a): has no 'data', expected 'data = ( numbers );'."),
    ("0.5 0.25 0.25", "", ":20: p(b | a): found 3 numbers, expected 6 = 2 x 3."),
    ("0.125 0.125", "-0.125 0.375", ":20: p(b | a): '-0.125' is negative; expected numbers from 0 up."),
    ("0.125 0.125", "0.125 normal", ":20: p(b | a): 'normal' is not a finite number; expected numbers from 0 up."),
    ("0.125 0.75", "0.125 0.95", ":20: p(b | a): row (a=yes) sums to 1.2, expected 1 within 0.02."),
    ("(a)\n{\n  data = (0.25 0.75);", "(a | b)\n{\n  data = (1 0 1 0 1 0);", ":13: p(a | b): cycle a -> b -> a; "
     "the arrows must not loop."),
    ("(b | a)", "(b | a b)", ":19: p(b | a, b): found 6 numbers, expected 18 = 2 x 3 x 3."),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: pathlib.Path, right: str, wrong: str, expected: str) -> None:
    assert right in TEXT
    assert message(tmp_path, TEXT.replace(right, wrong, 1)) == expected


def test_a_file_cut_off_anywhere_is_one_error(tmp_path: pathlib.Path) -> None:
    for stop in range(len(TEXT.rstrip())):
        text = message(tmp_path, TEXT[:stop])
        assert re.match(r":(\d+:)? [^\n]+[.?]$", text), text
    assert (
        message(tmp_path, TEXT[:-10])
        == ":17: potential (b | a): the block is never closed with '}'; is the file cut off?"
    )


def test_an_empty_file_is_an_error(tmp_path: pathlib.Path) -> None:
    expected = ": declares no variable; is the file empty, cut off, or in another format?"
    assert message(tmp_path, "net {}") == expected
