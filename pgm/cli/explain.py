"""`pgm mpe`: the most probable joint states."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf
from pathlib import Path
from typing import Any

from .. import ask
from ..explanation import Explanation
from ..trust import trust
from .engines import EXPLAINS, Wish, engine_for
from .files import load_model
from .options import known, names_in
from .show import console, count, decimals, plain, print_json, table

Options = Sequence[str] | None
LABEL = 12  # columns of the terminal that a label takes at most before explanations go below each other


def mpe(
    file: Path,
    evidence: tuple[Options, Options],
    targets: Options,
    k: int,
    wish: Wish,
    json: bool,
) -> None:
    """Print the k most probable joint states.

    Args:
        file: the model.
        evidence: the options --given and --likelihood.
        targets: names to maximise over; all variables when None.
        k: how many.
        wish: the engine and its options.
        json: whether to print JSON.
    """
    engine = engine_for("mpe", EXPLAINS, wish)
    model = load_model(file)
    names, evident = names_in(model, targets), known(model, *evidence)
    given, likelihood = dict(evident.given), dict(evident.likelihood) or None
    best = ask.mpe(model, names, given=given, likelihood=likelihood, k=k, engine=engine)
    if wish.engine != "exact":
        _tell(best, EXPLAINS[wish.engine].name, json)
        return
    log_evidence = float(ask.log_evidence(model, given=given, likelihood=likelihood, engine=engine).detach())
    found = explanations(best)
    for each in found:
        each["probability"] = exp(each["log_prob"] - log_evidence)
    if json:
        print_json({"log_evidence": log_evidence, "explanations": found})
        return
    _print(found)
    fewer = "" if len(found) == k else f"; only {count(len(found), 'explanation')} has positive probability"
    print(f"log evidence {decimals(log_evidence)}{fewer}")


def explanations(best: Explanation) -> list[dict[str, Any]]:
    """The explanations of positive probability, best first, with the log of their joint weight with the evidence."""
    logs = best.log_prob.tolist()
    ranks = [rank for rank in range(len(best)) if bool((best.states[rank] >= 0).all())]
    return [{"assignment": best.assignment(rank), "log_prob": logs[rank]} for rank in ranks]


def _tell(best: Explanation, engine: str, json: bool) -> None:
    """Explanations that may not be the best, and how much better any could be."""
    found, gap = explanations(best), float(best.gap)
    bound = float(best.log_prob[0] if best.bound is None else best.bound)
    if json:
        said = plain(best.diagnostics)
        print_json({"explanations": found, "bound": bound, "gap": gap, "engine": engine, "diagnostics": said})
        return
    if found:
        _print(found)
    print("found none of positive probability" if not found else _limit(bound, gap))
    for line in trust(engine, best.diagnostics):
        print(line)


def _limit(bound: float, gap: float) -> str:
    if bound == inf:
        return "no bound: nothing says that there are no better ones"
    return f"none above log p {decimals(bound)}, a gap of {decimals(gap)}"


def _print(found: Sequence[dict[str, Any]]) -> None:
    """Explanations beside each other, as many as fit."""
    out = console()
    names = list(found[0]["assignment"])
    label = max(len(state) for each in found for state in each["assignment"].values())
    width = max(map(len, [*names, "log p(all, evidence)"]), default=0)
    beside = max(1, (out.width - width - 2) // (2 + max(8, min(label, LABEL))))
    for begin in range(0, len(found), beside):
        some = found[begin : begin + beside]
        ranks = [f"#{rank}" for rank in range(begin + 1, begin + 1 + len(some))]
        lines = table("variable", *ranks)
        for name in names:
            lines.add_row(name, *(each["assignment"][name] for each in some))
        lines.add_section()
        if all("probability" in each for each in some):
            lines.add_row("p(all | evidence)", *(f"{each['probability']:.4g}" for each in some))
        lines.add_row("log p(all, evidence)", *(decimals(each["log_prob"]) for each in some))
        out.print(lines, "")
