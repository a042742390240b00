"""Moves of single variables, greedy or at a temperature, in many draws side by side."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...compiled.moves import visit
from ...fields.blocks import Blocks
from ...fields.field import Field
from .softened import softened
from .tables import pieces, tables_of


class Moves(Protocol):
    """Moves in a field, or in its softened form, which leads from impossible joint states to possible ones."""

    def visit(self, states: Tensor, temperature: float = 0.0) -> Tensor:
        """Joint states after each variable has had one chance to move, given all others.

        At temperature 0 it moves to its best state, if that is better than its own; above, it takes one in proportion
        to its weight to the power of 1 / temperature.

        Args:
            states: state numbers, `[rows, draws, variables]`.
            temperature: 0 or above.
        """


class CompiledMoves:
    """Moves on the CPU, one variable after another.

    Args:
        field: without trains.
        seed: of the randomness.
    """

    def __init__(self, field: Field, seed: int) -> None:
        self.tables, self.unary = tables_of(field), field.unary.detach().numpy()
        self.order, self.generator = np.arange(field.variables), np.random.default_rng(seed)

    def visit(self, states: Tensor, temperature: float = 0.0) -> Tensor:
        """Joint states `[rows, draws, variables]` after one chance to move for each variable."""
        moved = states.numpy().copy()
        for some in pieces(self.tables, self.order, moved.shape[0] * moved.shape[1]):
            visit(self.tables, self.unary, moved, some, temperature, self.generator)
        return torch.from_numpy(moved)


class BlocksMoves:
    """Moves on any device, all variables of a colour at once.

    Args:
        field: any field.
        seed: of the randomness.
    """

    def __init__(self, field: Field, seed: int) -> None:
        self.blocks = Blocks(field)
        self.generator = torch.Generator(field.device).manual_seed(seed)

    def visit(self, states: Tensor, temperature: float = 0.0) -> Tensor:
        """Joint states `[rows, draws, variables]` after one chance to move for each variable."""
        states = states.clone()
        for block in self.blocks.all:
            logits = self.blocks.logits(block, states)
            if temperature > 0:
                states[:, :, block.variables] = self._drawn(logits / temperature)
                continue
            now = states[:, :, block.variables]
            best = logits.max(-1)
            better = best.values > logits.gather(-1, now.unsqueeze(-1)).squeeze(-1)
            states[:, :, block.variables] = torch.where(better, best.indices, now)
        return states

    def _drawn(self, logits: Tensor) -> Tensor:
        """A state of each variable, by the greatest of its logits with Gumbel noise added."""
        noise = torch.empty_like(logits).exponential_(generator=self.generator).log()
        return (logits - noise).argmax(-1)


def moves_of(field: Field, seed: int = 0) -> Moves:
    """Moves in the softened field: compiled on the CPU, in blocks elsewhere and where there are wide factors."""
    soft = softened(field)
    if field.device.type == "cpu" and not field.trains:
        return CompiledMoves(soft.to(dtype=torch.float64), seed)
    return BlocksMoves(soft, seed)


def climb(moves: Moves, states: Tensor, rounds: int = 100) -> Tensor:
    """Joint states `[rows, draws, variables]` after greedy moves, until none gains or the rounds are over."""
    for _ in range(rounds):
        found = moves.visit(states)
        if torch.equal(found, states):
            break
        states = found
    return states
