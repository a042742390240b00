"""How one variable looks: plain, observed (shaded, with its value), or with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ..conditionals import Deterministic
from ..domains import Numeric
from ..errors import EvidenceError, ShapeError
from ..evidence import MISSING, read_evidence
from ..graph import Graph
from ..moments import Moments
from ..variable import Variable
from .bars import bars
from .intervals import intervals
from .style import (
    EVIDENCE,
    EVIDENCE_LINE,
    LINE,
    NODE,
    NUMERIC,
    PAPER,
    STATE_LENGTH,
    Attributes,
    attributes,
    bold,
    html,
    small,
)
from .subject import Subject

MOST_NUMBERS = 3  # of an observed value; longer ones are not written out


class Answer(Protocol):
    """What a picture needs of a posterior: the variables it has answers for, and the answers."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def __getitem__(self, name: str) -> Any: ...


Known = Tensor | Moments


def variable_nodes(
    subject: Subject, seen: Mapping[str, str] | None = None, answers: Mapping[str, Known] | None = None
) -> dict[str, Attributes]:
    """The attributes of each variable's node, keyed by name.

    Args:
        subject: what is drawn.
        seen: the value of each observed variable, as text; of copies too.
        answers: what is known of variables.
    """
    seen, answers = seen or {}, answers or {}
    boxes = any(name in answers for name in subject.graph.names)
    return {variable.name: _node(variable, subject, seen, answers, boxes) for variable in subject.graph.variables}


def observed(graph: Graph, given: Any) -> dict[str, str]:
    """The label or number of each observed variable.

    Raises:
        EvidenceError: on an unknown variable or state, or more than one row of evidence.
    """
    evidence = read_evidence(graph, given, None, "plot")
    if evidence.rows != 1:
        raise EvidenceError(f"plot: evidence has {evidence.rows} rows, expected one; a picture shows one row.")
    numbers = {graph.variables[place]: int(states[0]) for place, states in evidence.hard.items()}
    found = {variable.name: variable.states[number] for variable, number in numbers.items() if number != MISSING}
    real = {graph.names[place]: values[0] for place, values in evidence.real.items()}
    return found | {name: _written(values) for name, values in real.items() if not bool(values.isnan().any())}


def known(graph: Graph, posterior: Answer | Mapping[str, Any] | None) -> dict[str, Known]:
    """What the posterior says of each variable, checked.

    Raises:
        ShapeError: when it is not one probability a state, or not the moments of one row.
    """
    if posterior is None:
        return {}
    names = tuple(posterior) if isinstance(posterior, Mapping) else posterior.names
    graph.require(names, "plot: posterior")
    return {name: _checked(graph.by_name[name], posterior[name]) for name in names}


def _checked(variable: Variable, answer: Any) -> Known:
    subject, row = f"plot: posterior of {variable.name!r}", " A picture shows one row: pass the posterior of one."
    if not variable.finite:
        if not isinstance(answer, Moments):
            raise ShapeError(
                f"{subject} is a {type(answer).__name__}, expected Moments, for it is {variable.domain!r}."
            )
        if answer.batch:
            raise ShapeError(f"{subject} has {answer.batch[0]} rows, expected one.{row}")
        return answer
    values = torch.as_tensor(answer)
    if values.shape != (variable.size,):
        raise ShapeError(
            f"{subject} has shape {tuple(values.shape)}, expected ({variable.size},).{row if values.dim() == 2 else ''}"
        )
    if not bool(((values >= 0) & (values <= 1 + 1e-6)).all()):
        raise ShapeError(f"{subject} is {values.tolist()}, expected probabilities.")
    return values


def _node(
    variable: Variable, subject: Subject, seen: Mapping[str, str], answers: Mapping[str, Known], boxes: bool
) -> Attributes:
    """Boxes when there are bars to show, ovals otherwise; observed variables are shaded, functions have two lines."""
    shape = {"shape": "box", "style": "rounded,filled"} if boxes else {"shape": "ellipse", "style": "filled"}
    if isinstance(subject.conditionals.get(variable.name), Deterministic):
        shape["peripheries"] = "2"
    name = variable.name
    count = sum(copy in seen for copy in subject.copies.get(name, ()))
    if count:
        return _copies(variable, count, len(subject.copies[name]), shape)
    if name in seen:
        label = f"{html(name)}<BR/>{bold('= ' + html(seen[name], STATE_LENGTH))}"
        return attributes(label=label, fillcolor=EVIDENCE, color=EVIDENCE_LINE, **shape)
    if name in answers:
        answer = answers[name]
        label = intervals(answer) if isinstance(answer, Moments) else bars(variable, answer)
        return attributes(label=label, fillcolor=PAPER, color=LINE, margin="0.06,0.03", **shape)
    return attributes(label=_named(variable), fillcolor=NODE if variable.finite else NUMERIC, **shape)


def _copies(variable: Variable, count: int, total: int, shape: Mapping[str, str]) -> Attributes:
    """A variable in a plate of which some copies are observed, or all: only then it is shaded."""
    some = "" if count == total else f"<BR/>{small(f'{count} of {total} observed')}"
    fill = EVIDENCE if count == total else NODE if variable.finite else NUMERIC
    return attributes(label=_named(variable) + some, fillcolor=fill, color=EVIDENCE_LINE, **shape)


def _named(variable: Variable) -> str:
    """The name, and of a numeric variable in small print what its values are."""
    domain = variable.domain
    if not isinstance(domain, Numeric):
        return html(variable.name)
    kind = " ".join([type(domain).__name__.lower(), "×".join(map(str, domain.shape))]).strip()
    return f"{html(variable.name)}<BR/>{small(kind)}"


def _written(values: Tensor) -> str:
    numbers = [f"{number:.5g}" for number in values.reshape(-1).tolist()]
    if not values.dim():
        return numbers[0]
    return f"({', '.join(numbers)})" if len(numbers) <= MOST_NUMBERS else f"{len(numbers)} numbers"
