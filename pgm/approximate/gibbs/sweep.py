"""Sweeps over many chains at once: compiled on the CPU, block after block in torch elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import ShapeError
from ...fields.blocks import Blocks
from ...fields.field import Field

if TYPE_CHECKING:
    import numpy as np

    from ...compiled.blankets import Blankets
    from ...compiled.gibbs import Tables, Wide

Powers = Tensor | float
UPDATES = 2**20  # of variables in one call of the compiled loop, a tenth of a second
SERIAL = 2**14  # fewer updates are not worth a thread
LANES = 64  # chains side by side, whose states stay in the cache
ROOM = 2**22  # numbers in the look-up tables of all rows, at most
POWERS = 8  # for which look-up tables are held


@dataclass(frozen=True, eq=False)
class Tally:
    """Where chains have come to, and what was seen on the way.

    Args:
        states: state numbers, `[rows, chains, variables]`.
        sums: the conditional probabilities of all states, summed over the sweeps, `[rows, chains, states]`.
        squares: the sums of their squares.
        kept: states on the way, `[rows, chains, times, variables]`.
    """

    states: Tensor
    sums: Tensor
    squares: Tensor
    kept: Tensor


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
        return self._moved(states, sweeps, power, generator, False, range(0)).states

    def tallied(self, states: Tensor, sweeps: int = 1, keep: range = range(0), *, generator: torch.Generator) -> Tally:
        """The same at power 1, with the conditional probabilities of all states summed on the way (Rao-Blackwell).

        Args:
            states, sweeps, generator: as in `sweep`.
            keep: after which of the sweeps the states are kept, counted from 1.
        """
        return self._moved(states, sweeps, 1.0, generator, True, keep)

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
    def _blankets(self) -> Blankets:
        from ...compiled.blankets import blankets

        return blankets(self._tables)

    @cached_property
    def _conditionals(self) -> Callable[[float], np.ndarray]:
        from ...compiled.blankets import conditionals

        return lru_cache(POWERS)(lambda power: conditionals(self._blankets, self._tables, power))

    @cached_property
    def _blocks(self) -> Blocks:
        return Blocks(self.field)

    def _flat(self, states: Tensor) -> Tensor:
        return states.to(self._dtype).reshape(-1, self.field.variables).contiguous()

    def _moved(
        self, states: Tensor, sweeps: int, power: Powers, generator: torch.Generator, tally: bool, keep: range
    ) -> Tally:
        field = self.field
        if states.dim() != 3 or len(states) != field.rows or states.shape[2] != field.variables:
            raise ShapeError(
                f"Sweeper: states have shape {tuple(states.shape)}, expected [rows, chains, variables] = "
                f"[{field.rows}, chains, {field.variables}]."
            )
        powers = torch.as_tensor(power, dtype=torch.float64).expand(states.shape[1])
        levels = powers.unique().tolist()
        levels = powers.unique().tolist()
        if self._compiled and 0 < len(levels) <= POWERS and self._worth_tables(sweeps * states.shape[1] // len(levels)):
            if len(levels) == 1:
                return self._by_look_up(states, sweeps, levels[0], generator, tally, keep)
            moved = states.to(self._dtype).clone()
            for level in levels:
                some = powers == level
                moved[:, some] = self._by_look_up(states[:, some], sweeps, level, generator, False, keep).states
            return Tally(moved, *self._empty(moved, tally), moved[:, :, None])
        return self._step_by_step(states.to(self._dtype).clone(), sweeps, powers, generator, tally, keep)

    def _empty(self, states: Tensor, tally: bool) -> tuple[Tensor, Tensor]:
        """Room for sums over sweeps and for those of squares, `[rows, chains, states]`."""
        shape = (*states.shape[:2], self.field.unary.shape[1] if tally else 0)
        first, second = (self.field.unary.new_zeros(shape, dtype=torch.float64) for _ in range(2))
        return first, second

    def _step_by_step(
        self, states: Tensor, sweeps: int, powers: Tensor, generator: torch.Generator, tally: bool, keep: range
    ) -> Tally:
        """In stretches from one state that is kept to the next."""
        sums, squares = self._empty(states, tally)
        kept, done = [states[:, :, None][:, :, :0]], 0
        go = self._by_chains if self._compiled else self._by_blocks
        for stop in (*keep, sweeps):
            states = go(states, stop - done, powers, generator, sums, squares) if stop > done else states
            done = stop
            kept.append(states[:, :, None])
        return Tally(states, sums, squares, torch.cat(kept[: 1 + len(keep)], 2))

    def _worth_tables(self, updates: int) -> bool:
        """Whether conditionals are worked out beforehand, for so many updates of each variable in a row."""
        where = self._blankets if not self.field.trains and self.field.variables else None
        if where is None:
            return False
        numbers, looked_up = int(where.tables[-1]), int((where.tables[1:] > where.tables[:-1]).sum())
        fits = 2 * looked_up >= self.field.variables and numbers * self.field.rows <= ROOM
        return fits and updates * self.field.variables >= numbers

    def _by_look_up(
        self, states: Tensor, sweeps: int, power: float, generator: torch.Generator, tally: bool, keep: range
    ) -> Tally:
        """All chains side by side at one power."""
        from ...compiled.blankets import look_up

        moved = states.mT.to(self._dtype).clone(memory_format=torch.contiguous_format)  # [rows, variables, chains]
        rows, variables, chains = moved.shape
        keys = torch.randint(2**63 - 1, (rows, chains), generator=generator)
        sums, squares = (each.mT.contiguous() for each in self._empty(states, tally))  # [rows, states, chains]
        kept = moved.new_empty(rows, len(keep), variables, chains)
        lanes = min(LANES, max(8, -(-rows * chains // torch.get_num_threads())), chains)
        where, found, tables = self._blankets, self._conditionals(power), self._tables
        before, after = (moved.numpy(), keys.numpy()), (sums.numpy(), squares.numpy(), kept.numpy())

        def run(low: int, high: int) -> None:
            look_up(low, high, lanes, *before, power, sweeps, tables, where, found, *after, keep.start, keep.step)

        _spread(run, rows * -(-chains // lanes), lanes * sweeps * variables)
        return Tally(moved.mT, sums.mT, squares.mT, kept.permute(0, 3, 1, 2))

    def _by_chains(
        self, states: Tensor, sweeps: int, powers: Tensor, generator: torch.Generator, sums: Tensor, squares: Tensor
    ) -> Tensor:
        """One chain after another; sums and squares are added to, where they are not empty."""
        from ...compiled.gibbs import sweep

        moved = self._flat(states).clone()
        keys = torch.randint(2**63 - 1, (len(moved),), generator=generator)
        chains = moved.numpy(), keys.numpy(), powers.contiguous().numpy(), sweeps
        tallies, tables, wide = [each.flatten(0, 1).numpy() for each in (sums, squares)], self._tables, self._wide

        def run(low: int, high: int) -> None:
            sweep(low, high, *chains, tables, wide, *tallies)

        _spread(run, len(moved), self.field.variables * sweeps)
        return moved.reshape(states.shape)

    def _by_blocks(
        self, states: Tensor, sweeps: int, powers: Tensor, generator: torch.Generator, sums: Tensor, squares: Tensor
    ) -> Tensor:
        """Blocks of independent variables, in torch."""
        moved, powers = states.clone(), powers.to(self.field.unary)
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


def _spread(run: Callable[[int, int], None], count: int, updates: int) -> None:
    """Run some pieces of work, in threads; each call is short, so that Ctrl-C is heard.

    Args:
        run: the pieces from one number to another.
        count: how many there are.
        updates: of variables in each.
    """
    threads = torch.get_num_threads()
    share = -(-count // threads) if count * updates > SERIAL else count
    edges = [*range(0, count, max(1, min(UPDATES // max(updates, 1), share))), count]
    if threads == 1 or share == count:
        for low, high in zip(edges, edges[1:], strict=False):
            run(low, high)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        list(pool.map(run, edges, edges[1:]))
    finally:
        pool.shutdown(cancel_futures=True)


def _gumbel(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from log weights along the last axis, by the largest of them with Gumbel noise; never one of -inf."""
    noise = torch.empty_like(logits, memory_format=torch.contiguous_format).exponential_(generator=generator)
    found: Tensor = (logits - noise.log()).argmax(-1)
    return found
