"""`pgm query`: posterior probabilities, for one row of evidence here, for a file of rows in `rows`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..ask import infer
from ..engines.exact import Exact
from ..errors import EvidenceError
from ..model import Model
from ..posterior import Posterior
from .files import load_model
from .options import Known, engine, known, names_in
from .rows import Question, answer_file
from .show import bar, console, decimals, print_json, table

Options = Sequence[str] | None


def query(
    file: Path,
    targets: Options,
    evidence: tuple[Options, Options, Options],
    rows: tuple[Path | None, bool, Path | None],
    memory: str | None,
    seconds: float | None,
    json: bool,
) -> None:
    """Print posterior probabilities.

    Args:
        file: the model.
        targets: names; all variables when None.
        evidence: the options --given, --likelihood and --jeffrey.
        rows: a CSV file of evidence, whether to copy its other columns, and where to write the answers.
        memory, seconds, json: limits, and whether to print JSON.
    """
    limits = engine(memory, seconds)
    source, keep, output = rows
    if source is None and (keep or output is not None):
        raise EvidenceError(f"pgm query: {'--keep' if keep else '--output'} is for --rows, which is not given.")
    model = load_model(file)
    names, evident = names_in(model, targets), known(model, *evidence)
    if source is not None:
        asked = [model[name] for name in names or model.graph.names]
        answer_file(Question(model, asked, evident, limits), source, keep=keep, output=output, json=json)
        return
    post = ask(model, names, evident, limits)
    if json:
        print_json({"log_evidence": float(post.log_evidence), "posterior": post.table()})
    else:
        _print(post)


def ask(model: Model, names: Sequence[str] | None, evident: Known, limits: Exact) -> Posterior:
    """The posterior given the evidence of options."""
    return infer(
        model,
        names,
        given=dict(evident.given),
        likelihood=dict(evident.likelihood) or None,
        jeffrey=dict(evident.jeffrey) or None,
        engine=limits,
    )


def _print(post: Posterior) -> None:
    out = console()
    lines = table("variable", "state", "probability", "", right=["probability"])
    for variable in post.variables:
        name = variable.name
        for state, p in zip(variable.states, post[name].tolist(), strict=True):
            lines.add_row(name, state, decimals(p), bar(p, out))
            name = ""
    out.print(lines, f"\nlog evidence {decimals(float(post.log_evidence))}")
