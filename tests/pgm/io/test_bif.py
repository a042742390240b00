"""BIF: what is written in many ways reads the same, and what is wrong is named with its line."""

import pathlib
import re

import pytest

from pgm.errors import FileError
from pgm.io import load
from pgm.model import BayesianNetwork, Model

HEAD = "network unknown {\n}\nvariable a {\n  type discrete [ 2 ] { no, yes };\n}\n"
HEAD += "variable b {\n  type discrete [ 3 ] { low, mid, high };\n}\n"  # ends on line 8
ROOT = "probability ( a ) {\n  table 0.25, 0.75;\n}\n"  # ends on line 11
ROWS = "probability ( b | a ) {\n  (no) 0.5, 0.25, 0.25;\n  (yes) 0.125, 0.125, 0.75;\n}\n"
EXPECTED = [[0.25, 0.75], [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]]


def read(tmp_path: pathlib.Path, text: str | bytes) -> Model:
    path = tmp_path / "m.bif"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path)


def tables(model: Model) -> list[list[object]]:
    return [factor.values.tolist() for factor in model.factors()]


def message(tmp_path: pathlib.Path, text: str) -> str:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path / "m.bif"))


def test_the_plain_form(tmp_path: pathlib.Path) -> None:
    model = read(tmp_path, HEAD + ROOT + ROWS)
    assert isinstance(model, BayesianNetwork)
    assert model.name == ""
    assert [(v.name, v.states) for v in model.variables] == [("a", ("no", "yes")), ("b", ("low", "mid", "high"))]
    assert tables(model) == EXPECTED


SAME = {
    "windows line ends": (HEAD + ROOT + ROWS).replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + HEAD + ROOT + ROWS,
    "all on one line": (HEAD + ROOT + ROWS).replace("\n", " "),
    "no spaces": (HEAD + ROOT + ROWS).replace(" ( ", "(").replace(" ) ", ")").replace(" [ ", "[").replace(", ", ","),
    "no network block": (HEAD + ROOT + ROWS).replace("network unknown {\n}\n", ""),
    "line comments": (HEAD + ROOT + ROWS).replace(";", "; // why; } {"),
    "block comments": (HEAD + ROOT + ROWS).replace(";", "; /* { why\n\n } */").replace("0.25", "/* a * / b */ 0.25"),
    "hash and percent comments": "# one\n% two\n" + (HEAD + ROOT + ROWS).replace(";", "; # why; } {"),
    "quotes in comments": (HEAD + ROOT + ROWS).replace(";", '; // 5" of "rain'),
    "quoted names": HEAD.replace("variable a", 'variable "a"').replace("no, yes", '"no" "yes"')
    + ROOT.replace("a", '"a"', 2).replace('prob"a"', "proba").replace('t"a"ble', "table")
    + ROWS.replace("b | a", '"b" | "a"').replace("(no)", '("no")'),
    "states separated by spaces": HEAD.replace("no, yes", "no yes").replace("low, mid, ", "low mid\n") + ROOT + ROWS,
    "numbers separated by spaces": HEAD + ROOT.replace(",", " ") + ROWS.replace(",", "  "),
    "commas at the end": HEAD + ROOT.replace("75;", "75,;") + ROWS.replace("25;", "25 , ;"),
    "scientific notation": HEAD
    + ROOT.replace("0.25", "2.5e-1").replace("0.75", "7.5E-01")
    + ROWS.replace("0.5,", "+.5e0,").replace("0.125", "125e-3"),
    "no leading zeros": HEAD + ROOT.replace("0.", ".") + ROWS.replace("0.", "."),
    "scope without a bar": HEAD + ROOT + ROWS.replace("b | a", "b a"),
    "scope with commas only": HEAD + ROOT + ROWS.replace("b | a", "b, a"),
    "rows in another order": HEAD + ROOT + "probability (b|a) {(yes) .125 .125 .75; (no) .5 .25 .25;}",
    "default for some rows": HEAD + ROOT + "probability (b|a) { default .5, .25, .25; (yes) .125, .125, .75; }",
    "default after the rows": HEAD + ROOT + "probability (b|a) { (no) .5, .25, .25; default .125, .125, .75; }",
    "table, child slowest": HEAD + ROOT + "probability (b|a) { table .5, .125,  .25, .125,  .25, .75; }",
    "table, one row per line": HEAD + ROOT + "probability (b|a) {\n table .5 .25 .25\n\t.125 .125 .75;\n}",
    "properties": HEAD.replace("};\n}", '};\n  property position = (1, 2);\n  property "x { } ; y";\n}').replace(
        "unknown {", "unknown { property author me; "
    )
    + ROOT.replace("table", 'property "why";\n property x = "}";\n table')
    + ROWS.replace("(no)", "property p = 1;\n (no)"),
    "property before type": HEAD.replace("  type", "  property type = nature;\n  type") + ROOT + ROWS,
    "stray semicolons": HEAD + ROOT.replace(";", ";;") + ROWS.replace(";", " ; ; "),
    "conditionals before variables of no use to them": HEAD[:70] + ROOT + HEAD[70:] + ROWS,
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_the_same_network_in_other_words(tmp_path: pathlib.Path, text: str) -> None:
    model = read(tmp_path, text)
    assert [(v.name, v.states) for v in model.variables] == [("a", ("no", "yes")), ("b", ("low", "mid", "high"))]
    assert tables(model) == EXPECTED


@pytest.mark.parametrize(
    ("written", "name"), [("unknown", ""), ('"unknown"', "unknown"), ("x-1", "x-1"), ('"my net"', "my net"), ("", "")]
)
def test_the_name_of_the_network(tmp_path: pathlib.Path, written: str, name: str) -> None:
    assert read(tmp_path, HEAD.replace("unknown", written) + ROOT + ROWS).name == name


def test_names_with_dots_dashes_signs_and_spaces(tmp_path: pathlib.Path) -> None:
    text = "variable my.var-1 { type discrete [3] { <5, 5-10%, >10 kg }; }\n"
    text += 'variable "x y" { type discrete [1] { it is }; }'
    text += "\nprobability (my.var-1 | x y) { (it is) 0.5, 0.25, 0.25; }\nprobability ( x y ) { table 1; }"
    model = read(tmp_path, text)
    assert model["my.var-1"].states == ("<5", "5-10%", ">10 kg")
    assert model["x y"].states == ("it is",)
    assert model.graph.parents["my.var-1"] == ("x y",)


def test_latin_1_is_read_where_the_file_is_not_utf_8(tmp_path: pathlib.Path) -> None:
    text = "variable été { type discrete [1] { oui }; } probability (été) { table 1.0; }"
    assert read(tmp_path, text.encode("latin-1")).graph.names == ("été",)
    assert read(tmp_path, text.encode()).graph.names == ("été",)


def test_a_table_whose_orders_both_fit_is_read_as_the_format_says(tmp_path: pathlib.Path) -> None:
    head = "variable a { type discrete [2] {n, y}; } variable b { type discrete [2] {n, y}; } "
    model = read(tmp_path, head + "probability (a) { table 1, 0; } probability (b | a) { table .3, .7, .7, .3; }")
    assert tables(model)[1] == [[0.3, 0.7], [0.7, 0.3]]  # symmetric: the same either way
    model = read(tmp_path, head + "probability (a) { table 1, 0; } probability (b | a) { table .6, .05, .4, .95; }")
    assert tables(model)[1] == [[0.6, 0.4], [0.05, 0.95]]  # the format's own worked example


def test_parents_keep_their_order(tmp_path: pathlib.Path) -> None:
    text = HEAD + ROOT + "variable c { type discrete [2] { 0, 1 }; } probability (b) { table .25 .25 .5; }\n"
    rows = [f"({b}, {a}) {k / 8}, {1 - k / 8};" for k, (b, a) in enumerate((b, a) for a in "ny" for b in "lmh")]
    full = {"n": "no", "y": "yes", "l": "low", "m": "mid", "h": "high"}
    for short, long in full.items():
        rows = [row.replace(f"({short},", f"({long},").replace(f" {short})", f" {long})") for row in rows]
    model = read(tmp_path, text + "probability ( c | b, a ) {\n" + "\n".join(rows) + "\n}\n")
    assert [v.name for v in model.conditionals["c"].given] == ["b", "a"]
    assert model.conditionals["c"].factor().values[..., 0].tolist() == [[0, 0.375], [0.125, 0.5], [0.25, 0.625]]


def test_states_that_look_like_numbers_stay_text(tmp_path: pathlib.Path) -> None:
    model = read(tmp_path, "variable a { type discrete [3] { 01, 1.0, 1e3 }; } probability (a) { table .25 .25 .5; }")
    assert model["a"].states == ("01", "1.0", "1e3")


ORDER = "expected 'table', 'default' or '(states)', numbers and ';'."
BLOCKS = "expected one of 'network', 'variable', 'probability' and a block in braces."
SCOPE = "expected 'probability ( child | parents )'."
WRONG = [  # what stands in the file, what is put in its place, and the message
    ("probability ( b", "probabilty ( b", f":12: found 'probabilty ( b | a ) {{', {BLOCKS}"),
    ("network unknown {\n}", "/* here", ":1: the comment begun with '/*' is never closed; add '*/'."),
    ("discrete [ 2 ] { no, yes }", "continuous", ":3: variable 'a': expected 'type discrete [ n ] { states };'."),
    ("[ 3 ]", "[ 4 ]", ":7: variable 'b': 3 states are listed, but [ 4 ] are announced."),
    ("low, mid", "low, low", ":6: Variable(b): Finite: state 'low' occurs twice in ('low', 'low', 'high'); "
     "labels must differ."),
    ("variable b", "variable a", ":6: variable 'a' is declared twice; names must differ."),
    ("variable a", "variable ", ":3: Variable: the name is '', expected non-empty text."),
    ("( a )", "( c )", ":9: 'c' is not a declared variable; there are 'a', 'b'."),
    ("b | a", "b | c", ":12: 'c' is not a declared variable; there are 'a', 'b'."),
    ("( a )", "", f":9: probability: {SCOPE}"),
    ("( a )", "( )", f":9: probability ( ): {SCOPE}"),
    (ROOT, ROOT + ROOT, ":12: p(a): 'a' has a table already, on line 9."),
    (ROWS, "", ": no table for 'b'; every variable needs one, or the file is cut off."),
    (ROWS, "probability (b | a, a) {\n default 1 0 0;\n}", ":12: p(b | a, a): names a variable twice; list each once."),
    ("  (yes) 0.125, 0.125, 0.75;\n", "", ":12: p(b | a): 1 of 2 rows are missing, the first is (yes)."),
    (ROWS, "probability (b | a) {\n}", ":12: p(b | a): 2 of 2 rows are missing, the first is (no)."),
    ("  table 0.25, 0.75;\n", "", ":9: p(a): 1 of 1 rows are missing, the first is ()."),
    ("(yes)", "(no)", ":14: p(b | a): row (no) is given twice, first on line 13."),
    ("(yes)", "(maybe)", ":14: p(b | a): 'maybe' is no state of 'a'; its states are 'no', 'yes'."),
    ("(yes)", "(yes, low)", ":14: p(b | a): row (yes, low) names 2 states, expected 1."),
    ("0.125, 0.125,", "0.125,", ":14: p(b | a): the row has 2 numbers, expected 3."),
    ("0.25, 0.25;\n  (yes) 0.125", "0.25, 0.25, 0.125;\n  (yes)", ":13: p(b | a): the row has 4 numbers, expected 3."),
    ("(no) 0.5", "default 0.5, 0.5", ":13: p(b | a): the row has 4 numbers, expected 3."),
    (ROWS, "probability (b | a) {\n table .5 .5;\n}", ":13: p(b | a): found 2 numbers, expected 6 = 2 x 3."),
    ("0.125, 0.125", "-0.125, 0.375", ":14: p(b | a): '-0.125' is negative; expected numbers from 0 up."),
    ("0.125, 0.75", "0.125, O.75", ":14: p(b | a): 'O.75' is not a finite number; expected numbers from 0 up."),
    ("0.25, 0.75", "0.25, nan", ":10: p(a): 'nan' is not a finite number; expected numbers from 0 up."),
    ("0.25, 0.75", "0.25, 1e999", ":10: p(a): '1e999' is not a finite number; expected numbers from 0 up."),
    ("0.25, 0.75", "0.25, 0.7.5", ":10: p(a): '0.7.5' is not a finite number; expected numbers from 0 up."),
    ("0.125, 0.75", "0.125, 0.95", ":14: p(b | a): row (a=yes) sums to 1.2, expected 1 within 0.02."),
    ("0.125, 0.125, 0.75", "0, 0, 0", ":14: p(b | a): row (a=yes) sums to 0, expected 1 within 0.02."),
    ("0.25, 0.75", "0.25, 0.5", ":10: p(a): row () sums to 0.75, expected 1 within 0.02."),
    ("0.25, 0.75;", "0.25, 0.75", f":10: p(a): found 'table 0.25, 0.75', {ORDER}"),
    ("table", "tabel", f":10: p(a): found 'tabel 0.25, 0.75;', {ORDER}"),
    ("( a ) {\n  table 0.25, 0.75;", "(a | b) {\n default .5 .5;", ":9: p(a | b): cycle a -> b -> a; "
     "the arrows must not loop."),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: pathlib.Path, right: str, wrong: str, expected: str) -> None:
    assert right in HEAD + ROOT + ROWS
    assert message(tmp_path, (HEAD + ROOT + ROWS).replace(right, wrong, 1)) == expected


def test_a_file_cut_off_anywhere_is_one_error(tmp_path: pathlib.Path) -> None:
    whole = HEAD + ROOT + ROWS
    for stop in range(len(whole.rstrip())):
        text = message(tmp_path, whole[:stop])
        assert re.match(r":(\d+:)? [^\n]+[.?]$", text), text
    assert message(tmp_path, whole[:-30]) == (
        ":12: probability ( b | a ): the block is never closed with '}'; is the file cut off?"
    )
    assert message(tmp_path, whole[: -len(ROWS) + 15]) == f":12: found 'probability ( b', {BLOCKS}"


def test_lines_are_counted_through_comments_and_windows_line_ends(tmp_path: pathlib.Path) -> None:
    text = ("/* one\ntwo */ // three\n" + HEAD + ROOT + ROWS.replace("0.75", "0.95")).replace("\n", "\r\n")
    assert message(tmp_path, text) == ":16: p(b | a): row (a=yes) sums to 1.2, expected 1 within 0.02."


def test_an_empty_file_is_an_error(tmp_path: pathlib.Path) -> None:
    assert message(tmp_path, " \n") == ": declares no variable; is the file empty, cut off, or in another format?"
