"""The UAI benchmark on instances made here, with answers by enumeration and some that are wrong on purpose."""

import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.uai import main, run
from pgm import MarkovNetwork, Model, Table, Variable
from pgm.io import Result, labelled, load, save, save_evidence, save_results
from pgm.testing import brute_log_z, brute_mpe, brute_posterior, random_case


def number(model: Model, states: dict[str, str]) -> dict[int, int]:
    place = {name: number for number, name in enumerate(model.graph.names)}
    return {place[name]: model[name].number(label) for name, label in states.items()}


def write_instance(path: pathlib.Path, model: Model, states: dict[str, str]) -> None:
    """A model, its evidence and the reference answers to all tasks."""
    save(model, path)
    save_evidence([number(model, states)], f"{path}.evid")
    marginals = [tuple(brute_posterior(model, v.name, given=states).tolist()) for v in model.variables]
    (best, _), *_ = brute_mpe(model, given=states)
    save_results([Result("PR", log10=brute_log_z(model, given=states) / math.log(10))], f"{path}.PR")
    save_results([Result("MAR", marginals=tuple(marginals))], f"{path}.MAR")
    save_results([Result("MAP", states=tuple(number(model, best).values()))], f"{path}.MAP")


@given(st.integers(0, 10**6), st.sampled_from(["markov", "chain"]))
@settings(max_examples=10)
def test_enumerated_answers_pass(tmp_path_factory, seed: int, kind: str) -> None:
    path = tmp_path_factory.mktemp("uai") / "random.uai"
    model, states, _ = random_case(seed, kind, most=5)
    write_instance(path, model, states)
    rows = [run(path, task, 1e-9) for task in ("PR", "MAR", "MAP")]
    assert [(row.instance, row.passed, row.reason) for row in rows] == [("random", True, "")] * 3


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """One instance of two variables, [[30, 5], [1, 10]], with b = 1 observed."""
    a, b = Variable("a"), Variable("b")
    net = MarkovNetwork(Table([a, b], [[30.0, 5.0], [1.0, 10.0]]))
    write_instance(tmp_path / "two.uai", net, {"b": "1"})
    return tmp_path


def rows_of(capsys, *arguments: object) -> tuple[int, dict[str, dict]]:
    code = main([*map(str, arguments), "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(list(row) == ["instance", "task", "passed", "error", "seconds", "reason"] for row in rows)
    return code, {row["task"]: row for row in rows}


def test_right_answers_leave_with_0(folder, capsys) -> None:
    code, rows = rows_of(capsys, folder)
    assert code == 0
    assert {task: row["passed"] for task, row in rows.items()} == {"PR": True, "MAR": True, "MAP": True}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Result("PR", log10=math.log10(15) + 0.25), 0.25),
        (Result("MAR", marginals=((0.25, 0.75), (0.0, 1.0))), 1 / 3 - 0.25),
    ],
)
def test_a_wrong_reference_is_a_miss_by_as_much(folder, capsys, wrong: Result, error: float) -> None:
    save_results([wrong], folder / f"two.uai.{wrong.task}")
    code, rows = rows_of(capsys, folder)
    missed = rows.pop(wrong.task)
    assert code == 1
    assert all(row["passed"] for row in rows.values())
    assert not missed["passed"]
    assert missed["error"] == pytest.approx(error, abs=1e-9)
    assert missed["reason"] == f"off by {error:.3g}, tolerance 0.001"


def test_an_assignment_that_falls_short_is_a_miss_and_a_tie_is_not(folder, capsys, monkeypatch) -> None:
    found = iter([(0, 1), (1, 1), (1, 0)])  # weights 5 and 10; the last denies the evidence
    monkeypatch.setattr("benchmarks.uai.answer", lambda *_: Result("MAP", states=next(found)))
    _, short = rows_of(capsys, folder, "--task", "MAP")
    _, best = rows_of(capsys, folder, "--task", "MAP")
    _, denied = rows_of(capsys, folder, "--task", "MAP")
    assert short["MAP"]["error"] == pytest.approx(math.log10(10 / 5), abs=1e-12)
    assert [each["MAP"]["passed"] for each in (short, best, denied)] == [False, True, False]
    assert denied["MAP"]["error"] is None


def test_a_reference_below_what_is_found_passes(folder, capsys) -> None:
    save_results([Result("MAP", states=(0, 1))], folder / "two.uai.MAP")
    assert rows_of(capsys, folder, "--task", "MAP")[1]["MAP"]["error"] == 0.0


def test_ties_pass_whichever_is_the_reference(tmp_path) -> None:
    a, b = Variable("a"), Variable("b")
    for reference in ((0, 1), (1, 0)):
        save(MarkovNetwork(Table([a, b], [[1.0, 7.0], [7.0, 1.0]])), tmp_path / "tie.uai")
        save_results([Result("MAP", states=reference)], tmp_path / "tie.uai.MAP")
        assert run(tmp_path / "tie.uai", "MAP", 1e-12).passed


@pytest.mark.parametrize(
    ("name", "text", "task", "reason"),
    [
        ("two.uai", "MARKOV 1", "PR", "two.uai:1: the numbers of states: expected 1 numbers, found 0"),
        ("two.uai.evid", "1 9 0", "PR", "evidence: there is no variable 9; the model has 2, counted from 0."),
        ("two.uai.PR", "MAR\n1 1 1\n", "PR", "the reference answers MAR, expected PR"),
        ("two.uai.PR", "PR\n2\n0.5\n0.5\n", "PR", "1 rows of evidence, but 2 reference answers"),
        ("two.uai.MAR", "MAR\n1 2 0.5 0.5\n", "MAR", "the reference has other numbers of variables or states"),
    ],
)
def test_what_goes_wrong_is_a_miss_with_its_reason(
    folder, capsys, name: str, text: str, task: str, reason: str
) -> None:
    (folder / name).write_text(text)
    code, rows = rows_of(capsys, folder, "--task", task)
    assert code == 1
    assert rows[task]["error"] is None
    assert reason in rows[task]["reason"]


def test_the_table_counts_passes_and_misses(folder, capsys) -> None:
    save_results([Result("PR", log10=0.0)], folder / "two.uai.PR")
    assert main([str(folder)]) == 1
    *rows, total = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in rows] == [
        ["two", "PR", "MISS"],
        ["two", "MAR", "pass"],
        ["two", "MAP", "pass"],
    ]
    assert total.startswith("2 passed, 1 missed, ")


def test_a_folder_without_instances_is_said_to_be_empty(tmp_path, capsys) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path}: no NAME.uai with a reference answer NAME.uai.PR\n"


def test_an_unknown_task_is_an_error(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--task", "PR,SUM"])
    assert "--task 'PR,SUM': expected some of PR, MAR, MAP" in capsys.readouterr().err


def test_references_are_matched_by_the_order_of_evidence(folder, capsys) -> None:
    model = load(folder / "two.uai")
    samples = [{0: 0}, {1: 1}, {}]
    save_evidence(samples, folder / "two.uai.evid")
    logs = [brute_log_z(model, given=labelled(model, each)) / np.log(10) for each in samples]
    save_results([Result("PR", log10=log) for log in logs], folder / "two.uai.PR")
    assert rows_of(capsys, folder, "--task", "PR")[1]["PR"]["passed"]
    save_results([Result("PR", log10=log) for log in logs[::-1]], folder / "two.uai.PR")
    assert rows_of(capsys, folder, "--task", "PR")[1]["PR"]["error"] == pytest.approx(logs[2] - logs[0], abs=1e-9)
