"""Turn after turn: the loop itself, and what it writes down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import NoReturn

import torch
from torch import Tensor, nn

from ..data.data import Data
from ..errors import DivergenceError
from . import checkpoint
from .events import Events
from .history import History, Notice, Row
from .order import Order
from .phase import Batch, Moment
from .player import Player, only
from .state import State
from .watch import Line, Stop

Watch = Callable[[Moment], Mapping[str, float]]


@dataclass(eq=False)
class Loop:
    """A run of training.

    Args:
        state: what is trained, and how far it is.
        history: what was measured so far.
        events: the same for TensorBoard.
        data, order: what the batches are.
        record: turns between rows of the history.
        every: turns between checkpoints.
        watch: what to do at each checkpoint, if anything.
    """

    state: State
    history: History
    events: Events
    data: Data
    order: Order
    record: int
    every: int
    watch: Watch | None

    def run(self, total: int, progress: bool) -> None:
        """Turns until there are so many, or until Ctrl-C."""
        state, batches, good = self.state, self._batches(), self._copy()
        parameters = [p for module in state.modules.values() for p in module.parameters() if p.requires_grad]
        clock = _Clock(state.batches)
        shown = progress and state.accelerator.is_main_process
        with Stop() as stop, Line(total, state.turn, shown) as line:
            self._mode(training=True)
            while state.turn < total and not self.history.interrupted:
                self._turn(batches, parameters)
                self.history.interrupted = stop.asked
                last = state.turn == total or stop.asked
                rowed, kept = (last or state.turn % often == 0 for often in (self.record, self.every))
                if rowed:
                    row = self._row(clock, good)
                    line.say(row, clock.rate(state.batches) * self.order.batch)
                if kept:
                    good = self._keep(good)
                    clock.seconds()  # looking is not training
                if rowed or kept:
                    line.tell(self._noticed())
                line.advance(state.turn)
        self._mode(training=False)
        if state.average is not None:
            state.average.put(state.average.values)
        self.history.write()
        self.events.close()

    def _turn(self, batches: Iterator[Batch], parameters: list[nn.Parameter]) -> None:
        """The steps of every phase."""
        state, several = self.state, len(self.state.players) > 1
        for player in state.players:
            with only(player.parameters, parameters) if several else nullcontext():
                for _ in range(player.phase.steps):
                    player.step(next(batches), self._moment(player))
                    state.batches += 1
        if state.average is not None:
            state.average.update()
        state.turn += 1

    def _moment(self, player: Player) -> Moment:
        return Moment(player.steps, self.state.turn, self.state.batches / self.order.an_epoch)

    def _batches(self) -> Iterator[Batch]:
        """Batches from where the state is, of each the share of this process, on its device."""
        accelerator, home = self.state.accelerator, next(iter(self.data.columns.values())).device
        for number, rows in enumerate(self.order.start(self.state.batches), self.state.batches):
            own = rows.tensor_split(accelerator.num_processes)[accelerator.process_index].to(home)
            found = self.data.batch(own, self.order.generator(number, home))
            yield {name: value.to(accelerator.device, non_blocking=True) for name, value in found.items()}

    def _row(self, clock: _Clock, good: Mapping[str, Tensor]) -> Row:
        """The next row of the history; the only time that numbers come back from the device."""
        state, figures = self.state, dict[str, float]()
        for player in state.players:
            figures |= player.means()
        wrong = [name for name, value in figures.items() if not isfinite(value)]
        if wrong:
            self._diverged(f"{' and '.join(wrong)} became {figures[wrong[0]]}", good)
        state.seconds += clock.seconds()
        row = {"turn": state.turn, "epoch": state.batches / self.order.an_epoch, "seconds": state.seconds, **figures}
        self._note(row)
        return row

    def _note(self, row: Row) -> None:
        self.history.append(row)
        self.events.append(row)

    @torch.no_grad()
    def _noticed(self) -> list[Notice]:
        """What monitors have to say now that they did not say before."""
        monitors = dict.fromkeys(monitor for player in self.state.players for monitor in player.phase.monitors)
        found: dict[str, str] = {}
        with torch.random.fork_rng(enabled=bool(monitors)):
            for monitor in monitors:
                found |= monitor(self.history)
        return self.history.notice(self.state.turn, found)

    def _keep(self, good: dict[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint of a state that is known to be good, and a look at it; what is good now."""
        state = self.state
        wrong = state.wrong()
        if wrong is not None:
            self._diverged(f"{wrong} is no longer finite", good)
        found = state.checkpoint()
        try:  # a run that is killed meanwhile looks again; one whose look fails has its checkpoint all the same
            if self.watch is not None and state.accelerator.is_main_process:
                self._look(self.watch)
        finally:
            if self.history.folder is not None:
                checkpoint.write(self.history.folder, found)
        return self._copy()

    def _look(self, watch: Watch) -> None:
        """Figures of the modules as they are, or of their averages, for the history."""
        state = self.state
        self._mode(training=False)
        with torch.random.fork_rng(), state.average.used() if state.average is not None else nullcontext():
            figures = watch(Moment(state.players[0].steps, state.turn, state.batches / self.order.an_epoch))
        self._mode(training=True)
        if figures:
            self._note({"turn": state.turn, **figures})

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.state.values().items()}

    def _mode(self, training: bool) -> None:
        for module in self.state.modules.values():
            module.train(training)

    def _diverged(self, what: str, good: Mapping[str, Tensor]) -> NoReturn:
        """Put back what was good, and say what went wrong, and where."""
        parameter = self.state.wrong()
        self.state.put(good)
        self._mode(training=False)
        where = "" if parameter is None or parameter in what else f"; the first parameter that is not is {parameter}"
        kept = self.history.folder and checkpoint.checkpoints(self.history.folder)
        held = f"the checkpoint {kept[-1]} is the last good one" if kept else "the modules have what was good last"
        self.history.notice(self.state.turn, {"divergence": f"{what}{where}."})
        raise DivergenceError(
            f"fit: {what} by turn {self.state.turn}{where}; {held}. Lower the learning rate, or cut gradients (clip)."
        )


class _Clock:
    """How long it is since it was last asked, and how many batches a second that makes."""

    def __init__(self, batches: int) -> None:
        self.then, self.lap, self.batches = time.perf_counter(), 0.0, batches

    def seconds(self) -> float:
        """Since last time."""
        now = time.perf_counter()
        self.then, self.lap = now, now - self.then
        return self.lap

    def rate(self, batches: int) -> float:
        """Batches a second in the last lap."""
        made, self.batches = batches - self.batches, batches
        return made / max(self.lap, 1e-9)
