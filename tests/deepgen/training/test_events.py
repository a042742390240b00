"""TensorBoard reads what the history says."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from deepgen.data.data import arrays
from deepgen.training.fit import fit
from deepgen.training.history import History, read_history
from deepgen.training.phase import Moment, Phase

OPTIONS = {"batch": 8, "every": 5, "record": 2, "device": "cpu"}


def trained(folder: Path, turns: int, resume: bool = False) -> History:
    torch.manual_seed(0)
    module, data = nn.Linear(2, 1), arrays("points", x=torch.ones(16, 2))
    phase = Phase("least", {"net": module}, lambda batch, moment: module(batch["x"]).square().mean(-1))

    def watch(moment: Moment) -> dict[str, float]:
        return {"bound of rest": float(moment.turn)}

    return fit(phase, data, turns=turns, out=folder, resume=resume, watch=watch, **OPTIONS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_events_are_the_rows_of_the_history_also_after_resuming(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="reads the events")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(tmp_path, 7)
    trained(tmp_path, 10, resume=True)
    history = read_history(tmp_path)
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    names = {"least/loss": "least.loss", "bound of rest": "bound of rest", "epoch": "epoch", "seconds": "seconds"}
    assert set(read.Tags()["scalars"]) == set(names)
    for tag, name in names.items():
        found = [(event.step, event.value) for event in read.Scalars(tag)]
        assert found == [(row["turn"], pytest.approx(row[name])) for row in history if name in row]


def test_without_tensorboard_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    trained(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"history.jsonl", "history.csv", "checkpoints"}
