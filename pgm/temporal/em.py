"""What expectation maximisation betters when sequences are given."""

from __future__ import annotations

from ..learn.em import Found, Problem
from ..learn.priors import Priors
from ..learn.statistics import Tied, learnable
from .expected import finite_statistics, linear_statistics
from .questions import hidden_kind
from .sequences import Sequences
from .template import Template


def problem_of(work: Template, data: Sequences, prior: Priors) -> Problem:
    """The problem of fitting a template, in place, to sequences."""
    unseen = {v.name for v in work.variables if v.name not in data.values or not bool(data.seen(v).any())}
    hidden = frozenset(f"{name}[{t}]" for name in unseen for t in range(2))
    model = work.unroll(3)  # three steps show what every conditional does to a step and to the next one
    copies = {id(tie.original._parameters): tie.copies for tie in learnable(model)}
    wanted = [term for term in (*work.first, *work.later) if id(term._parameters) in copies]
    ties = {id(term._parameters): Tied(term, copies[id(term._parameters)]) for term in wanted}
    numeric = hidden_kind(work, data, "fit_sequences") == "numeric"

    def expected() -> tuple[Found, float]:
        parts, totals = (linear_statistics if numeric else finite_statistics)(work, data, wanted)
        return [(tie, parts[key]) for key, tie in ties.items() if key in parts], float(totals.sum())

    return Problem("fit_sequences", work, model, hidden, prior, expected)
