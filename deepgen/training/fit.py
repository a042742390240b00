"""The loop that trains everything: phases take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from pgm.errors import PlanError

from ..data.data import Data
from . import checkpoint
from .average import Average
from .compiled import compiled
from .devices import accelerated
from .events import Events
from .fitting import missing_columns_named, require_fitting
from .history import History, read_history
from .loop import Loop, Watch
from .order import Order, mixed
from .phase import Phase, named_modules
from .player import Player
from .state import State

if TYPE_CHECKING:
    from accelerate import Accelerator

RESIDENT = 0.5  # share of a device's free memory that data may take


def fit(
    phases: Phase | Sequence[Phase],
    data: Data,
    *,
    epochs: float | None = None,
    turns: int | None = None,
    batch: int = 128,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    precision: Literal["no", "bf16"] = "no",
    compile: bool | str = False,
    accumulate: int = 1,
    average: float | None = None,
    record: int = 50,
    every: int = 1000,
    watch: Watch | None = None,
    progress: bool = True,
) -> History:
    """Train modules in place: the phases take turns, each making its objective smaller by some steps.

    In every turn each phase takes its steps, one batch of rows a step. Ctrl-C ends training after the turn and keeps
    what there is. With `out`, the history is written as it grows and checkpoints every so often; a run that was ended,
    by whatever, goes on with `resume=True`, on the CPU to the same bits as if it had never stopped. What monitors of
    the phases find wrong is in `history.notices`, each with its name, and printed once. Started by `accelerate launch`,
    every process takes its share of each batch.

    Args:
        phases: one, or those that take turns.
        data: what the batches are rows of.
        epochs: passes over the data, or
        turns: how many turns.
        batch: rows a batch, over all processes.
        seed: of the order of rows and of all randomness.
        out: the folder of the run, for history and checkpoints; nothing is written when None.
        resume: whether to go on from the newest checkpoint in `out`.
        device: where to compute; by default a GPU where there is one.
        precision: 'no' for float32 throughout, 'bf16' for matrix products in short floats.
        compile: whether networks are compiled, or by which of torch's backends; the first steps then take long.
        accumulate: batches whose gradients make one step.
        average: the decay of moving averages of all parameters, which `watch` sees and which the modules have in the
            end; None for none.
        record: turns between rows of the history.
        every: turns between checkpoints.
        watch: called at each checkpoint with the modules in evaluation mode; returns figures for the history, and may
            write pictures. Randomness that it uses is not that of training.
        progress: whether to show a line on a terminal, and to print notices on stderr.

    Raises:
        PlanError: when an option is not one of these, there is no such device, a column is missing, `out` holds a run
            that is not to be resumed, or parameters are spread over processes (FSDP).
        ShapeError: when a column does not fit the variable of its name.
        DivergenceError: when the objective or a parameter is no longer finite; the modules have what was good last.
        FileError: when there is nothing to resume.

    Example:
        >>> from torch import nn
        >>> from deepgen.data.data import arrays
        >>> from deepgen.training.phase import adam
        >>> x = torch.linspace(-1, 1, 512)[:, None]
        >>> line, data = nn.Linear(1, 1), arrays("a line", x=x, y=3 * x - 1)
        >>> error = lambda batch, moment: (line(batch["x"]) - batch["y"]).square().mean(-1)
        >>> history = fit(Phase("fit", {"line": line}, error, optimiser=adam(0.1)), data, epochs=60, device="cpu")
        >>> round(line.weight.item(), 1), round(line.bias.item(), 1)
        (3.0, -1.0)

    Reference: Robbins and Monro (1951), A stochastic approximation method.
    """
    players = [phases] if isinstance(phases, Phase) else list(phases)
    order = Order(len(data), batch, seed)
    total = _turns(players, order, epochs, turns)
    for name, value in (("accumulate", accumulate), ("record", record), ("every", every)):
        if value < 1:
            raise PlanError(f"fit: {name} is {value!r}, expected 1 or more.")
    modules, backend = named_modules(players), "inductor" if compile is True else compile or None
    require_fitting(data, modules)
    accelerator = accelerated(device, precision, accumulate)
    _require_shares(players, batch, accelerator)
    with torch.random.fork_rng():
        torch.manual_seed(mixed(seed, accelerator.process_index))
        state = _state(players, modules, accelerator, average, {"seed": seed, "batch": batch, "rows": len(data)})
        history = _begun(state, None if out is None else Path(out), resume)
        events = Events(history.folder, state.turn)
        loop = Loop(state, history, events, _resident(data, accelerator.device), order, record, every, watch)
        with missing_columns_named(data, modules), compiled(modules.values(), backend):
            loop.run(total, progress)
    return history


def _turns(phases: Sequence[Phase], order: Order, epochs: float | None, turns: int | None) -> int:
    if not phases:
        raise PlanError("fit: there are no phases, expected one or more.")
    if (epochs is None) == (turns is None):
        raise PlanError(f"fit: epochs is {epochs} and turns {turns}, expected one of them.")
    a_turn = sum(phase.steps for phase in phases)
    found = turns if turns is not None else ceil(float(epochs or 0) * order.an_epoch / a_turn)
    if found < 1:
        raise PlanError(f"fit: there are {found} turns to train, expected 1 or more.")
    return found


def _require_shares(phases: Sequence[Phase], batch: int, accelerator: Accelerator) -> None:
    """Raise a `PlanError` where the mean over processes, or over batches, would not be that of one large batch."""
    processes, parts = accelerator.num_processes, accelerator.gradient_accumulation_steps
    if batch % processes:
        raise PlanError(f"fit: batch is {batch}, expected a multiple of {processes}, the number of processes.")
    moved = [id(parameter) for phase in phases for parameter in phase.parameters()]
    waiting = next((phase for phase in phases if phase.steps % parts), None)
    if waiting is not None and len(set(moved)) < len(moved):
        raise PlanError(
            f"fit: accumulate is {parts}, and phases that move the same parameters take turns before {waiting} has "
            f"gathered so many batches; let each phase have a multiple of {parts} steps."
        )


def _state(
    phases: Sequence[Phase],
    modules: Mapping[str, nn.Module],
    accelerator: Accelerator,
    average: float | None,
    settings: Mapping[str, object],
) -> State:
    for module in modules.values():
        module.to(accelerator.device)
    made = [Player(phase, accelerator) for phase in phases]
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise PlanError(f"fit: phases are called {', '.join(names)}; give each a name of its own.")
    smooth = None if average is None else Average(modules, average)
    return State(modules, made, smooth, accelerator, {**settings, "phases": names, "average": average})


def _begun(state: State, out: Path | None, resume: bool) -> History:
    """The history so far, with the state as it was then."""
    if out is None:
        if resume:
            raise PlanError("fit: resume needs `out`, the folder of the run.")
        return History()
    if resume:
        found = checkpoint.read(out)
        state.load(found)
        history = read_history(out).until(found.turn)
    elif checkpoint.checkpoints(out):
        raise PlanError(f"fit: {out} holds a run already; resume=True goes on with it, or name another folder.")
    else:
        out.mkdir(parents=True, exist_ok=True)
        history = History()
    history.folder = out if state.accelerator.is_main_process else None
    history.write()
    return history


def _resident(data: Data, device: torch.device) -> Data:
    """The data on the device, when they fit."""
    if device.type != "cuda":
        return data.to(device)
    free, _ = torch.cuda.mem_get_info(device)
    return data.to(device) if data.nbytes < RESIDENT * free else data
