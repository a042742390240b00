"""`pgm solve`: the tasks of the UAI competitions."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

from .. import ask
from ..io import Result, labelled, load_evidence, save_results
from ..model import Model
from .engines import ANSWERS, EXPLAINS, Wish, engine_for
from .files import load_model
from .show import count, print_json


def solve(
    file: Path,
    evidence: Path | None,
    task: str,
    output: Path | None,
    wish: Wish,
    json: bool,
) -> None:
    """Answer a task and write the result, one answer a sample of evidence."""
    engine = engine_for("solve", EXPLAINS if task == "MAP" else ANSWERS, wish)
    model = load_model(file)
    results = [answer(model, task, observed, engine) for observed in samples_for(file, evidence)]
    if output is not None:
        save_results(results, output)
    if json:
        written = {} if output is None else {"output": str(output)}
        print_json({"task": task, "results": [_plain(result) for result in results], **written})
    elif output is None:
        sys.stdout.write(_text(results))
    else:
        print(f"{output}: {task}, {count(len(results), 'answer')}")


def samples_for(file: Path, evidence: Path | None) -> list[dict[int, int]]:
    """The samples of an evidence file; by default of MODEL.uai.evid where it exists, else one without evidence."""
    beside = file.with_name(f"{file.name}.evid")
    if evidence is None and not beside.exists():
        return [{}]
    return load_evidence(evidence or beside)


def answer(model: Model, task: str, observed: Mapping[int, int], engine: Any = None) -> Result:
    """The answer to one task for one sample of evidence.

    Args:
        model: its variables are numbered in their order.
        task: 'PR' (log10 of the partition function given the evidence), 'MAR' (all marginals) or 'MAP' (the most
            probable assignment to all variables).
        observed: from the number of a variable to the number of its state.
        engine: how to answer, exactly by default.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable
        >>> a, b = Variable("a"), Variable("b")
        >>> net = MarkovNetwork(Table([a, b], [[30, 5], [1, 10]]))
        >>> answer(net, "MAP", {0: 1})
        Result(task='MAP', log10=0.0, marginals=(), states=(1, 1))
    """
    given = labelled(model, observed)
    if task == "PR":
        return Result("PR", log10=float(ask.log_evidence(model, given=given, engine=engine).detach()) / log(10))
    if task == "MAR":
        post = ask.infer(model, given=given, engine=engine)
        return Result("MAR", marginals=tuple(tuple(post[v.name].tolist()) for v in model.variables))
    best = ask.mpe(model, given=given, engine=engine)
    return Result("MAP", states=tuple(best.states[0].tolist()))


def _plain(result: Result) -> dict[str, Any]:
    """What the task asks for, by the name it has in `Result`."""
    if result.task == "PR":
        return {"log10": result.log10}
    return {"marginals": result.marginals} if result.task == "MAR" else {"states": result.states}


def _text(results: Sequence[Result]) -> str:
    """A result file as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        save_results(results, path)
        return path.read_text(encoding="utf-8")
