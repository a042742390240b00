"""The history for TensorBoard, where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .history import Row

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Events:
    """Rows of a history as event files in the folder of a run; nothing without a folder, or without TensorBoard.

    `tensorboard --logdir runs` shows them, `phase.term` as `phase/term`, by turn.

    Args:
        folder: of the run, if it has one.
        turn: where the run goes on; what is there from later turns is hidden.
    """

    def __init__(self, folder: Path | None, turn: int) -> None:
        self._writer = None if folder is None else _writer(folder, turn)

    def append(self, row: Row) -> None:
        """Take in a row."""
        if self._writer is not None:
            for name, value in row.items():
                if name != "turn":
                    self._writer.add_scalar(name.replace(".", "/"), value, int(row["turn"]))
            self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path, turn: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=turn + 1)
