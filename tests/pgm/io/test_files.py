"""What does not depend on the format: suffixes, missing and damaged files, writing aside."""

import gzip
import pathlib
import re
import tempfile
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.conditionals import Tabular
from pgm.domains import Real
from pgm.errors import FileError
from pgm.gaussians import ConditionalLinearGaussian
from pgm.io import load, save
from pgm.model import BayesianNetwork, MarkovNetwork, Model
from pgm.neural import Implicit
from pgm.potentials import Table
from pgm.variable import Variable

A, B = Variable("a"), Variable("b")
COIN = BayesianNetwork(Tabular(A, [], [0.5, 0.5]))
KNOWN = "expected one of .bif, .xml, .xmlbif, .bifxml, .uai, .net, each also with .gz."


def message(path: pathlib.Path, model: Model | None = None) -> str:
    with pytest.raises(FileError) as caught:
        save(model, path) if model is not None else load(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(("name", "suffix"), [("a.csv", ".csv"), ("a", ""), ("a.csv.gz", ".csv"), ("a.gz", "")])
def test_unknown_suffix(tmp_path: pathlib.Path, name: str, suffix: str) -> None:
    assert message(tmp_path / name) == f": suffix '{suffix}' is not known; {KNOWN}"
    assert message(tmp_path / name, COIN) == f": suffix '{suffix}' is not known; {KNOWN}"


@pytest.mark.parametrize("suffix", ["bif", "xml", "uai", "net.gz"])
def test_what_is_no_table_is_named_with_its_term(tmp_path: pathlib.Path, suffix: str) -> None:
    height = Variable("height", Real())
    numeric = Model(*COIN.terms, ConditionalLinearGaussian(height, [A], None, [1.0, 2.0], [1.0]))
    path = tmp_path / f"a.{suffix}"
    assert message(path, numeric) == (
        ": 'height' in ConditionalLinearGaussian(height | a) is Real(), but files hold tables of finite variables "
        "only; save its state_dict instead."
    )
    sampler = BayesianNetwork(Implicit(A, [], lambda noise: (noise > 0).long(), noise=()))
    assert message(path, sampler) == (
        ": Implicit(a) has no table, but files hold tables only; save its state_dict instead."
    )
    assert not path.exists()


def test_suffixes_in_capitals_and_dots_in_names(tmp_path: pathlib.Path) -> None:
    save(COIN, tmp_path / "v1.2.BIF.GZ")
    assert load(str(tmp_path / "v1.2.BIF.GZ")).variables == (A,)


def test_missing_file(tmp_path: pathlib.Path) -> None:
    expected = f": there is no such file; looked from the folder {pathlib.Path.cwd()}."
    assert message(tmp_path / "a.bif") == expected


def test_a_folder_is_no_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.bif").mkdir()
    assert message(tmp_path / "a.bif") == ": can not be read (Is a directory); expected a readable file."


def test_not_gzipped(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.bif.gz").write_text("network unknown {}")
    assert message(tmp_path / "a.bif.gz") == ": is not gzipped, but its name ends in .gz; rename it without .gz."


def test_gzipped_without_saying_so(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.bif").write_bytes(gzip.compress(b"network unknown {}"))
    assert message(tmp_path / "a.bif") == ": is gzipped, but its name does not end in .gz; rename or unpack it."


@pytest.mark.parametrize("keep", [2, 20, -4])
def test_gzip_cut_off(tmp_path: pathlib.Path, keep: int) -> None:
    save(COIN, tmp_path / "a.bif.gz")
    (tmp_path / "a.bif.gz").write_bytes((tmp_path / "a.bif.gz").read_bytes()[:keep])
    found = message(tmp_path / "a.bif.gz")
    assert found.startswith(": the gzip data is damaged or cut off (")
    assert found.endswith("); fetch the file again.")


def test_gzip_damaged(tmp_path: pathlib.Path) -> None:
    save(COIN, tmp_path / "a.bif.gz")
    data = bytearray((tmp_path / "a.bif.gz").read_bytes())
    data[20] ^= 0xFF
    (tmp_path / "a.bif.gz").write_bytes(bytes(data))
    assert message(tmp_path / "a.bif.gz").startswith(": the gzip data is damaged or cut off (")


def test_saving_twice_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    save(COIN, tmp_path / "a.bif.gz")
    first = (tmp_path / "a.bif.gz").read_bytes()
    save(COIN, tmp_path / "a.bif.gz")
    assert (tmp_path / "a.bif.gz").read_bytes() == first


def test_no_folder_to_write_to(tmp_path: pathlib.Path) -> None:
    expected = ": can not be written (No such file or directory); expected a writable folder."
    assert message(tmp_path / "none" / "a.bif", COIN) == expected


def test_a_failed_write_leaves_the_old_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bif"
    save(COIN, path)

    def full(self: pathlib.Path, data: bytes) -> int:
        with open(self, "wb") as part:
            part.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    other = BayesianNetwork(Tabular(B, [], [0.25, 0.75]))
    assert message(path, other) == ": can not be written (No space left on device); expected a writable folder."
    assert load(path).variables == (A,)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("suffix", "kind"), [(".bif", "BIF"), (".xml", "XMLBIF"), (".net", "NET")])
def test_potentials_go_to_uai_only(tmp_path: pathlib.Path, suffix: str, kind: str) -> None:
    expected = f": Table(a, b) is a potential, which {kind} can not express; write a .uai file instead."
    assert message(tmp_path / f"m{suffix}", MarkovNetwork(Table([A, B], [[1, 2], [3, 4]]))) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "kind"), [(".bif", "BIF"), (".xml", "XMLBIF"), (".net", "NET")])
def test_a_variable_without_conditional_goes_to_uai_only(tmp_path: pathlib.Path, suffix: str, kind: str) -> None:
    expected = f": 'b' has no conditional, which {kind} requires; add one, or write a .uai file."
    assert message(tmp_path / f"m{suffix}", Model(*COIN.terms, variables=[A, B])) == expected


@pytest.mark.parametrize(
    ("suffix", "kind", "state", "letter"),
    [(".bif", "BIF", "x\ny", "\n"), (".net", "NET", "x\ny", "\n"), (".xml", "XMLBIF", "x\x00y", "\x00")],
)
def test_characters_a_format_can_not_hold(
    tmp_path: pathlib.Path, suffix: str, kind: str, state: str, letter: str
) -> None:
    model = BayesianNetwork(Tabular(Variable("a", [state, "z"]), [], [0.5, 0.5]))
    expected = f": {kind} can not hold the character {letter!r} in {state!r}; rename it."
    assert message(tmp_path / f"m{suffix}", model) == expected


def test_half_a_character_can_not_be_written(tmp_path: pathlib.Path) -> None:
    model = BayesianNetwork(Tabular(Variable("a", ["\ud800", "z"]), [], [0.5, 0.5]))
    found = message(tmp_path / "m.bif", model)
    assert found.endswith("\\ud800' can not be written as UTF-8; rename the variable or state.")
    assert list(tmp_path.iterdir()) == []


LINES = {
    ".bif": (
        "variable a { type discrete [2] {n, y}; }\nvariable b { type discrete [2] {n, y}; }\n"
        "probability (a) { table 0.33, 0.66; }\nprobability (b | a) {\n (n) 0.5, 0.5;\n (y) 0.33333, 0.66666;\n}\n"
    ),
    ".net": (
        'net {}\nnode a { states = ("n" "y"); }\nnode b { states = ("n" "y"); }\n'
        "potential (a) { data = (0.33 0.66); }\n"
        "potential (b | a) { data = ((0.5 0.5)\n (0.33333 0.66666)); }\n"
    ),
    ".uai": "BAYES\n2\n2 2\n2\n1 0\n2 0 1\n2 0.33 0.66\n4 0.5 0.5 0.33333 0.66666\n",
}


@pytest.mark.parametrize("suffix", list(LINES))
def test_rows_slightly_off_are_rescaled_with_one_warning(tmp_path: pathlib.Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(LINES[suffix])
    with pytest.warns(UserWarning, match="were rescaled") as caught:
        found = load(path)
    expected = f"{path}: 2 rows summed to 1 only within 0.01 and were rescaled."
    assert [str(each.message) for each in caught] == [expected]
    assert caught[0].filename == __file__
    first, second = (factor.values for factor in found.factors())
    assert first.tolist() == [0.33 / 0.99, 0.66 / 0.99]
    assert second[0].tolist() == [0.5, 0.5]
    assert second[1].sum().item() == pytest.approx(1, abs=1e-15)
    save(found, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [f.values.tolist() for f in load(path).factors()] == [first.tolist(), second.tolist()]


@pytest.mark.parametrize(("suffix", "line"), [(".bif", 6), (".net", 6), (".uai", 8)])
def test_rows_far_off_are_an_error_with_line_and_row(tmp_path: pathlib.Path, suffix: str, line: int) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(LINES[suffix].replace("0.66666", "0.76666"))
    child, row = ("x1", "x0=1") if suffix == ".uai" else ("b", "a=y")
    parent = row[: row.index("=")]
    assert message(path) == f":{line}: p({child} | {parent}): row ({row}) sums to 1.09999, expected 1 within 0.02."


JUNK = st.sampled_from([*'(){}[]<>|\\";:,%#&=- \n\r\0\ufeff09', "/*", "*/", "//", "nan", "1e400", "-1", "9" * 30, ""])


@pytest.mark.parametrize("suffix", [".bif", ".xml", ".net", ".uai"])
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_read_or_is_one_error(suffix: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"m{suffix}"
        c = Variable("c", ["x", "y z"])
        terms = [Tabular(A, [], [0.5, 0.5]), Tabular(c, [A], [[0.25, 0.75], [1, 0]])]
        save(BayesianNetwork(*terms, Tabular(B, [c, A], [[[0, 1], [1, 0]], [[0.5, 0.5], [1, 0]]])), path)
        text = path.read_text()
        start = data.draw(st.integers(0, len(text) - 1))
        stop = data.draw(st.integers(start, start + 9))
        path.write_text(text[:start] + data.draw(JUNK) + text[stop:], newline="")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # rows that the damage has left slightly off
            outcome = outcome_of(path)
    assert re.fullmatch(r"read|m\.\w+:(\d+:)? [^\n]+[.?]", outcome), outcome


def outcome_of(path: pathlib.Path) -> str:
    try:
        load(path)
    except FileError as error:
        return str(error).removeprefix(f"{path.parent}/")
    return "read"
