"""Numbers computed the fast way that know how to be differentiated the thorough way, if they are asked to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Again = Callable[[Sequence[Tensor]], Tensor]
AllAgain = Callable[[Sequence[Tensor]], Sequence[Tensor | None]]


class _Later(torch.autograd.Function):
    """Values, and a function that computes them again with a graph once a gradient is wanted."""

    @staticmethod
    def forward(ctx: Any, again: AllAgain, values: Sequence[Tensor], *tables: Tensor) -> tuple[Tensor, ...]:
        ctx.again = again
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tables)
        return tuple(value.clone() for value in values)

    @staticmethod
    def backward(ctx: Any, *above: Tensor | None) -> tuple[Tensor | None, ...]:
        tables, higher = ctx.saved_tensors, torch.is_grad_enabled()
        wanted = [table for table in tables if table.requires_grad]
        with torch.enable_grad():
            made = zip(ctx.again(tables), above, strict=True)
            slopes = [(x, up) for x, up in made if x is not None and x.requires_grad and up is not None]
            if not slopes:
                return (None, None, *(None for _ in tables))
            made_again, ups = zip(*slopes, strict=True)
            found = iter(torch.autograd.grad(made_again, wanted, ups, create_graph=higher, allow_unused=True))
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
    return all_differentiable([value], lambda tables: [again(tables)], tables)[0]


def all_differentiable(values: Sequence[Tensor], again: AllAgain, tables: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The same for several values that are computed together.

    Args:
        values, tables: as for `differentiable`.
        again: computes all values; one that depends on no table may be None.
    """
    if not torch.is_grad_enabled() or not any(table.requires_grad for table in tables):
        return tuple(values)
    if len(set(map(id, tables))) < len(tables):  # a tensor that comes twice gets its gradient in two parts
        tables = [table.view_as(table) for table in tables]
    found: tuple[Tensor, ...] = _Later.apply(again, values, *tables)
    return found
