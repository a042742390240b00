"""Exact samples of small fields, from which the way back begins."""

from __future__ import annotations

import torch
from torch import Tensor

from ...ask import plan_for, sample
from ...engines.exact import Exact
from ...errors import PlanError
from ...fields.field import Field, Group
from ...model import MarkovNetwork
from ...potentials import Table
from ...trains import expanded
from ...variable import Variable

FACTORS_AT_MOST = 2000
ENTRIES_AT_MOST = 2**16  # of a wide factor
OPERATIONS_AT_MOST = 2.0**24
NATS_AT_MOST = 600.0  # between the numbers of one table, beyond which some of them would become zeros


def exact_states(field: Field, chains: int, rows: list[int], seed: int) -> Tensor | None:
    """Independent samples `[rows, chains, variables]` of some rows, zeros in others; None when that would take long."""
    wide = max((torch.tensor(part.sizes).prod().item() for part in field.parts), default=1)
    if field.factors > FACTORS_AT_MOST or field.variables > FACTORS_AT_MOST or wide > ENTRIES_AT_MOST:
        return None
    if any(_nats(logs) > NATS_AT_MOST for logs in (field.unary, *(group.logs for group in field.groups))):
        return None
    found = torch.zeros(field.rows, chains, field.variables, dtype=torch.int16)
    for row in rows:
        model, exact = network(field.row(row)), Exact(seconds=0.0)  # no search that a busy machine would cut short
        try:
            if plan_for(model, [model.graph.names], task="sample", engine=exact).operations > OPERATIONS_AT_MOST:
                return None
        except PlanError:
            return None
        found[row] = sample(model, chains, seed=seed, engine=exact).states
    return found.to(field.device)


def network(field: Field) -> MarkovNetwork:
    """One row of a field as a model with the variables x0, x1, ...; its constant is left out."""
    variables = [Variable(f"x{number}", int(size)) for number, size in enumerate(field.sizes)]
    terms = [_table([variables[v]], logs) for v, logs in enumerate(field.unary[0].split(field.sizes.tolist()))]
    for part in field.parts:
        for number, scope in enumerate(part.scopes.tolist()):
            if isinstance(part, Group):
                logs = part.logs[0, number if part.logs.shape[1] > 1 else 0]
            else:
                logs = expanded([core[0, number if core.shape[1] > 1 else 0] for core in part.cores]).log()
            terms.append(_table([variables[v] for v in scope], logs))
    return MarkovNetwork(*terms, variables=variables)


def _nats(logs: Tensor) -> float:
    """How far apart the possible numbers of a table may be."""
    found = logs[logs.isfinite()]
    return float(found.amax() - found.amin()) if len(found) else 0.0


def _table(scope: list[Variable], logs: Tensor) -> Table:
    return Table(scope, (logs - logs.amax()).double().exp().cpu())
