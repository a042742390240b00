"""Hidden numeric variables that are functions of what is observed: they become observed."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conditionals import Deterministic
from ..errors import EvidenceError
from ..variable import Variable
from .sequences import Sequences
from .template import Template, children, looks_back, now


def computed(template: Template, data: Sequences, subject: str) -> Sequences:
    """The data with the values of all hidden variables that are computed from them, one step after the other.

    Args:
        template: whose `Deterministic` conditionals over numeric variables are run.
        data: what was observed.
        subject: how error messages begin.

    Raises:
        EvidenceError: when such a function meets a missing value.
    """
    names = known_functions(template, data)
    if not names:
        return data
    _check_full(template, data, names, subject)
    order = [[v for v in each if v.name in names] for each in (template.first_order, template.order)]
    terms = [children(template.first), children(template.later)]
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    seen = {name: data.filled(template[name]) for name in data.values}

    def value(parent: Variable, t: int) -> Tensor:
        name, at = now(parent).name, t - looks_back(parent)
        return found[name][at] if name in names else seen[name][:, at]

    for t in range(data.steps):
        for v in order[t > 0]:
            term = terms[t > 0][v.name]
            made = term.draw(*(value(parent, t) for parent in term.given))
            found[v.name].append(made.expand(data.rows, *v.shape))
    return data.with_values({name: torch.stack(values, 1) for name, values in found.items()})


def known_functions(template: Template, data: Sequences) -> set[str]:
    """The names of the hidden variables that are functions of observed ones, now and before."""
    first, later = children(template.first), children(template.later)
    names = {
        v.name
        for v in template.variables
        if v.name in later
        and v.name not in data.values
        and all(isinstance(term, Deterministic) and not term.enumerable for term in (first[v.name], later[v.name]))
    }
    while True:
        known = names | set(data.values)
        wrong = {n for n in names if any(now(p).name not in known for t in (first[n], later[n]) for p in t.given)}
        if not wrong:
            return names
        names -= wrong


def _check_full(template: Template, data: Sequences, names: set[str], subject: str) -> None:
    first, later = children(template.first), children(template.later)
    for name in sorted(names):
        for parent in (p for term in (first[name], later[name]) for p in map(now, term.given)):
            if parent.name in data.values and not data.full(parent):
                raise EvidenceError(
                    f"{subject}: {parent.name!r} has a missing value, but {name!r} is computed from it; give all of "
                    "them."
                )
