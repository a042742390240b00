"""`pgm fit` against counting by hand and the Python API; misuse, one line at a time."""

import contextlib
import csv
import io
import json
import pathlib
from dataclasses import dataclass

import pytest
import torch

import pgm.cli.fit
from pgm import Dirichlet, fit, load, sample
from pgm.cli.run import run
from pgm.learn.fitted import Fitted

ASIA = pathlib.Path(__file__).parents[2] / "examples" / "data" / "asia.bif"


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


def written(path: pathlib.Path, holes: bool) -> dict[str, list[str]]:
    """200 rows drawn from asia in a file, with every seventh cell empty or none; the same as a mapping."""
    drawn = sample(load(ASIA), 200, seed=0)
    columns = {name: drawn.labels(name) for name in drawn}
    for place, name in enumerate(columns):
        columns[name] = ["" if holes and (row + place) % 7 == 0 else cell for row, cell in enumerate(columns[name])]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return columns


def test_tables_are_relative_counts(tmp_path: pathlib.Path) -> None:
    columns = written(tmp_path / "rows.csv", holes=False)
    before = ASIA.read_bytes()
    said = call("fit", ASIA, tmp_path / "rows.csv", "-o", tmp_path / "out.bif", "--prior", 1)
    assert (said.code, said.err) == (0, "")
    smoke = columns["smoke"]
    seen = [smoke.count(state) + 1 for state in ("yes", "no")]
    expected = torch.tensor(seen, dtype=torch.float64) / 202
    found = load(tmp_path / "out.bif").conditionals["smoke"].table
    order = [load(ASIA)["smoke"].number(s) for s in ("yes", "no")]
    torch.testing.assert_close(found[order], expected)
    assert ASIA.read_bytes() == before


def test_holes_are_filled_as_in_python(tmp_path: pathlib.Path) -> None:
    columns = written(tmp_path / "rows.csv", holes=True)
    options = ["--prior", 0.5, "--iterations", 40, "--tolerance", 1e-6, "--json"]
    said = call("fit", ASIA, tmp_path / "rows.csv", "-o", tmp_path / "out.bif.gz", *options)
    assert (said.code, said.err) == (0, "")
    expected = fit(load(ASIA), columns, prior=Dirichlet(0.5), iterations=40, tolerance=1e-6)
    told = json.loads(said.out)
    assert told["log_likelihood"] == pytest.approx(expected.log_likelihood, rel=1e-12)
    assert (told["rows"], told["iterations"], told["kept"]) == (200, expected.iterations, [])
    found = load(tmp_path / "out.bif.gz")
    for name, conditional in expected.model.conditionals.items():
        torch.testing.assert_close(found.conditionals[name].table, conditional.table)


def test_unknown_labels_and_columns_are_named(tmp_path: pathlib.Path) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out.bif"
    rows.write_text("smoke,weather\nyes,fine\n")
    said = call("fit", ASIA, rows, "-o", out)
    assert said.code == 2
    assert said.err.startswith(f"{rows}:1: column 'weather' is not a variable; there are 'asia', 'tub'")
    assert said.err.endswith("Remove it.\n")
    rows.write_text("smoke\nyes\nmaybe\n")
    said = call("fit", ASIA, rows, "-o", out)
    assert (said.code, said.err) == (2, f"{rows}:3: 'smoke' is 'maybe'; its states are 'yes', 'no'.\n")
    rows.write_text("smoke;lung\nyes;no\n")
    said = call("fit", ASIA, rows, "-o", out)
    assert (said.code, said.err) == (
        2,
        f"{rows}:1: the header is one cell 'smoke;lung'; expected commas between the cells.\n",
    )
    rows.write_text("smoke\n")
    said = call("fit", ASIA, rows, "-o", out)
    assert (said.code, said.err) == (2, f"{rows}: there are no rows, expected a header and at least one.\n")
    assert not out.exists()


def test_the_model_file_is_not_overwritten(tmp_path: pathlib.Path) -> None:
    model, rows = tmp_path / "model.bif", tmp_path / "rows.csv"
    model.write_bytes(ASIA.read_bytes())
    written(rows, holes=False)
    said = call("fit", model, rows, "-o", model)
    expected = f"{model}: is the model that is read, expected another file to write.\n"
    assert (said.code, said.err) == (2, expected)
    assert model.read_bytes() == ASIA.read_bytes()


def test_what_can_not_be_written_is_said_before_the_work(tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.setattr(pgm.cli.fit, "fit_model", None)  # calling it would be another error
    written(tmp_path / "rows.csv", holes=True)
    absent, folder = tmp_path / "absent" / "out.bif", tmp_path / "out.bif"
    folder.mkdir()
    for output, why in ((absent, "can not be written (No such file"), (folder, "is a folder, expected the name of a")):
        said = call("fit", ASIA, tmp_path / "rows.csv", "-o", output)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"{output}: {why}")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "out.bif"}


def test_an_interruption_keeps_the_tables_so_far(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "rows.csv", holes=True)

    def interrupted(*arguments: object, **options: object) -> Fitted:
        return Fitted(load(ASIA), -1.0, (-1.0,), converged=False, stopped="interrupted")

    monkeypatch.setattr(pgm.cli.fit, "fit_model", interrupted)
    said = call("fit", ASIA, tmp_path / "rows.csv", "-o", tmp_path / "out.bif")
    assert said.code == 130
    assert "interrupted; these are the best tables so far." in said.err
    assert load(tmp_path / "out.bif").graph == load(ASIA).graph
