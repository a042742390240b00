"""Engines on the command line: each one by name, against exact answers within what it says of its own error."""

import contextlib
import csv
import io
import json
import pathlib
import warnings
from dataclasses import dataclass

import pytest

import pgm
from pgm import BayesianNetwork, MarkovNetwork, Table, Tabular, Variable, infer, load, mpe, save
from pgm.cli.engines import ANSWERS, EXPLAINS, SAMPLES
from pgm.cli.run import run
from pgm.errors import ConvergenceWarning

ASIA = str(pathlib.Path(__file__).parents[2] / "examples" / "data" / "asia.bif")
GIVEN = ["--given", "dysp=yes"]
EXACT = infer(load(ASIA), given={"dysp": "yes"})
BEST = mpe(load(ASIA), given={"dysp": "yes"})
DRAWING = {"gibbs": ["--samples", "2000", "--seed", "1"], "lw": ["--samples", "20000", "--seed", "1"]}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def call(*arguments: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def told(*arguments: object) -> dict:
    said = call(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


def test_every_name_is_an_engine() -> None:
    for choice in (*ANSWERS.values(), *EXPLAINS.values(), *SAMPLES.values()):
        assert choice.name in pgm.__all__


@pytest.fixture
def lawn(tmp_path: pathlib.Path) -> pathlib.Path:
    """A network without zeros, which chains cross freely."""
    rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
    net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
    save(net, tmp_path / "lawn.bif")
    return tmp_path / "lawn.bif"


@pytest.mark.parametrize("engine", ["lw", "gibbs"])
def test_engines_that_draw_are_within_five_of_their_standard_errors(engine: str, lawn: pathlib.Path) -> None:
    asked = ["query", lawn, "rain", "--likelihood", "wet=.3,.7", "--engine", engine, *DRAWING[engine]]
    found = told(*asked)
    error = found["standard_error"]["rain"]["yes"]
    assert 0 < error < 0.02
    assert abs(found["posterior"]["rain"]["yes"] - 0.124 / 0.396) < 5 * error
    assert found == told(*asked)
    printed = call(*asked).out
    assert f"{error:.4f}" in printed
    assert f"{found['engine']}: " in printed


def test_mini_buckets_print_bounds() -> None:
    found = told("query", ASIA, "lung", *GIVEN, "--engine", "minibucket")
    (low, high), _ = found["diagnostics"]["bounds"]["lung"]
    assert low - 1e-9 <= float(EXACT["lung", "yes"]) <= high + 1e-9
    assert found["diagnostics"]["log_evidence_upper"] == pytest.approx(float(EXACT.log_evidence))
    heading = call("query", ASIA, "lung", *GIVEN, "--engine", "minibucket").out.splitlines()[0]
    assert heading.split() == ["variable", "state", "probability", "least", "greatest"]


def test_exact_answers_say_nothing_of_errors() -> None:
    assert set(told("query", ASIA, "lung")) == {"log_evidence", "posterior"}
    assert told("query", ASIA, "lung", "--engine", "exact") == told("query", ASIA, "lung")


@pytest.mark.parametrize("engine", ["lbp", "trw", "meanfield", "minibucket", "auto"])
def test_rows_work_with_every_engine(engine: str, tmp_path: pathlib.Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("dysp\nyes\n\nno\n", encoding="utf-8")
    said = call("query", ASIA, "smoke", "--rows", rows, "--engine", engine)
    assert (said.code, said.err) == (0, "")
    found = [float(row["smoke=yes"]) for row in csv.DictReader(io.StringIO(said.out))]
    alone = [told("query", ASIA, "smoke", *given, "--engine", engine) for given in (GIVEN, [], ["--given", "dysp=no"])]
    assert found == pytest.approx([each["posterior"]["smoke"]["yes"] for each in alone], abs=1e-6)


@pytest.mark.parametrize("engine", ["dual", "icm", "annealing", "maxproduct", "auto"])
def test_explanations_have_a_bound_and_a_gap(engine: str) -> None:
    found = told("mpe", ASIA, *GIVEN, "--engine", engine)
    best = float(BEST.log_prob[0])
    (first,) = found["explanations"]
    assert first["log_prob"] <= best + 1e-9
    assert found["bound"] is None or found["bound"] >= best - 1e-9
    assert found["engine"] == EXPLAINS[engine].name
    printed = call("mpe", ASIA, *GIVEN, "--engine", engine)
    assert printed.code == 0
    assert "none above log p" in printed.out or "no bound" in printed.out


@pytest.mark.parametrize("engine", ["gibbs", "lw", "auto"])
def test_samples_of_any_engine_can_be_repeated(engine: str, lawn: pathlib.Path) -> None:
    asked = ["sample", lawn, "-n", 50, "--given", "wet=yes", "--seed", 3, "--engine", engine]
    said = call(*asked)
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert said == call(*asked)
    assert {row["wet"] for row in rows} == {"yes"}
    assert len(rows) == 50


def test_solve_takes_engines_of_its_task(tmp_path: pathlib.Path) -> None:
    a, b = Variable("a", 2), Variable("b", 3)
    path = tmp_path / "m.uai"
    save(MarkovNetwork(Table([a, b], [[3, 1, 2], [1, 4, 1]])), path)
    assert told("solve", path, "--task", "PR", "--engine", "minibucket")["results"] == [
        {"log10": pytest.approx(told("solve", path, "--task", "PR")["results"][0]["log10"])}
    ]
    assert told("solve", path, "--task", "MAP", "--engine", "dual")["results"] == [{"states": [1, 1]}]


def test_warnings_of_convergence_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def warned(*arguments: object, **options: object) -> object:
        for _ in range(2):
            warnings.warn("LoopyBP: 1 of 1 rows\nhas not settled", ConvergenceWarning, stacklevel=1)
        return infer(*arguments, **options)

    monkeypatch.setattr("pgm.cli.query.infer", warned)
    assert call("query", ASIA, "lung").err == "warning: LoopyBP: 1 of 1 rows has not settled\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["query", ASIA, "--samples", "9"], "pgm query: --samples is for --engine gibbs or lw, not exact."),
        (
            ["query", ASIA, "--engine", "lw", "--memory", "1GB"],
            "pgm query: --memory is for --engine exact, minibucket or auto, not lw.",
        ),
        (
            ["query", ASIA, "--engine", "lbp", "--jeffrey", "dysp=.5,.5"],
            "pgm query: --jeffrey is for --engine exact, not lbp.",
        ),
        (["mpe", ASIA, "--engine", "gibbs"], "pgm mpe: Invalid value for '--engine': 'gibbs' is not one of"),
        (["mpe", ASIA, "--engine", "dual", "-k", "2"], "DualDecomposition: k is 2; it finds one explanation."),
        (
            ["solve", "m.uai", "--task", "MAP", "--engine", "lw"],
            "pgm solve: --engine lw does not answer that; use exact, dual, icm, annealing, maxproduct, toulbar2 or",
        ),
        (["sample", ASIA, "--engine", "lw", "--seconds", "1"], "pgm sample: --seconds is for --engine exact or auto"),
    ],
)
def test_combinations_that_mean_nothing_are_one_line(arguments: list[str], expected: str) -> None:
    said = call(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(expected)
    assert said.err.count("\n") == 1
