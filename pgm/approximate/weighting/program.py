"""What the compiled loop draws and weighs, in flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod

import numpy as np

from ...compiled.forward import DRAW, DRAW_TRAIN, WEIGH, WEIGH_TRAIN, forward
from ...conditionals import Conditional
from ...errors import PlanError
from ...parameters import check_numbers
from ...terms import Local

WIDEST = 2**16  # entries of a table beyond which a noisy or, a cardinality and the like stay trains of matrices
TOO_WIDE = 2**26


@dataclass(frozen=True, eq=False)
class Program:
    """Steps, one a variable that is drawn and one a term or a likelihood that weighs.

    Args:
        names: the variable of each column of states; one more column holds the row of evidence.
        steps, links, cores, tables: as `forward` takes them.
    """

    names: tuple[str, ...]
    steps: np.ndarray
    links: np.ndarray
    cores: np.ndarray
    tables: np.ndarray

    def run(
        self, seed: int, number: int, draws: int, rows: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws for rows of evidence side by side.

        Args:
            seed: of the randomness.
            number: how many draws of that seed were made before.
            draws: how many a row.
            rows: the numbers of their rows in the likelihoods.
            known: what is observed, state numbers `[rows]` by name.

        Returns:
            state numbers `[variables, rows * draws]`, and log weights `[rows * draws]`.
        """
        columns = np.empty((len(self.names) + 1, len(rows) * draws), np.int64)
        for k, name in enumerate(self.names):
            if name in known:
                columns[k] = np.repeat(known[name], draws)
        columns[-1] = np.repeat(rows, draws)
        logs = np.zeros(columns.shape[1])
        key = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        forward(key, number, self.steps, self.links, self.cores, self.tables, columns, logs)
        return columns[:-1], logs


class _Builder:
    """Collects steps."""

    def __init__(self, names: Sequence[str]) -> None:
        self.place = {name: k for k, name in enumerate(names)}
        self.steps: list[tuple[int, ...]] = []
        self.links: list[tuple[int, ...]] = []
        self.cores: list[tuple[int, ...]] = []
        self.tables: list[np.ndarray] = []
        self.length = 0

    def add(self, term: Local, draws: bool) -> None:
        """Draw the child of a conditional, or weigh by a term."""
        sizes = [v.size for v in term.scope]
        out, size = (self.place[term.scope[-1].name], sizes[-1]) if draws else (-1, 0)
        columns = [self.place[v.name] for v in term.scope]
        cores = term.cores() if prod(sizes) > WIDEST else None
        if cores is not None:
            first = len(self.cores)
            for column, core in zip(columns, cores, strict=True):
                left, _, right = core.shape
                numbers = core.numpy(force=True).astype(np.float64)
                check_numbers([numbers], [term])
                start = self._placed(numbers.transpose(1, 0, 2))
                self.cores.append((column, left, right, start))
            self.steps.append((DRAW_TRAIN if draws else WEIGH_TRAIN, out, size, 0, first, len(self.cores)))
            return
        if prod(sizes) > TOO_WIDE:
            raise PlanError(
                f"{term!r}: its table would have 2^{log2(prod(sizes)):.0f} entries. Use NoisyOr, NoisyMax, Parity or "
                "Cardinality for many variables."
            )
        table = term.factor().ordered(term.scope).numpy(force=True).astype(np.float64)
        check_numbers([table], [term])
        if draws:
            self._look_up(DRAW, out, size, _cumulative(table), columns[:-1])
        else:
            self._look_up(WEIGH, out, size, _log(table), columns)

    def weigh(self, name: str, vectors: np.ndarray) -> None:
        """Weigh the states of a variable by likelihoods `[rows, states]`."""
        self._look_up(WEIGH, -1, 0, _log(vectors), [len(self.place), self.place[name]])

    def _look_up(self, kind: int, out: int, size: int, table: np.ndarray, columns: Sequence[int]) -> None:
        first = len(self.links)
        strides = [prod(table.shape[axis + 1 :]) for axis in range(len(columns))]
        self.links += zip(columns, strides, strict=True)
        self.steps.append((kind, out, size, self._placed(table), first, len(self.links)))

    def _placed(self, numbers: np.ndarray) -> int:
        """Where numbers go in the flat array."""
        start = self.length
        self.tables.append(numbers.reshape(-1))
        self.length += numbers.size
        return start


def program(
    order: Sequence[str],
    drawn: Mapping[str, Conditional],
    weighing: Iterable[Local],
    likelihoods: Mapping[str, np.ndarray],
) -> Program:
    """The steps that draw some variables and then weigh them.

    Args:
        order: the names of all variables that matter.
        drawn: the conditionals of those that are drawn, parents before children.
        weighing: the terms to weigh by.
        likelihoods: vectors `[rows, states]` to weigh by, by name.

    Raises:
        PlanError: when a table is too large to be made.
        ShapeError: when a table holds numbers that are negative or not finite.
    """
    made = _Builder(order)
    for conditional in drawn.values():
        made.add(conditional, draws=True)
    for term in weighing:
        made.add(term, draws=False)
    for name, vectors in likelihoods.items():
        made.weigh(name, vectors)
    tables = np.concatenate([*made.tables, np.zeros(0)])
    parts = ((made.steps, 6), (made.links, 2), (made.cores, 4))
    steps, links, cores = (np.array(rows, np.int64).reshape(-1, width) for rows, width in parts)
    return Program(tuple(order), steps, links, cores, tables)


def _cumulative(table: np.ndarray) -> np.ndarray:
    """Cumulative sums along the last axis; one from the last possible state on, whatever rounding says."""
    sums = table.cumsum(-1)
    total = sums[..., -1:]
    return np.where(sums >= total, 1.0, sums / np.where(total > 0, total, 1.0))


def _log(table: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log(table)
    return found
