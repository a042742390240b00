"""`pgm query`: posterior probabilities, for one row of evidence here, for a file of rows in `rows`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..ask import infer
from ..engines.engine import Engine
from ..errors import EvidenceError, PlanError
from ..model import Model
from ..posterior import Posterior
from ..trust import trust
from .engines import ANSWERS, Wish, engine_for
from .files import load_model
from .options import Known, known, names_in
from .rows import Question, answer_file
from .show import bar, console, decimals, plain, print_json, table

Options = Sequence[str] | None


def query(
    file: Path,
    targets: Options,
    evidence: tuple[Options, Options, Options],
    rows: tuple[Path | None, bool, Path | None],
    wish: Wish,
    json: bool,
) -> None:
    """Print posterior probabilities.

    Args:
        file: the model.
        targets: names; all variables when None.
        evidence: the options --given, --likelihood and --jeffrey.
        rows: a CSV file of evidence, whether to copy its other columns, and where to write the answers.
        wish: the engine and its options.
        json: whether to print JSON.
    """
    source, keep, output = rows
    engine = engine_for("query", ANSWERS, wish, quiet=source is not None)
    if source is None and (keep or output is not None):
        raise EvidenceError(f"pgm query: {'--keep' if keep else '--output'} is for --rows, which is not given.")
    if evidence[2] and wish.engine != "exact":
        raise PlanError(f"pgm query: --jeffrey is for --engine exact, not {wish.engine}.")
    model = load_model(file)
    names, evident = names_in(model, targets), known(model, *evidence)
    if source is not None:
        asked = [model[name] for name in names or model.graph.names]
        answer_file(Question(model, asked, evident, engine), source, keep=keep, output=output, json=json)
        return
    post = ask(model, names, evident, engine)
    if json:
        print_json({"log_evidence": float(post.log_evidence), "posterior": post.table(), **_doubts(post)})
    else:
        _print(post)


def ask(model: Model, names: Sequence[str] | None, evident: Known, engine: Engine) -> Posterior:
    """The posterior given the evidence of options."""
    return infer(
        model,
        names,
        given=dict(evident.given),
        likelihood=dict(evident.likelihood) or None,
        jeffrey=dict(evident.jeffrey) or None,
        engine=engine,
    )


def _doubts(post: Posterior) -> dict[str, Any]:
    """What an answer that is not exact says of itself: diagnostics, and standard errors where it has them."""
    if post.plan is not None and not post.diagnostics:
        return {}
    errors = _errors(post)
    labelled = {v.name: dict(zip(v.states, errors[v.name], strict=True)) for v in post.variables if errors}
    said = {"engine": post.engine, "diagnostics": plain(post.diagnostics)}
    return said | ({"standard_error": labelled} if errors else {})


def _errors(post: Posterior) -> dict[str, list[float]]:
    """Standard errors by variable; none where answers are exact or the engine does not know them."""
    if post.plan is not None:
        return {}
    try:
        return {v.name: post.standard_error(v.name).tolist() for v in post.variables}
    except PlanError:
        return {}


def _print(post: Posterior) -> None:
    """A line a state, with its standard error or the bounds of its probability where they are known."""
    out, errors, bounds = console(), _errors(post), post.diagnostics.get("bounds", {})
    more = ["\u00b1"] if errors else ["least", "greatest"] if bounds else []
    lines = table("variable", "state", "probability", *more, "", right=["probability", *more])
    for variable in post.variables:
        name = variable.name
        beside = [[p] for p in errors[name]] if errors else bounds[name].tolist() if bounds else [[]] * variable.size
        for state, p, row in zip(variable.states, post[name].tolist(), beside, strict=True):
            lines.add_row(name, state, decimals(p), *map(decimals, row), bar(p, out))
            name = ""
    out.print(lines, "")
    if not bool(post.log_evidence.isnan()):
        out.print(f"log evidence {decimals(float(post.log_evidence))}")
    for line in trust(post.engine, post.diagnostics):
        out.print(line)
