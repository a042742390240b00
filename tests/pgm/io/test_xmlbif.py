"""XMLBIF: dialects read the same, what is wrong is named with its line, entities are refused."""

import pathlib

import pytest

from pgm.errors import FileError
from pgm.io import load
from pgm.model import Model

TEXT = """<?xml version="1.0"?>
<BIF VERSION="0.3">
<NETWORK>
<NAME>weather</NAME>
<VARIABLE TYPE="nature">
  <NAME>a</NAME>
  <OUTCOME>no</OUTCOME>
  <OUTCOME>yes</OUTCOME>
</VARIABLE>
<VARIABLE TYPE="nature">
  <NAME>b</NAME>
  <OUTCOME>low</OUTCOME><OUTCOME>mid</OUTCOME><OUTCOME>high</OUTCOME>
</VARIABLE>
<DEFINITION>
  <FOR>a</FOR>
  <TABLE>0.25 0.75</TABLE>
</DEFINITION>
<DEFINITION>
  <FOR>b</FOR>
  <GIVEN>a</GIVEN>
  <TABLE>
    0.5 0.25 0.25
    0.125 0.125 0.75
  </TABLE>
</DEFINITION>
</NETWORK>
</BIF>
"""
EXPECTED = [[0.25, 0.75], [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]]
DTD = """<?xml version="1.0"?>
<!DOCTYPE BIF [
  <!ELEMENT BIF ( NETWORK )*>
  <!ATTLIST BIF VERSION CDATA #REQUIRED>
  <!ELEMENT NETWORK ( NAME, ( PROPERTY | VARIABLE | DEFINITION )* )>
  <!ELEMENT NAME (#PCDATA)>
]>
"""
BOMB = '<?xml version="1.0"?>\n<!DOCTYPE BIF [\n  <!ENTITY a "aaaa">\n  <!ENTITY b "&a;&a;">\n]>\n'


def read(tmp_path: pathlib.Path, text: str | bytes) -> Model:
    path = tmp_path / "m.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path)


def message(tmp_path: pathlib.Path, text: str | bytes) -> str:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path / "m.xml"))


HEADER = '<?xml version="1.0"?>\n'
SAME = {
    "plain": TEXT,
    "windows line ends": TEXT.replace("\n", "\r\n"),
    "no line ends": TEXT.replace("\n", ""),
    "the format's own document type": TEXT.replace(HEADER, DTD),
    "a document type elsewhere": TEXT.replace(HEADER, HEADER + '<!DOCTYPE BIF SYSTEM "bif.dtd">\n'),
    "small letters": TEXT.lower(),
    "padded names": TEXT.replace("<NAME>", "<NAME>\n  ").replace("</OUTCOME>", " </OUTCOME>"),
    "properties": TEXT.replace("<OUTCOME>low", "<PROPERTY>position = (1, 2)</PROPERTY><PROPERTY/><OUTCOME>low"),
    "comments": TEXT.replace("0.75", "<!-- why: 5 --> 0.75 <!-- yes -->"),
    "numbers with commas": TEXT.replace("0.25 0.75", "0.25, 0.75"),
    "scientific notation": TEXT.replace("0.25", "2.5e-1").replace("0.125", ".125E0"),
    "the other way about": TEXT.replace("  <FOR>b</FOR>\n  <GIVEN>a</GIVEN>\n", "").replace(
        "</TABLE>\n</DEFINITION>\n</NET", "</TABLE><GIVEN>a</GIVEN><FOR>b</FOR>\n</DEFINITION>\n</NET"
    ),
    "values for outcomes": TEXT.replace("OUTCOME", "VALUE").replace("DEFINITION", "PROBABILITY"),
    "character data sections": TEXT.replace("<NAME>a<", "<NAME><![CDATA[a]]><"),
    "no type": TEXT.replace(' TYPE="nature"', ""),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_the_same_network_in_other_words(tmp_path: pathlib.Path, text: str) -> None:
    model = read(tmp_path, text)
    assert model.name == "weather"
    assert [(v.name, v.states) for v in model.variables] == [("a", ("no", "yes")), ("b", ("low", "mid", "high"))]
    assert [factor.values.tolist() for factor in model.factors()] == EXPECTED


def test_escaped_characters_and_other_encodings(tmp_path: pathlib.Path) -> None:
    text = TEXT.replace('version="1.0"', 'version="1.0" encoding="ISO-8859-1"').replace(
        "<OUTCOME>no", "<OUTCOME>&lt;&#233;é"
    )
    assert read(tmp_path, text.encode("latin-1"))["a"].states == ("<éé", "yes")


WRONG = [  # what stands in the file, what is put in its place, and the message
    ("<BIF VERSION", "<XBIF VERSION", ":27: mismatched tag in <XBIF>; expected well-formed XML. Is the file cut off?"),
    ("<NETWORK>", "<NETWORK", ":4: not well-formed (invalid token) in <BIF>; expected well-formed XML. "
     "Is the file cut off?"),
    ('TYPE="nature"', 'TYPE="decision"', ":5: variable 'a' has TYPE 'decision', expected 'nature'; "
     "decisions are not read."),
    ("  <NAME>a</NAME>\n", "", ":5: <VARIABLE> has 0 <NAME> elements, expected one."),
    ("<NAME>b", "<NAME>a", ":10: variable 'a' is declared twice; names must differ."),
    ("yes", "no", ":5: Variable(a): Finite: state 'no' occurs twice in ('no', 'no'); labels must differ."),
    ("  <OUTCOME>no</OUTCOME>\n  <OUTCOME>yes</OUTCOME>\n", "", ":5: Variable(a): Finite: a variable needs at least "
     "one state; none was given."),
    ("<FOR>a", "<FOR>c", ":14: 'c' is not a declared variable; there are 'a', 'b'."),
    ("<GIVEN>a", "<GIVEN>c", ":18: 'c' is not a declared variable; there are 'a', 'b'."),
    ("<FOR>b</FOR>", "", ":18: <DEFINITION> has 0 <FOR> elements, expected one."),
    ("<FOR>b", "<FOR>a", ":22: p(a | a): found 6 numbers, expected 4 = 2 x 2."),
    ("  <GIVEN>a</GIVEN>\n", "", ":21: p(b): found 6 numbers, expected 3 = 3."),
    ("  <TABLE>0.25 0.75</TABLE>\n", "", ":14: p(a): 0 <TABLE> elements, expected one."),
    ("0.5 0.25 0.25\n", "\n", ":23: p(b | a): found 3 numbers, expected 6 = 2 x 3."),
    ("0.125 0.125", "-0.125 0.375", ":23: p(b | a): '-0.125' is negative; expected numbers from 0 up."),
    ("0.125 0.125", "0.125 x", ":23: p(b | a): 'x' is not a finite number; expected numbers from 0 up."),
    ("0.125 0.75", "0.125 0.95", ":23: p(b | a): row (a=yes) sums to 1.2, expected 1 within 0.02."),
    ("<FOR>a</FOR>\n  <TABLE>0.25 0.75", "<FOR>a</FOR><GIVEN>b</GIVEN>\n<TABLE> 1 0 1 0 1 0", ":14: p(a | b): cycle "
     "a -> b -> a; the arrows must not loop."),
    (">weather<", ">&weather;<", ":4: undefined entity in <NAME>; expected well-formed XML. Is the file cut off?"),
    ("BIF", "HTML", ":2: found <HTML>, expected <BIF> with a <NETWORK> in it."),
    (HEADER, BOMB, ":3: entity 'a': entities are not read; write the text itself."),
    (HEADER + "<BIF", HEADER.replace("?>", ' encoding="klingon"?>') + "<BIF", ":1: the XML can not be "
     "decoded (unknown encoding: klingon); save the file as UTF-8."),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "expected"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: pathlib.Path, right: str, wrong: str, expected: str) -> None:
    assert right in TEXT
    assert message(tmp_path, TEXT.replace(right, wrong, 2 if right == "BIF" else 1)) == expected


def test_an_entity_of_a_document_type_that_is_not_fetched_is_refused(tmp_path: pathlib.Path) -> None:
    text = TEXT.replace(HEADER, HEADER + '<!DOCTYPE BIF SYSTEM "bif.dtd">\n').replace("weather", "&weather;")
    assert message(tmp_path, text) == ":5: entity 'weather': entities are not read; write the text itself."


def test_a_file_cut_off_anywhere_is_one_error(tmp_path: pathlib.Path) -> None:
    for stop in range(0, len(TEXT) - 7, 5):
        text = message(tmp_path, TEXT[:stop])
        assert text.endswith("expected well-formed XML. Is the file cut off?"), text


def test_an_empty_network_is_an_error(tmp_path: pathlib.Path) -> None:
    expected = ": declares no variable; is the file empty, cut off, or in another format?"
    assert message(tmp_path, "<BIF><NETWORK></NETWORK></BIF>") == expected
