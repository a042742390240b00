"""`pgm learn` against the Python API and counting; misuse, one line at a time."""

import contextlib
import csv
import io
import itertools
import json
import pathlib
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm.cli.learn
from pgm import Columns, Score, bdeu, bic, chow_liu, hill_climb, load, pc, sample
from pgm.cli import progress
from pgm.testing import random_case

from .test_cli import ALARM, ASIA, call, told


def write_rows(path: pathlib.Path, columns: dict[str, list[str]]) -> pathlib.Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


def rows_of(file: str, count: int) -> dict[str, list[str]]:
    drawn = sample(load(file), count, seed=1)
    return {v.name: drawn.labels(v.name) for v in drawn.variables}


@pytest.mark.parametrize("method", ["hill-climb", "chow-liu", "pc"])
@pytest.mark.parametrize("score", ["bic", "bdeu"])
def test_each_method_is_that_of_the_api(tmp_path, method: str, score: str) -> None:
    rows = rows_of(ALARM, 2000)
    source, output = write_rows(tmp_path / "rows.csv", rows), tmp_path / "m.bif"
    answer = told("learn", source, "-o", output, "--method", method, "--score", score)
    criterion = {"bic": bic, "bdeu": bdeu}[score]
    graph = {
        "hill-climb": lambda: hill_climb(rows, criterion).graph,
        "chow-liu": lambda: chow_liu(rows).graph,
        "pc": lambda: pc(rows).extension(),
    }[method]()
    assert load(output).graph.parents == graph.parents
    assert answer[score] == pytest.approx(criterion(rows).total(graph))
    arrows = sum(map(len, graph.parents.values()))
    assert {name: answer[name] for name in ("rows", "variables", "arrows", "method")} == {
        "rows": 2000,
        "variables": 37,
        "arrows": arrows,
        "method": method,
    }


@given(st.integers(0, 10**6))
@settings(max_examples=6)
def test_tables_are_frequencies(tmp_path_factory, seed: int) -> None:
    """(n_jk + 1 / entries) / (n_j + states / entries), counted row by row."""
    model, _, _ = random_case(seed, "bayesian", most=4)
    drawn = sample(model, 50, seed=seed)
    columns = {v.name: drawn.labels(v.name) for v in drawn.variables}
    folder = tmp_path_factory.mktemp("rows")
    assert call("learn", write_rows(folder / "rows.csv", columns), "-o", folder / "m.bif").code == 0
    for name, term in load(folder / "m.bif").conditionals.items():
        table, scope = term.factor().values.detach(), [v.name for v in term.scope]
        seen = list(zip(*(columns[each] for each in scope), strict=True))
        for world in itertools.product(*(v.states for v in term.scope)):
            pair = sum(row == world for row in seen) + 1 / table.numel()
            above = sum(row[:-1] == world[:-1] for row in seen) + term.child.size / table.numel()
            place = tuple(v.number(label) for v, label in zip(term.scope, world, strict=True))
            assert table[place].item() == pytest.approx(pair / above), name


def test_options_reach_the_search(tmp_path) -> None:
    rows = rows_of(ALARM, 2000)
    source, output = write_rows(tmp_path / "rows.csv", rows), tmp_path / "m.bif"
    call("learn", source, "-o", output, "--max-parents", 1, "--seed", 4)
    expected = hill_climb(rows, max_parents=1, seed=4).graph.parents
    assert load(output).graph.parents == expected
    assert max(map(len, expected.values())) == 1
    call("learn", source, "-o", output, "--method", "pc", "--alpha", 1e-6)
    assert load(output).graph.parents == pc(rows, 1e-6).extension().parents


def test_people_are_told_in_a_line(tmp_path) -> None:
    rows = rows_of(ASIA, 500)
    output = tmp_path / "m.bif"
    said = call("learn", write_rows(tmp_path / "rows.csv", rows), "-o", output)
    learned = hill_climb(rows)
    arrows = sum(map(len, learned.graph.parents.values()))
    assert said.out == f"{output}: 8 variables, {arrows} arrows, bic {learned.score:,.2f}\n"


def interrupted_bic(data: Columns) -> Score:
    """BIC that is interrupted at a call when the search for eight variables is under way."""
    score, calls = bic(data), itertools.count()

    def families(child: int, parents: tuple[int, ...], extra: np.ndarray) -> np.ndarray:
        if next(calls) == 25:
            raise KeyboardInterrupt
        return score.families(child, parents, extra)

    return Score(score.variables, families)


def test_an_interrupted_search_is_saved(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pgm.cli.learn, "bic", interrupted_bic)
    output = tmp_path / "m.bif"
    said = call("learn", write_rows(tmp_path / "rows.csv", rows_of(ASIA, 500)), "-o", output, "--json")
    assert said.code == 130
    assert said.err == f"{output}: interrupted; this is the best graph so far.\n"
    arrows = sum(map(len, load(output).graph.parents.values()))
    assert json.loads(said.out)["arrows"] == arrows > 0


def test_work_without_a_known_end_is_told_on_a_terminal_when_it_takes_long(monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    err, deadline = io.StringIO(), time.monotonic() + 30
    with contextlib.redirect_stderr(err), progress.activity("reading") as say:
        say("climbing [bold]")
        while "climbing [bold]" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "climbing [bold]" in err.getvalue()


MISUSE = {
    "no such file": (["absent.csv"], "absent.csv: there is no such file; looked from the folder"),
    "missing cells": (
        ["gap.csv"],
        "gap.csv: data: column 'b' has 1 missing cells in 2 rows; a structure is learned fro",
    ),
    "a column twice": (["twice.csv"], "twice.csv:1: column 'a' is there twice; keep one."),
    "ragged": (["ragged.csv"], "ragged.csv:3: the row has 1 cells, expected 2 as in the header."),
    "no rows": (["empty.csv"], "empty.csv: there are no rows, expected a header and at least one."),
    "numbers": (
        ["numbers.csv"],
        "numbers.csv: column 'a' has 300 different labels in 300 rows, expected at most 256; leave it out, or cut ",
    ),
    "a nameless column": (["nameless.csv"], "nameless.csv:1: column 2 has no name; name it, or remove it if it counts"),
    "semicolons": (["german.csv"], "german.csv:1: the header is one cell 'a;b'; expected commas between the cells."),
    "an output of no known kind": (["rows.csv", "-o", "m.csv"], "m.csv: suffix '.csv' is not known; expected one of"),
    "alpha": (["rows.csv", "--method", "pc", "--alpha", "2"], "pc: alpha is 2.0, expected a number between 0 and 1"),
    "alpha elsewhere": (
        ["rows.csv", "--alpha", "0.1"],
        "pgm learn: --alpha goes with --method pc, not with hill-climb.",
    ),
    "parents elsewhere": (
        ["rows.csv", "--method", "pc", "--max-parents", "2"],
        "pgm learn: --max-parents goes with --method hill-climb, not with pc.",
    ),
    "a method": (["rows.csv", "--method", "magic"], "pgm learn: Invalid value for '--method': 'magic' is not one of"),
}
FILES = {
    "rows.csv": "a,b\n0,1\n1,0\n",
    "gap.csv": "a,b\n0,1\n1,\n",
    "twice.csv": "a,a\n0,1\n",
    "ragged.csv": "a,b\n0,1\n1\n",
    "empty.csv": "a,b\n",
    "numbers.csv": "a\n" + "\n".join(map(str, range(300))),
    "nameless.csv": "a,\n0,1\n",
    "german.csv": "a;b\n0;1\n",
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_is_one_line_on_stderr_and_exit_code_2(tmp_path, monkeypatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments, expected = MISUSE[what]
    said = call("learn", "-o", "m.bif", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(expected)
    assert said.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
