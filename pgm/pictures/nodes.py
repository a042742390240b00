"""How one variable looks: plain, observed (shaded, with its state), or with its distribution as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import EvidenceError, ShapeError
from ..evidence import MISSING, read_evidence
from ..graph import Graph
from ..variable import Variable
from .bars import bars
from .style import EVIDENCE, EVIDENCE_LINE, LINE, NODE, PAPER, STATE_LENGTH, Attributes, attributes, bold, html


class Answer(Protocol):
    """What a picture needs of a posterior: the variables it has answers for, and their probabilities."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def __getitem__(self, name: str) -> Tensor: ...


def variable_nodes(
    graph: Graph, given: Any = None, posterior: Answer | Mapping[str, Tensor] | None = None
) -> dict[str, Attributes]:
    """The attributes of each variable's node, keyed by name.

    Raises:
        EvidenceError: on an unknown variable or state, or more than one row of evidence.
        ShapeError: when a posterior is not one probability a state.
    """
    states = observed(graph, given)
    answers = probabilities(graph, posterior)
    return {variable.name: _node(variable, states, answers) for variable in graph.variables}


def observed(graph: Graph, given: Any) -> dict[str, str]:
    """The label of each observed variable."""
    evidence = read_evidence(graph, given, None, "plot")
    if evidence.rows != 1:
        raise EvidenceError(f"plot: evidence has {evidence.rows} rows, expected one; a picture shows one row.")
    numbers = {graph.variables[place]: int(states[0]) for place, states in evidence.hard.items()}
    return {variable.name: variable.states[number] for variable, number in numbers.items() if number != MISSING}


def probabilities(graph: Graph, posterior: Answer | Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """The distribution of each variable that has one in the posterior, checked."""
    if posterior is None:
        return {}
    names = tuple(posterior) if isinstance(posterior, Mapping) else posterior.names
    graph.require(names, "plot: posterior")
    return {name: _checked(graph.by_name[name], torch.as_tensor(posterior[name])) for name in names}


def _checked(variable: Variable, values: Tensor) -> Tensor:
    if values.shape != (variable.size,):
        row = " A picture shows one row: pass the posterior of one." if values.dim() == 2 else ""
        raise ShapeError(
            f"plot: posterior of {variable.name!r} has shape {tuple(values.shape)}, expected ({variable.size},).{row}"
        )
    if not bool(((values >= 0) & (values <= 1 + 1e-6)).all()):
        raise ShapeError(f"plot: posterior of {variable.name!r} is {values.tolist()}, expected probabilities.")
    return values


def _node(variable: Variable, states: Mapping[str, str], answers: Mapping[str, Tensor]) -> Attributes:
    """Boxes when there are bars to show, ovals otherwise; observed variables are shaded."""
    shape = {"shape": "box", "style": "rounded,filled"} if answers else {"shape": "ellipse", "style": "filled"}
    name = variable.name
    if name in states:
        label = f"{html(name)}<BR/>{bold('= ' + html(states[name], STATE_LENGTH))}"
        return attributes(label=label, fillcolor=EVIDENCE, color=EVIDENCE_LINE, **shape)
    if name in answers:
        return attributes(label=bars(variable, answers[name]), fillcolor=PAPER, color=LINE, margin="0.06,0.03", **shape)
    return attributes(label=html(name), fillcolor=NODE, **shape)
