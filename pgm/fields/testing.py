"""Oracles for tests of engines on fields: enumeration of all joint states, and random fields with awkward features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .field import Field, Group, Trains

WORLDS_AT_MOST = 2**20


@dataclass(frozen=True, eq=False)
class Worlds:
    """All joint states of a field.

    Args:
        field: the field.
        states: state numbers, `[worlds, variables]`.
        logs: log weights, `[rows, worlds]`.
    """

    field: Field
    states: Tensor
    logs: Tensor

    @property
    def log_z(self) -> Tensor:
        """`[rows]`."""
        return self.logs.logsumexp(1)

    @property
    def probabilities(self) -> Tensor:
        """`[rows, worlds]`."""
        return self.logs.softmax(1)

    def joint(self, scope: tuple[int, ...]) -> Tensor:
        """The probabilities of a scope, `[rows, *sizes]`."""
        sizes = [int(self.field.sizes[v]) for v in scope]
        place = torch.zeros(len(self.states), dtype=torch.long)
        for v, size in zip(scope, sizes, strict=True):
            place = place * size + self.states[:, v]
        flat = torch.zeros(self.field.rows, int(torch.tensor(sizes).prod()), dtype=self.logs.dtype)
        return flat.index_add(1, place, self.probabilities).reshape(-1, *sizes)

    @property
    def marginals(self) -> Tensor:
        """`[rows, states]`."""
        return torch.cat([self.joint((v,)) for v in range(self.field.variables)], 1)


def worlds(field: Field) -> Worlds:
    """Every joint state of a small field, weighed one by one from the definition of its factors.

    Example:
        >>> from .field import grid
        >>> worlds(grid(torch.zeros(2, 2, 2), torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]]))).log_z.exp()
        tensor([2.])
    """
    assert int(field.sizes.prod()) <= WORLDS_AT_MOST, "too many worlds to enumerate"
    ranges = [torch.arange(int(size)) for size in field.sizes]
    states = torch.cartesian_prod(*ranges).reshape(-1, len(ranges)) if ranges else torch.zeros(1, 0, dtype=torch.long)
    assert field.constant is not None
    logs = field.constant[:, None] + torch.zeros(field.rows, len(states), dtype=field.dtype)
    for v in range(field.variables):
        logs = logs + field.unary[:, field.starts[v] + states[:, v]]
    for part in field.parts:
        for number, scope in enumerate(part.scopes.tolist()):
            columns = [states[:, v] for v in scope]
            found = _table(part, number, columns) if isinstance(part, Group) else _train(part, number, columns)
            logs = logs + found
    return Worlds(field, states, logs)


def _table(group: Group, number: int, columns: list[Tensor]) -> Tensor:
    rows, lone = torch.arange(len(group.logs))[:, None], torch.tensor(number if group.logs.shape[1] > 1 else 0)
    return group.logs[(rows, lone, *columns)]


def _train(trains: Trains, number: int, columns: list[Tensor]) -> Tensor:
    product = None
    for core, states in zip(trains.cores, columns, strict=True):
        matrices = core[:, number if core.shape[1] > 1 else 0][:, :, states].permute(0, 2, 1, 3)
        product = matrices if product is None else product @ matrices
    assert product is not None
    return product.squeeze(-1).squeeze(-1).log()


def random_field(
    seed: int,
    variables: int = 6,
    rows: int = 1,
    zeros: float = 0.0,
    tree: bool = False,
    strength: float = 1.0,
    trains: int = 0,
) -> Field:
    """A random field over variables of two and three states, with factors of two and three variables.

    Args:
        seed: of the randomness.
        variables, rows: how many.
        zeros: the share of impossible entries in the tables; states 0 of all variables together stay possible.
        tree: whether the factors form a tree.
        strength: standard deviation of log weights.
        trains: how many wide factors of all variables to add (a soft count of those in their last state).
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(2, 4, (variables,), generator=generator)
    scopes = _tree_scopes(variables, generator) if tree else _random_scopes(variables, generator)
    shapes: dict[tuple[int, ...], list[list[int]]] = {}
    for scope in scopes:
        shapes.setdefault(tuple(int(sizes[v]) for v in scope), []).append(scope)
    groups = []
    for number, (shape, members) in enumerate(shapes.items()):
        lead = (rows if number % 2 else 1, len(members))
        logs = strength * torch.randn(*lead, *shape, generator=generator, dtype=torch.float64)
        gone = torch.rand(logs.shape, generator=generator) < zeros
        gone.flatten(2)[..., 0] = False
        groups.append(Group(torch.tensor(members), logs.masked_fill(gone, -torch.inf)))
    unary = strength * torch.randn(rows, int(sizes.sum()), generator=generator, dtype=torch.float64)
    wide = [_soft_count(sizes, generator) for _ in range(trains)]
    constant = torch.randn(rows, generator=generator, dtype=torch.float64)
    return Field(sizes, unary, tuple(groups), tuple(wide), constant)


def _tree_scopes(variables: int, generator: torch.Generator) -> list[list[int]]:
    """Factors of two or three variables that form a tree: each adds one or two new variables to an old one."""
    scopes, known = [], 1
    while known < variables:
        new = min(1 + int(torch.randint(2, (), generator=generator)), variables - known)
        scopes.append([int(torch.randint(known, (), generator=generator)), *range(known, known + new)])
        known += new
    return scopes


def _random_scopes(variables: int, generator: torch.Generator) -> list[list[int]]:
    count = variables + int(torch.randint(variables, (), generator=generator))
    arities = torch.randint(2, min(4, variables + 1), (count,), generator=generator).tolist()
    return [torch.randperm(variables, generator=generator)[:arity].tolist() for arity in arities]


def _soft_count(sizes: Tensor, generator: torch.Generator) -> Trains:
    """A factor of all variables that weighs how many are in their last state, as a train of matrices."""
    count = len(sizes) + 1
    cores = []
    for place, size in enumerate(sizes.tolist()):
        core = torch.eye(count, dtype=torch.float64).unsqueeze(1).repeat(1, size, 1)
        core[:, -1] = torch.eye(count, dtype=torch.float64).roll(1, 1)
        cores.append(core[:1] if place == 0 else core)
    weights = torch.rand(count, generator=generator, dtype=torch.float64)
    cores[-1] = (cores[-1] @ weights).unsqueeze(-1)
    return Trains(torch.arange(len(sizes))[None], tuple(core[None, None] for core in cores))
