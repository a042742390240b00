"""Sweeps over many chains at once: compiled on the CPU, block after block in torch elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import ShapeError
from ...fields.blocks import Blocks
from ...fields.field import Field

if TYPE_CHECKING:
    import numpy as np

    from ...compiled.gibbs import Tables, Wide

Powers = Tensor | float
UPDATES = 2**20  # of variables in one call of the compiled loop, a tenth of a second
SERIAL = 2**14  # fewer updates are not worth a thread


@dataclass(frozen=True, eq=False)
class Tally:
    """Where chains have come to, and what was seen on the way.

    Args:
        states: state numbers, `[rows, chains, variables]`.
        sums: the conditional probabilities of all states, summed over the sweeps, `[rows, chains, states]`.
        squares: the sums of their squares.
    """

    states: Tensor
    sums: Tensor
    squares: Tensor


@dataclass(frozen=True, eq=False)
class Sweeper:
    """Gibbs sampling of a field: each variable is drawn from p(variable | all others), one after another.

    Every sweep leaves p(x) proportional to exp(unary) prod_f f(x_f)^power as it is; exact zeros stay zeros at any
    power, and where a variable has no possible state given the others it keeps the one it has.

    Args:
        field: what to sample.
        compiled: whether to use the compiled loops, which need the field on the CPU, or torch; by default where they
            can be used. One draws the variables in order, the other block after block of independent ones.

    Example:
        >>> from ...fields.field import grid
        >>> coins = Sweeper(grid(torch.tensor([[[0.0, 2.0], [0.0, 2.0]]]), torch.zeros(2, 2)))
        >>> generator = torch.Generator().manual_seed(0)
        >>> states = coins.sweep(coins.start(10_000, generator), 1, generator=generator)
        >>> states.shape, round(states.double().mean().item(), 1)
        (torch.Size([1, 10000, 2]), 0.9)

    Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images.
    """

    field: Field
    compiled: bool | None = None

    def start(self, chains: int, generator: torch.Generator) -> Tensor:
        """States drawn from the log weights of single states alone, `[rows, chains, variables]`, small integers.

        Args:
            chains: how many for each row.
            generator: the source of randomness, on the device of the field.
        """
        field, found = self.field, []
        for size in field.sizes.unique().tolist():
            which = torch.nonzero(field.sizes == size).squeeze(1)
            places = field.starts[which][:, None] + torch.arange(size, device=field.device)
            logits = field.unary[:, places].unsqueeze(1).expand(-1, chains, -1, -1)  # [rows, chains, which, size]
            found.append((which, _gumbel(logits, generator)))
        states = torch.zeros(field.rows, chains, field.variables, dtype=self._dtype, device=field.device)
        for which, drawn in found:
            states[:, :, which] = drawn.to(self._dtype)
        return states

    def sweep(self, states: Tensor, sweeps: int = 1, power: Powers = 1.0, *, generator: torch.Generator) -> Tensor:
        """The states of chains after some sweeps; those given stay as they are.

        Args:
            states: state numbers, `[rows, chains, variables]`.
            sweeps: how often each variable is drawn.
            power: to which all factors of two variables or more are raised, one number or `[chains]`.
            generator: the source of randomness, on the device of the field.

        Returns:
            `[rows, chains, variables]`, small integers.

        Raises:
            ShapeError: when the states do not fit the field.
        """
        none = self.field.unary.new_zeros(0, 0, dtype=torch.float64)
        return self._moved(states, sweeps, power, generator, none, none)

    def tallied(self, states: Tensor, sweeps: int = 1, power: Powers = 1.0, *, generator: torch.Generator) -> Tally:
        """The same, with the conditional probabilities of all states summed on the way (Rao-Blackwell)."""
        shape = (*states.shape[:2], self.field.unary.shape[1])
        sums, squares = (self.field.unary.new_zeros(shape, dtype=torch.float64) for _ in range(2))
        return Tally(self._moved(states, sweeps, power, generator, sums, squares), sums, squares)

    def coupling(self, states: Tensor) -> Tensor:
        """The log of the product of all factors of two variables or more, what a power multiplies, `[rows, chains]`."""
        if not self._compiled:
            assert self.field.constant is not None
            bare = replace(
                self.field, unary=torch.zeros_like(self.field.unary), constant=torch.zeros_like(self.field.constant)
            )
            return bare.log_weight(states)
        from ...compiled.gibbs import coupling

        found = coupling(self._flat(states).numpy(), states.shape[1], self._tables, self._wide)
        return torch.from_numpy(found).reshape(states.shape[:2]).to(self.field.dtype)

    @property
    def _compiled(self) -> bool:
        return self.field.device.type == "cpu" if self.compiled is None else self.compiled

    @property
    def _dtype(self) -> torch.dtype:
        return torch.int16 if int(self.field.sizes.max()) < 2**15 else torch.int32

    @cached_property
    def _tables(self) -> Tables:
        from .layout import tables_of

        return tables_of(self.field)

    @cached_property
    def _wide(self) -> Wide:
        from .layout import wide_of

        return wide_of(self.field)

    @cached_property
    def _blocks(self) -> Blocks:
        return Blocks(self.field)

    def _flat(self, states: Tensor) -> Tensor:
        return states.to(self._dtype).reshape(-1, self.field.variables).contiguous()

    def _moved(
        self, states: Tensor, sweeps: int, power: Powers, generator: torch.Generator, sums: Tensor, squares: Tensor
    ) -> Tensor:
        """The states after some sweeps; sums and squares are added to, where they are not empty."""
        field = self.field
        if states.dim() != 3 or len(states) != field.rows or states.shape[2] != field.variables:
            raise ShapeError(
                f"Sweeper: states have shape {tuple(states.shape)}, expected [rows, chains, variables] = "
                f"[{field.rows}, chains, {field.variables}]."
            )
        powers = torch.as_tensor(power, dtype=torch.float64).expand(states.shape[1])
        if not self._compiled:
            return self._by_blocks(states, sweeps, powers.to(field.unary), generator, sums, squares)
        moved = self._flat(states).clone()
        keys = torch.randint(2**63 - 1, (len(moved),), generator=generator)
        flat = [each.flatten(0, 1).numpy() if each.dim() == 3 else each.numpy() for each in (sums, squares)]
        self._spread((moved.numpy(), keys.numpy(), powers.contiguous().numpy(), sweeps), flat)
        return moved.reshape(states.shape)

    def _spread(self, chains: tuple[np.ndarray, np.ndarray, np.ndarray, int], tallies: list[np.ndarray]) -> None:
        """Run some chains after another, in threads; each call is short, so that Ctrl-C is heard."""
        from ...compiled.gibbs import sweep

        count, updates = len(chains[0]), self.field.variables * max(chains[3], 1)
        threads, tables, wide = torch.get_num_threads(), self._tables, self._wide
        share = -(-count // threads) if count * updates > SERIAL else count
        edges = [*range(0, count, max(1, min(UPDATES // updates, share))), count]

        def run(low: int, high: int) -> None:
            sweep(low, high, *chains, tables, wide, *tallies)

        if threads == 1 or share == count:
            for low, high in zip(edges, edges[1:], strict=False):
                run(low, high)
            return
        pool = ThreadPoolExecutor(threads)
        try:
            list(pool.map(run, edges, edges[1:]))
        finally:
            pool.shutdown(cancel_futures=True)

    def _by_blocks(
        self, states: Tensor, sweeps: int, powers: Tensor, generator: torch.Generator, sums: Tensor, squares: Tensor
    ) -> Tensor:
        moved = states.to(self._dtype).clone()
        for _ in range(sweeps):
            for block in self._blocks.all:
                logits = self._blocks.logits(block, moved, powers)  # [rows, chains, variables of the block, size]
                possible = ~torch.isneginf(logits).all(-1)
                drawn = torch.where(possible, _gumbel(logits, generator), moved[:, :, block.variables].long())
                moved[:, :, block.variables] = drawn.to(self._dtype)
                if sums.numel():
                    p = torch.where(possible.unsqueeze(-1), logits, 0.0).softmax(-1) * possible.unsqueeze(-1)
                    places = self.field.starts[block.variables][:, None] + torch.arange(block.size, device=p.device)
                    sums[:, :, places] += p
                    squares[:, :, places] += p * p
        return moved


def _gumbel(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from log weights along the last axis, by the largest of them with Gumbel noise; never one of -inf."""
    noise = torch.empty_like(logits, memory_format=torch.contiguous_format).exponential_(generator=generator)
    found: Tensor = (logits - noise.log()).argmax(-1)
    return found
