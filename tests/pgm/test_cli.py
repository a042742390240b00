"""The command line against enumeration, the Python API and published counts; misuse, one line at a time."""

import contextlib
import csv
import gzip
import io
import itertools
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm.cli.query
import pgm.cli.rows
from pgm import BayesianNetwork, Exact, MarkovNetwork, Model, PlanError, Table, Tabular, Variable, plan_for, sample
from pgm.cli import progress
from pgm.cli.options import known, names_in, size
from pgm.cli.run import run
from pgm.io import load, load_results, save, save_evidence
from pgm.testing import brute_log_z, brute_mpe, brute_posterior, random_case

DATA = pathlib.Path(__file__).parents[2] / "examples" / "data"
ASIA, ALARM = str(DATA / "asia.bif"), str(DATA / "alarm.bif")
SEEDS = st.integers(0, 10**6)
VIEWS = ["directed", "moral", "factor", "junction"]


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
    """The one JSON object that a command prints when nothing goes wrong."""
    said = call(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    return json.loads(said.out)


def given_options(states: dict[str, str]) -> list[str]:
    return [word for name, state in states.items() for word in ("--given", f"{name}={state}")]


def likelihood_options(vectors: dict[str, list[float]]) -> list[str]:
    return [word for name, p in vectors.items() for word in ("--likelihood", f"{name}={','.join(map(repr, p))}")]


@contextlib.contextmanager
def saved(seed: int, kind: str):
    """A random model written to a file and read back, with evidence in the names that the file gives."""
    model, states, vectors = random_case(seed, kind, most=5)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / ("model.bif" if kind == "bayesian" else "model.uai")
        save(model, path)
        again = load(path)
        new = dict(zip(model.graph.names, again.variables, strict=True))
        states = {new[name].name: new[name].states[model[name].number(label)] for name, label in states.items()}
        yield path, again, states, {new[name].name: p for name, p in vectors.items()}


def read_csv(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@given(SEEDS, st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=5)
def test_query_equals_enumeration(seed: int, kind: str) -> None:
    with saved(seed, kind) as (path, model, states, vectors):
        answer = told("query", path, *given_options(states), *likelihood_options(vectors))
    assert set(answer) == {"log_evidence", "posterior"}
    assert list(answer["posterior"]) == list(model.graph.names)
    assert answer["log_evidence"] == pytest.approx(brute_log_z(model, given=states, likelihood=vectors), abs=1e-9)
    for v in model.variables:
        expected = brute_posterior(model, v.name, given=states, likelihood=vectors)
        assert list(answer["posterior"][v.name]) == list(v.states)
        assert list(answer["posterior"][v.name].values()) == pytest.approx(expected, abs=1e-9)


def test_jeffrey_is_a_mixture_of_the_posteriors_given_each_state() -> None:
    answer = told("query", ASIA, "lung", "either", "--given", "smoke=yes", "--jeffrey", "xray=.3,.7")["posterior"]
    model = load(ASIA)
    for name in ("lung", "either"):
        parts = [brute_posterior(model, name, given={"smoke": "yes", "xray": state}) for state in ("yes", "no")]
        assert list(answer[name].values()) == pytest.approx(0.3 * parts[0] + 0.7 * parts[1], abs=1e-9)


def test_targets_may_be_listed_one_by_one_or_with_commas() -> None:
    one, two = told("query", ASIA, "tub", "lung"), told("query", ASIA, "tub,lung")
    assert one == two
    assert list(one["posterior"]) == ["tub", "lung"]


def test_query_prints_every_probability_with_four_decimals_within_the_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = call("query", ALARM, "--given", "HRBP=HIGH").out.splitlines()
    assert max(map(len, lines)) <= 60
    model = load(ALARM)
    shown = [float(number) for line in lines[1:-1] for number in re.findall(r" (\d\.\d{4}) ", line)]
    expected = told("query", ALARM, "--given", "HRBP=HIGH")
    flat = [p for v in model.graph.names for p in expected["posterior"][v].values()]
    assert shown == [float(f"{p:.4f}") for p in flat]
    assert lines[-1] == f"log evidence {expected['log_evidence']:.4f}"
    assert call("query", ALARM, "HR").out.endswith("\nlog evidence 0.0000\n")


@given(SEEDS, st.data())
@settings(max_examples=5)
def test_rows_with_missing_cells_equal_enumeration_row_by_row(seed: int, data: st.DataObject) -> None:
    with saved(seed, "bayesian") as (path, model, _, _):
        columns = model.variables[: data.draw(st.integers(1, len(model.variables)))]
        cells = [st.sampled_from(["", *v.states]) for v in columns]
        rows = data.draw(st.lists(st.tuples(*cells), max_size=9))
        source, output = path.with_name("rows.csv"), path.with_name("answers.csv")
        with source.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([[v.name for v in columns], *rows])
        said = call("query", path, "--rows", source, "-o", output)
        found = read_csv(output)
    assert said.code == 0
    assert len(found) == len(rows)
    for answer, row in zip(found, rows, strict=True):
        states = {v.name: label for v, label in zip(columns, row, strict=True) if label}
        numbers = {name: float(cell or "nan") for name, cell in answer.items()}
        assert numbers == pytest.approx(enumerated(model, states), abs=1e-9, nan_ok=True)


def enumerated(model: Model, states: dict[str, str]) -> dict[str, float]:
    """A row of answers by enumeration, NaN throughout where the evidence is impossible."""
    row = {}
    for v in model.variables:
        row |= {
            f"{v.name}={state}": p
            for state, p in zip(v.states, brute_posterior(model, v.name, given=states), strict=True)
        }
    log_z = brute_log_z(model, given=states)
    return {**row, "log_evidence": log_z if log_z > -math.inf else math.nan}


def write(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_of_probability_zero_are_empty_and_counted(tmp_path) -> None:
    source = write(tmp_path / "rows.csv", "either,lung\nno,yes\nno,no\nno,yes\n")
    said = call("query", ASIA, "dysp", "--rows", source)
    header, first, possible, last = said.out.splitlines()
    assert (header, first, last) == ("dysp=yes,dysp=no,log_evidence", ",,", ",,")
    assert [float(cell) for cell in possible.split(",")[:2]] == pytest.approx(
        brute_posterior(load(ASIA), "dysp", given={"either": "no"}), abs=1e-9
    )
    assert said.err == "pgm query: 2 rows of probability 0, left empty.\n"


def test_rows_as_json_are_the_columns_of_the_csv(tmp_path) -> None:
    source = write(tmp_path / "rows.csv", "id,either,lung\na,no,yes\nb,no,no\nc,,\n")
    output = tmp_path / "answers.csv"
    said = call("query", ASIA, "dysp", "--rows", source, "--keep", "--json")
    call("query", ASIA, "dysp", "--rows", source, "--keep", "-o", output)
    answer, rows = json.loads(said.out), read_csv(output)
    assert answer["kept"] == {"id": ["a", "b", "c"]} == {"id": [row["id"] for row in rows]}
    assert answer["log_evidence"] == [float(row["log_evidence"]) if row["log_evidence"] else None for row in rows]
    for state, column in answer["posterior"]["dysp"].items():
        assert column == [float(row[f"dysp={state}"]) if row[f"dysp={state}"] else None for row in rows]


def test_rows_with_evidence_for_all_of_them_equal_rows_that_repeat_it(tmp_path) -> None:
    short = write(tmp_path / "short.csv", "xray\nyes\nno\n")
    long = write(tmp_path / "long.csv", "xray,smoke\nyes,no\nno,no\n")
    weights = ["--likelihood", "bronc=.2,.9"]
    assert told("query", ASIA, "--rows", short, "--given", "smoke=no", *weights) == told(
        "query", ASIA, "--rows", long, *weights
    )


def test_rows_may_be_zipped_quoted_spaced_and_from_a_spreadsheet(tmp_path) -> None:
    plain = write(tmp_path / "plain.csv", "xray,smoke\nyes,no\n,yes\n")
    odd = write(tmp_path / "odd.csv", '\ufeff"xray", smoke\r\n"yes",no \r\n\r\n,"yes"\r\n')
    zipped, unzipped = tmp_path / "answers.csv.gz", tmp_path / "answers.csv"
    call("query", ASIA, "--rows", odd, "-o", zipped)
    call("query", ASIA, "--rows", plain, "-o", unzipped)
    assert gzip.decompress(zipped.read_bytes()) == unzipped.read_bytes()


def test_blank_lines_of_a_single_column_are_missing(tmp_path) -> None:
    source = write(tmp_path / "rows.csv", "xray\nyes\n\nno\n")
    assert told("query", ASIA, "--rows", source)["log_evidence"][1] == pytest.approx(0, abs=1e-12)


def test_an_empty_file_of_rows_gives_the_header(tmp_path) -> None:
    source = write(tmp_path / "rows.csv", "xray\n")
    assert call("query", ASIA, "tub", "--rows", source).out == "tub=yes,tub=no,log_evidence\n"
    assert told("query", ASIA, "tub", "--rows", source) == {
        "log_evidence": [],
        "posterior": {"tub": {"yes": [], "no": []}},
    }


def test_batches_of_any_size_give_the_same_answers(tmp_path, monkeypatch) -> None:
    source = tmp_path / "rows.csv"
    call("sample", ASIA, "-n", 50, "--seed", 3, "-o", source)
    whole = told("query", ASIA, "--rows", source)
    monkeypatch.setattr(pgm.cli.rows, "FIRST", 7)
    monkeypatch.setattr(pgm.cli.rows, "LARGEST", 7)
    parts = told("query", ASIA, "--rows", source)
    assert parts["log_evidence"] == pytest.approx(whole["log_evidence"], abs=1e-12)
    assert parts["posterior"]["lung"]["yes"] == pytest.approx(whole["posterior"]["lung"]["yes"], abs=1e-12)


def interrupt_after(monkeypatch, batches: int) -> None:
    """Let so many batches be answered, then press Ctrl-C."""
    infer, calls = pgm.cli.rows.infer, itertools.count()

    def interrupted(*arguments, **options):
        if next(calls) == batches:
            raise KeyboardInterrupt
        return infer(*arguments, **options)

    monkeypatch.setattr(pgm.cli.rows, "FIRST", 4)
    monkeypatch.setattr(pgm.cli.rows, "LARGEST", 4)
    monkeypatch.setattr(pgm.cli.rows, "infer", interrupted)


def test_an_interruption_keeps_the_rows_answered_so_far(tmp_path, monkeypatch) -> None:
    source, whole, part = (tmp_path / name for name in ("rows.csv", "whole.csv", "part.csv"))
    call("sample", ASIA, "-n", 20, "--seed", 3, "-o", source)
    call("query", ASIA, "--rows", source, "-o", whole)
    interrupt_after(monkeypatch, 3)
    said = call("query", ASIA, "--rows", source, "-o", part)
    assert said.code == 130
    assert said.err == f"{part}: interrupted after 12 of 20 rows; those are kept.\n"
    assert len(read_csv(part)) == 12
    for found, expected in zip(read_csv(part), read_csv(whole), strict=False):
        assert {k: float(v) for k, v in found.items()} == pytest.approx({k: float(v) for k, v in expected.items()})
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_json_answer_is_still_one_object(tmp_path, monkeypatch) -> None:
    source = write(tmp_path / "rows.csv", "id,xray\n" + "a,yes\n" * 10)
    interrupt_after(monkeypatch, 1)
    said = call("query", ASIA, "tub", "--rows", source, "--keep", "--json")
    answer = json.loads(said.out)
    assert said.code == 130
    assert [len(answer["log_evidence"]), len(answer["posterior"]["tub"]["no"]), len(answer["kept"]["id"])] == [4, 4, 4]


def test_an_interruption_before_any_row_leaves_a_header(tmp_path, monkeypatch) -> None:
    source = write(tmp_path / "rows.csv", "xray\nyes\n")
    interrupt_after(monkeypatch, 0)
    said = call("query", ASIA, "tub", "--rows", source)
    assert (said.code, said.out) == (130, "tub=yes,tub=no,log_evidence\n")
    assert said.err == "pgm query: interrupted after 0 of 1 row; those are kept.\n"


def test_progress_shows_when_it_takes_long_on_a_terminal(monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    err, deadline = io.StringIO(), time.monotonic() + 30
    with contextlib.redirect_stderr(err), progress.progress(10) as advance:
        advance(7)
        while "7/10" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "7/10" in err.getvalue()


def test_progress_is_silent_when_piped_or_quick(monkeypatch) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), progress.progress(10) as advance:
        advance(10)
    assert err.getvalue() == ""


@given(SEEDS, st.sampled_from(["bayesian", "markov"]), st.integers(1, 4))
@settings(max_examples=6)
def test_mpe_equals_enumeration(seed: int, kind: str, k: int) -> None:
    with saved(seed, kind) as (path, model, states, vectors):
        answer = told("mpe", path, "-k", k, *given_options(states), *likelihood_options(vectors))
    log_z = brute_log_z(model, given=states, likelihood=vectors)
    expected = [weight for _, weight in brute_mpe(model, given=states, likelihood=vectors, k=k)]
    assert answer["log_evidence"] == pytest.approx(log_z, abs=1e-9)
    assert [each["log_prob"] for each in answer["explanations"]] == pytest.approx(expected, abs=1e-9)
    for each in answer["explanations"]:
        reached = brute_log_z(model, given={**each["assignment"], **states}, likelihood=vectors)
        assert each["log_prob"] == pytest.approx(reached, abs=1e-9)
        assert each["probability"] == pytest.approx(math.exp(reached - log_z), rel=1e-6)


def test_mpe_of_some_sums_out_the_rest() -> None:
    (best,) = told("mpe", ASIA, "--given", "xray=yes", "--targets", "smoke,lung")["explanations"]
    ((labels, weight),) = brute_mpe(load(ASIA), ["smoke", "lung"], given={"xray": "yes"})
    assert best["assignment"] == labels
    assert best["log_prob"] == pytest.approx(weight, abs=1e-9)


def test_mpe_prints_as_many_beside_each_other_as_fit(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    lines = call("mpe", ASIA, "--given", "xray=yes", "-k", 5).out.splitlines()
    found = told("mpe", ASIA, "--given", "xray=yes", "-k", 5)["explanations"]
    assert max(map(len, lines)) <= 50
    ranks = [word for line in lines if line.startswith("variable") for word in line.split()[1:]]
    smoke = [word for line in lines if line.startswith("smoke") for word in line.split()[1:]]
    assert ranks == ["#1", "#2", "#3", "#4", "#5"]
    assert smoke == [each["assignment"]["smoke"] for each in found]


def test_mpe_says_when_there_are_fewer_than_asked_for(tmp_path) -> None:
    save(BayesianNetwork(Tabular(Variable("coin"), [], [0.0, 1.0])), tmp_path / "coin.bif")
    said = call("mpe", tmp_path / "coin.bif", "-k", 2)
    assert said.out.endswith("; only 1 explanation has positive probability\n")


def test_samples_are_those_of_the_api(tmp_path) -> None:
    drawn = sample(load(ASIA), 40, given={"xray": "yes"}, likelihood={"smoke": [0.2, 0.8]}, seed=7)
    command = ["sample", ASIA, "-n", 40, "--given", "xray=yes", "--likelihood", "smoke=.2,.8", "--seed", 7]
    call(*command, "-o", tmp_path / "rows.csv")
    rows = read_csv(tmp_path / "rows.csv")
    expected = {v.name: drawn.labels(v.name) for v in drawn.variables}
    assert {name: [row[name] for row in rows] for name in rows[0]} == expected
    assert told(*command) == {"n": 40, "samples": expected}
    assert call(*command).out == (tmp_path / "rows.csv").read_text()


@pytest.mark.parametrize(
    ("path", "counts"),
    # Published with the networks: nodes, arcs, parameters (bnlearn's repository); treewidth of ALARM 4, of ASIA 2.
    [(ASIA, (8, 8, 18, 2)), (ALARM, (37, 46, 509, 4))],
)
def test_info_counts_what_is_published(path: str, counts: tuple[int, int, int, int]) -> None:
    facts = told("info", path)
    bounds = facts["treewidth"]
    assert (len(facts["variables"]), facts["arrows"], facts["parameters"], bounds["upper"]) == counts
    assert bounds["lower"] <= counts[3]


def test_info_prints_states_parents_and_the_plan(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = call("info", ASIA).out
    model = load(ASIA)
    assert max(map(len, out.splitlines())) <= 60
    assert re.search(r"^dysp +yes, no +bronc, either *$", out, re.MULTILINE)
    assert out.endswith(f"{plan_for(model)}\n")


def test_info_lists_large_models_only_when_asked_to(tmp_path) -> None:
    coins = [Tabular(Variable(f"coin{i}"), [], [0.5, 0.5]) for i in range(51)]
    save(BayesianNetwork(*coins), tmp_path / "coins.bif")
    assert "51 variables; --all lists them." in call("info", tmp_path / "coins.bif").out
    assert len(re.findall(r"^coin\d+ ", call("info", tmp_path / "coins.bif", "--all").out, re.MULTILINE)) == 51


@pytest.fixture
def beyond(tmp_path) -> pathlib.Path:
    """A model in which each of 50 variables touches every other: 2^50 joint states whatever the order."""
    spins = [Variable(f"s{i}") for i in range(50)]
    pairs = itertools.combinations(spins, 2)
    save(MarkovNetwork(*(Table(list(pair), [[1.0, 2.0], [2.0, 1.0]]) for pair in pairs)), tmp_path / "beyond.uai")
    return tmp_path / "beyond.uai"


def test_info_says_what_is_beyond_the_limits(beyond) -> None:
    facts = told("info", beyond)
    assert (facts["plan"], facts["treewidth"]["upper"]) == (None, 49)
    assert facts["refusal"].startswith("plan: would take ")


def test_limits_reach_the_engine(monkeypatch) -> None:
    infer, seen = pgm.cli.query.infer, []

    def watched(*arguments, **options):
        seen.append(options["engine"])
        return infer(*arguments, **options)

    monkeypatch.setattr("pgm.cli.query.infer", watched)
    call("query", ASIA, "--memory", "512MiB", "--seconds", "0.5")
    assert seen == [Exact(memory=512 * 2**20, seconds=0.5)]


@pytest.mark.parametrize("text", ["", "0", "-1", "4 GX", "4iB", "GB", "1e9"])
def test_sizes_of_memory_that_are_none(text: str) -> None:
    with pytest.raises(PlanError, match="expected a size above 0, such as 4GB or 512MiB"):
        size(text)


def test_a_question_beyond_the_limits_is_refused_and_leaves_the_old_file(beyond, tmp_path) -> None:
    rows, old = write(tmp_path / "rows.csv", "x0\n1\n"), write(tmp_path / "old.csv", "precious")
    said = call("query", beyond, "--rows", rows, "-o", old)
    assert (said.code, said.out, old.read_text()) == (2, "", "precious")
    assert said.err.startswith("plan: would take ")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("view", VIEWS)
def test_plot_draws_every_view(tmp_path, view: str) -> None:
    said = call("plot", ASIA, "-o", tmp_path / "asia.svg", "--view", view, "--given", "xray=yes")
    drawn = ElementTree.parse(tmp_path / "asia.svg").getroot()
    text = " ".join(drawn.itertext())
    assert said.code == 0
    assert said.out.startswith(f"{tmp_path / 'asia.svg'}: {view} view, ")
    assert all(name in text for name in load(ASIA).graph.names)


def test_plot_shows_the_probabilities_of_the_answer(tmp_path) -> None:
    for name, options in (("plain", []), ("bars", ["--posterior"]), ("given", ["--given", "smoke=no"])):
        assert told("plot", ASIA, "-o", tmp_path / f"{name}.dot", *options)["nodes"] == 8
    plain, bars, seen = ((tmp_path / f"{name}.dot").read_text() for name in ("plain", "bars", "given"))
    assert "yes" not in plain
    assert "yes" in bars
    assert seen != bars


@pytest.mark.parametrize("suffix", [".bif", ".xml", ".net.gz", ".uai"])
def test_convert_keeps_every_number(tmp_path, suffix: str) -> None:
    answer = told("convert", ALARM, tmp_path / f"alarm{suffix}")
    before, after = load(ALARM), load(tmp_path / f"alarm{suffix}")
    assert answer == {"input": ALARM, "output": str(tmp_path / f"alarm{suffix}"), "variables": 37}
    for one, two in zip(before.factors(), after.factors(), strict=True):
        assert torch.equal(one.values, two.values)


@given(SEEDS, st.sampled_from(["markov", "chain"]))
@settings(max_examples=5)
def test_solve_equals_enumeration(seed: int, kind: str) -> None:
    with saved(seed, kind) as (path, model, states, _):
        number = {name: place for place, name in enumerate(model.graph.names)}
        observed = {number[name]: model[name].number(label) for name, label in states.items()}
        save_evidence([observed, {}], path.with_name("model.uai.evid"))
        results = {}
        for task in ("PR", "MAR", "MAP"):
            assert call("solve", path, "--task", task, "-o", path.with_name(task)).code == 0
            results[task] = load_results(path.with_name(task))
            assert call("solve", path, "--task", task).out == path.with_name(task).read_text()
    for place, seen in enumerate([states, {}]):
        log_z = brute_log_z(model, given=seen)
        assert results["PR"][place].log10 == pytest.approx(log_z / math.log(10), abs=1e-9)
        for v, found in zip(model.variables, results["MAR"][place].marginals, strict=True):
            assert found == pytest.approx(brute_posterior(model, v.name, given=seen), abs=1e-9)
        pairs = zip(model.variables, results["MAP"][place].states, strict=True)
        reached = brute_log_z(model, given={v.name: v.states[state] for v, state in pairs})
        assert reached == pytest.approx(brute_mpe(model, given=seen)[0][1], abs=1e-9)


def test_solve_takes_named_evidence_before_that_beside_the_model(tmp_path) -> None:
    call("convert", ASIA, tmp_path / "asia.uai")
    save_evidence([{0: 0}], tmp_path / "asia.uai.evid")
    save_evidence([{2: 1}], tmp_path / "other.evid")
    beside = told("solve", tmp_path / "asia.uai", "--task", "PR")
    named = told("solve", tmp_path / "asia.uai", tmp_path / "other.evid", "--task", "PR")
    assert beside["results"][0]["log10"] == pytest.approx(-2, abs=1e-9)  # p(visit to Asia) = 0.01
    assert named["results"][0]["log10"] == pytest.approx(math.log10(0.5), abs=1e-9)  # p(no smoker) = 0.5


def test_impossible_evidence_has_no_logarithm_in_json(tmp_path) -> None:
    save(BayesianNetwork(Tabular(Variable("coin"), [], [0.0, 1.0])), tmp_path / "coin.uai")
    save_evidence([{0: 0}], tmp_path / "coin.uai.evid")
    assert told("solve", tmp_path / "coin.uai", "--task", "PR")["results"] == [{"log10": None}]
    assert call("solve", tmp_path / "coin.uai", "--task", "PR").out == "PR\n-inf\n"


def test_names_may_hold_commas_and_equals_signs(tmp_path) -> None:
    odd = [Variable("a,b", ["x=1", "y,z"]), Variable("a", ["no", "yes"]), Variable("a=no", ["[b]", "p"])]
    net = BayesianNetwork(*(Tabular(v, [], [0.25, 0.75]) for v in odd))
    save(net, tmp_path / "odd.bif")
    answer = told("query", tmp_path / "odd.bif", "a,b,a", "--given", "a,b=x=1", "--given", "a=no=p")["posterior"]
    assert answer == {"a,b": {"x=1": 1.0, "y,z": 0.0}, "a": {"no": 0.25, "yes": 0.75}}
    assert names_in(net, ["a=no,a,b"]) == ["a=no", "a,b"]
    assert known(net, ["a=yes"]).given == {"a": "yes"}
    assert "[b]" in call("query", tmp_path / "odd.bif").out


MISUSE = {
    "a file that is not there": (["query", "nowhere.bif"], "nowhere.bif: there is no such file"),
    "a folder": (["info", "folder.bif"], "folder.bif: can not be read (Is a directory)"),
    "an unknown suffix": (["info", "rows.csv"], "rows.csv: suffix '.csv' is not known"),
    "an unknown command": (["frobnicate"], "pgm: No such command 'frobnicate'."),
    "an unknown option": (["query", ASIA, "--gvien", "a=b"], "pgm query: No such option: --gvien"),
    "no file": (["query"], "pgm query: Missing argument 'FILE'."),
    "an unknown target": (["query", ASIA, "lug"], "targets: 'lug' is not a variable; there are 'asia', 'tub'"),
    "an unknown variable": (["query", ASIA, "--given", "rain=no"], "--given: 'rain' is not a variable; there are"),
    "no equals sign": (["query", ASIA, "--given", "tub"], "--given 'tub': there is no '=', expected NAME=STATE."),
    "an unknown state": (
        ["query", ASIA, "--given", "tub=perhaps"],
        "infer: evidence for 'tub' is 'perhaps'; its states are 'yes', 'no'.",
    ),
    "two states": (
        ["query", ASIA, "--given", "tub=yes", "--given", "tub=no"],
        "--given: 'tub' is given as 'yes' and as 'no'; give one of them.",
    ),
    "a likelihood of text": (
        ["query", ASIA, "--likelihood", "tub=.2,x"],
        "--likelihood of 'tub': 'x' is not a number, expected one a state, separated by commas.",
    ),
    "a likelihood too short": (["mpe", ASIA, "--likelihood", "tub=.2"], "mpe: likelihood of 'tub' has shape (1,)"),
    "a soft state beyond 1": (
        ["query", ASIA, "--jeffrey", "tub=.5,.6"],
        "jeffrey: the distribution of 'tub' sums to 1.1",
    ),
    "impossible evidence": (
        ["query", ASIA, "--given", "lung=yes", "--given", "either=no"],
        "infer: the evidence {'lung': 'yes', 'either': 'no'} has probability 0",
    ),
    "memory that is no size": (["query", ASIA, "--memory", "much"], "--memory 'much': expected a size above 0"),
    "negative time": (["query", ASIA, "--seconds", "-1"], "pgm query: Invalid value for '--seconds'"),
    "no explanations": (["mpe", ASIA, "-k", "0"], "pgm mpe: Invalid value for '-k'"),
    "samples that are no number": (["sample", ASIA, "-n", "few"], "pgm sample: Invalid value for '-n'"),
    "no picture": (["plot", ASIA], "pgm plot: Missing option '-o' / '--output'."),
    "a picture of no kind": (["plot", ASIA, "-o", "a.bmp"], "plot: 'a.bmp' ends in '.bmp', expected one of .svg"),
    "an unknown view": (
        ["plot", ASIA, "-o", "a.svg", "--view", "top"],
        "pgm plot: Invalid value for '--view': 'top' is",
    ),
    "a format that is no format": (["convert", ASIA, "asia.doc"], "asia.doc: suffix '.doc' is not known"),
    "no folder to write in": (["convert", ASIA, "none/asia.bif"], "none/asia.bif: can not be written (No such file"),
    "an unknown task": (
        ["solve", "m.uai", "--task", "SUM"],
        "pgm solve: Invalid value for '--task': 'SUM' is not one of",
    ),
    "no task": (["solve", "m.uai"], "pgm solve: Missing option '--task'."),
    "output without rows": (["query", ASIA, "-o", "a.csv"], "pgm query: --output is for --rows, which is not given."),
    "rows that are not there": (["query", ASIA, "--rows", "no.csv"], "no.csv: there is no such file"),
    "rows in a folder": (["query", ASIA, "--rows", "folder.bif"], "folder.bif: can not be read (Is a directory)"),
    "answers to a folder": (
        ["query", ASIA, "--rows", "rows.csv", "-o", "folder.bif"],
        "folder.bif: is a folder, expected the name of a file to write.",
    ),
    "a ragged row": (
        ["query", ASIA, "--rows", "ragged.csv"],
        "ragged.csv:3: the row has 1 cells, expected 2 as in the",
    ),
    "an unknown column": (
        ["query", ASIA, "--rows", "id.csv"],
        "id.csv:1: column 'id' is not a variable; there are 'asia', 'tub', 'smoke', 'lung', 'bronc', 'either', 'xray', "
        "'dysp'. Remove it, or use --keep to copy it.",
    ),
    "no column of evidence": (["query", ASIA, "--rows", "none.csv", "--keep"], "none.csv:1: no column is a variable"),
    "a column twice": (["query", ASIA, "--rows", "twice.csv"], "twice.csv:1: column 'tub' is there twice; keep one."),
    "an unknown state in a row": (
        ["query", ASIA, "--rows", "state.csv"],
        "state.csv:3: 'tub' is 'perhaps'; its states are 'yes', 'no'.",
    ),
    "a quote without end": (
        ["query", ASIA, "--rows", "quote.csv"],
        "quote.csv:2: unexpected end of data; expected CSV",
    ),
    "evidence twice": (
        ["query", ASIA, "--rows", "rows.csv", "--given", "tub=no"],
        "pgm query: 'tub' is a column of rows.csv and also given by an option; use one.",
    ),
    "an answer's name in use": (
        ["query", ASIA, "--rows", "clash.csv", "--keep"],
        "clash.csv: the answers would have two columns 'tub=yes'; rename one.",
    ),
}
FILES = {
    "rows.csv": "tub\nyes\n",
    "ragged.csv": "tub,lung\nyes,no\nyes\n",
    "id.csv": "id,tub\n1,yes\n",
    "none.csv": "id\n1\n",
    "twice.csv": "tub,tub\n",
    "state.csv": "tub\nno\nperhaps\n",
    "quote.csv": 'tub\n"yes\n',
    "clash.csv": "tub,tub=yes\nno,1\n",
    "m.uai": "MARKOV 0 0",
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_is_one_line_on_stderr_and_exit_code_2(tmp_path, monkeypatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.bif").mkdir()
    for name, text in FILES.items():
        write(tmp_path / name, text)
    arguments, expected = MISUSE[what]
    said = call(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith(expected)
    assert said.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "folder.bif"}


def test_what_nobody_foresaw_is_one_line_too(monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("pgm.cli.query.infer", broken)
    assert call("query", ASIA) == Said(2, "", "pgm query: RuntimeError: two lines\n")


def test_an_interrupted_question_leaves_with_130(monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pgm.cli.query.infer", interrupted)
    assert call("query", ASIA) == Said(130, "", "")


def test_nothing_asked_is_answered_with_help() -> None:
    assert call() == call("--help")


def test_a_readers_warning_is_one_line(tmp_path) -> None:
    text = "network n {}\nvariable a {type discrete [2] {x, y};}\nprobability (a) {table .495, .5;}\n"
    said = call("query", write(tmp_path / "a.bif", text), "--json")
    assert json.loads(said.out)["posterior"]["a"]["y"] == pytest.approx(0.5 / 0.995)
    assert said.err.startswith("warning: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", ASIA, "--rows", "rows.csv", "-o", "answers.csv"],
        ["sample", ASIA, "-o", "samples.csv"],
        ["solve", "asia.uai", "--task", "MAR", "-o", "asia.MAR"],
        ["plot", ASIA, "-o", "asia.dot"],
        ["convert", ASIA, "asia.net"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_write_say_where(tmp_path, monkeypatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rows.csv", FILES["rows.csv"])
    save(load(ASIA), "asia.uai")
    output = arguments[-1]
    assert told(*arguments)["output"] == output
    assert call(*arguments).out.startswith(f"{output}: ")
    assert pathlib.Path(output).stat().st_size > 0


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from pgm.cli.run import run; codes = [run(['--help']), run(['query', '-h']), run(['--version'])]; "
        "sys.exit(str([codes, [name for name in ('torch', 'numpy', 'rich.table', 'pgm.ask') if name in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=DATA.parents[1], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[[0, 0, 0], []]"
    assert all(f"\n  {name} " in done.stdout for name in ["info", "query", "mpe", "sample", "plot", "convert", "solve"])


def test_a_closed_pipe_ends_quietly() -> None:
    command = [sys.executable, "-m", "pgm.cli", "sample", ASIA, "-n", "10000"]
    with subprocess.Popen(command, cwd=DATA.parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
