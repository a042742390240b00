"""Sequences drawn from a template."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..errors import EvidenceError, PlanError
from ..variable import Variable, quoted
from .beliefs import Paths
from .sequences import Given, read_sequences
from .template import Template, children, looks_back, now


@torch.no_grad()
def simulate(
    template: Template,
    steps: int,
    n: int = 1,
    given: Given | None = None,
    *,
    seed: int | None = None,
    generator: Generator | None = None,
) -> Paths:
    """n independent sequences of all variables, drawn one step after the other, parents first.

    Args:
        template: of conditionals only.
        steps: the length of the sequences.
        n: how many.
        given: the values of all inputs, `[steps, *event]`, or `[n, steps, *event]`.
        seed: for reproducible draws; fresh ones when None.
        generator: a source of randomness instead of a seed.

    Returns:
        state numbers `[n, steps]` or numbers `[n, steps, *event]` by name; `log_prob` is None.

    Raises:
        PlanError: when there are potentials.
        EvidenceError: when the inputs do not fit.

    Example:
        >>> from pgm import Tabular, Variable, before
        >>> lamp = Variable("lamp", ["off", "on"])
        >>> switch = Tabular(lamp, [before(lamp)], [[0.0, 1.0], [1.0, 0.0]])
        >>> simulate(Template([Tabular(lamp, [], [1.0, 0.0])], [switch]), 4, seed=0).labels("lamp")
        [['off', 'on', 'off', 'on']]
    """
    if not template.directed:
        raise PlanError("simulate: the template has potentials, so no order to draw in; unroll and sample it.")
    if steps < 1 or n < 1:
        raise PlanError(f"simulate: steps is {steps} and n {n}, expected 1 or more.")
    for name in given or {}:
        if template[name] not in template.inputs:
            inputs = quoted(v.name for v in template.inputs) or "none"
            raise EvidenceError(f"simulate: {name!r} is drawn, not given; inputs are {inputs}.")
    data = read_sequences(template, given or {}, None, "simulate", steps)
    known = {name: value.expand(n, *value.shape[1:]) for name, value in data.values.items()}
    device = data.lengths.device
    if seed is None:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(seed)
        columns = _drawn(template, steps, n, known)
    values = {v.name: torch.stack(columns[v.name], 1) for v in template.variables}
    return Paths(template.variables, values, None)


def _drawn(template: Template, steps: int, n: int, inputs: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """The values of each variable, one tensor `[n, *event]` a step."""
    orders, terms = (template.first_order, template.order), (children(template.first), children(template.later))
    found: dict[str, list[Tensor]] = {v.name: [] for v in template.variables}

    def value(parent: Variable, t: int) -> Tensor:
        return found[now(parent).name][t - looks_back(parent)]

    for t in range(steps):
        for v in orders[t > 0]:
            if v.name in inputs:
                found[v.name].append(inputs[v.name][:, t])
                continue
            term = terms[t > 0][v.name]
            given = [value(parent, t) for parent in term.given]
            found[v.name].append(term.draw(*given) if given else term.draw(shape=(n,)))
    return found
