"""`pgm fit`: the tables of a model file from rows, some of whose cells may be empty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from ..errors import FileError
from ..io import save
from ..learn.fit import fit as fit_model
from ..learn.fitted import Fitted
from ..learn.priors import Dirichlet
from .files import load_model, require_model_file
from .progress import INTERRUPTED, activity
from .show import count, decimals, print_json
from .table import read_rows


def fit(
    file: Path,
    rows: Path,
    output: Path,
    prior: float,
    restarts: int,
    iterations: int,
    tolerance: float,
    seed: int,
    json: bool,
) -> None:
    """Fit the tables and save the model; an interruption keeps the best tables so far."""
    if output.exists() and output.samefile(file):
        raise FileError(f"{output}: is the model that is read, expected another file to write.")
    require_model_file(output)
    model = load_model(file)
    table = read_rows(rows, model, None)
    if not table.rows:
        raise FileError(f"{rows}: there are no rows, expected a header and at least one.")
    with activity(f"EM: {count(table.rows, 'row')}") as say:
        found = fit_model(
            model,
            table.states,
            prior=Dirichlet(prior),
            restarts=restarts,
            iterations=iterations,
            tolerance=tolerance,
            seed=seed,
            progress=_steps(say),
        )
    save(found.model, output)
    _report(found, output, table.rows, json)
    if found.stopped:
        print(f"{output}: interrupted; these are the best tables so far.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


def _steps(say: Callable[[str], None]) -> Callable[[int, float], None]:
    return lambda steps, best: say(f"EM: {count(steps, 'iteration')}, best {best:,.2f}")


def _report(found: Fitted, output: Path, rows: int, json: bool) -> None:
    if json:
        how = {"iterations": found.iterations, "converged": found.converged, "kept": list(found.kept)}
        print_json({"output": str(output), "rows": rows, "log_likelihood": found.log_likelihood, **how})
        return
    end = "" if found.converged else ", not converged"
    steps = count(found.iterations, "iteration")
    print(f"{output}: {count(rows, 'row')}, log-likelihood {decimals(found.log_likelihood)}, {steps}{end}")
