"""Numbers computed the fast way that know how to be differentiated the thorough way, if they are asked to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Again = Callable[[Sequence[Tensor]], Tensor]


class _Later(torch.autograd.Function):
    """A value, and a function that computes it again with a graph once a gradient is wanted."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, again: Again, *tables: Tensor) -> Tensor:
        ctx.again = again
        ctx.save_for_backward(*tables)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        tables, higher = ctx.saved_tensors, torch.is_grad_enabled()
        wanted = [table for table in tables if table.requires_grad]
        with torch.enable_grad():
            found = iter(torch.autograd.grad(ctx.again(tables), wanted, above, create_graph=higher, allow_unused=True))
        return (None, None, *(next(found) if table.requires_grad else None for table in tables))


def differentiable(value: Tensor, again: Again, tables: Sequence[Tensor]) -> Tensor:
    """The same value, with the gradient that `again` would have.

    Args:
        value: what was computed from the tables without a graph.
        again: computes the same from tables, with a graph; called when a gradient is wanted, not before.
        tables: the tensors that the value is a function of.

    Example:
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> differentiable(torch.tensor(9.0), lambda tables: tables[0] ** 2, [x]).backward()
        >>> x.grad
        tensor(6.)
    """
    if not any(table.requires_grad for table in tables):
        return value
    apart = [table.view_as(table) for table in tables]  # a tensor that comes twice gets its gradient in two parts
    found: Tensor = _Later.apply(value, again, *apart)
    return found
