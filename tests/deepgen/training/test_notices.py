"""What monitors notice while a model learns: kept, printed once, told again by the folder, and of no consequence."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepgen import arrays, fit, in_turn, read_history
from deepgen.errors import DivergenceError
from deepgen.training.history import History, Notice
from deepgen.training.phase import Batch, Moment, Phase

OPTIONS = {"batch": 8, "every": 4, "record": 2, "device": "cpu"}
DATA = arrays("points", x=torch.ones(16, 2))
ALL = [Notice(2, "early", "only by 2."), Notice(6, "late", "6 turns.")]


def uneasy(history: History) -> dict[str, str]:
    """What is wrong at turn 2 alone, and what is from turn 6 on; it draws something."""
    turn, drawn = int(history.rows[-1]["turn"]), torch.rand(())
    found = {"early": "only by 2."} if turn == 2 else {"late": f"{turn} turns."}
    return found if turn == 2 or turn >= 6 and drawn < 2 else {}


def learning(*monitors: object, fails: float = 1e9) -> Phase:
    torch.manual_seed(0)
    module = nn.Linear(2, 1)

    def objective(batch: Batch, moment: Moment) -> Tensor:
        error = (module(batch["x"]) + torch.randn(8, 1)).square().mean(-1)
        return error / (moment.turn < fails)

    return Phase("least", {"net": module}, objective, monitors=monitors)


def test_each_is_noticed_once_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    watched, quiet = learning(uneasy), learning()
    history = fit(watched, DATA, turns=10, out=tmp_path, **OPTIONS)
    assert history.notices == read_history(tmp_path).notices == ALL
    assert capsys.readouterr().err == "early by turn 2: only by 2.\nlate by turn 6: 6 turns.\n"
    assert "noticed early, noticed late" in repr(history)
    assert fit(quiet, DATA, turns=10, progress=False, **OPTIONS).notices == []
    assert torch.equal(*(phase.modules["net"].weight for phase in (watched, quiet)))


def test_a_resumed_run_has_noticed_what_the_run_that_never_stopped_has(tmp_path: Path) -> None:
    """Its file still has a notice from after the checkpoint, as when the run was killed, and half of another."""
    fit(learning(uneasy), DATA, turns=4, out=tmp_path, progress=False, **OPTIONS)
    lost = json.dumps(asdict(Notice(5, "lost", "after the checkpoint.")))
    with open(tmp_path / "notices.jsonl", "a") as file:
        file.write(f'{lost}\n{{"turn": 5, "na')
    history = fit(learning(uneasy), DATA, turns=10, out=tmp_path, resume=True, progress=False, **OPTIONS)
    assert history.notices == read_history(tmp_path).notices == ALL


def test_a_look_at_the_model_may_notice_too() -> None:
    phase = learning(lambda history: {"looked": f"at {history.newest('distance', 0.0):g}."})
    history = fit(phase, DATA, turns=4, watch=lambda moment: {"distance": 3.0}, progress=False, **OPTIONS)
    assert history.notices == [Notice(2, "looked", "at 0.")]


def test_what_ended_a_run_is_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match="least.loss became (nan|inf) by turn 6"):
        fit(learning(fails=4), DATA, turns=10, out=tmp_path, progress=False, **OPTIONS)
    (notice,) = read_history(tmp_path).notices
    assert str(notice).startswith("divergence by turn 6: least.loss became ")


def test_phases_in_turn_have_the_monitors_of_all() -> None:
    one, two = learning(uneasy), learning(uneasy, lambda history: {})
    two = Phase("two", {"other": two.modules["net"]}, two.objective, monitors=two.monitors)
    assert in_turn("both", (one, 1), (two, 1)).monitors == two.monitors


def test_terms_are_those_of_training() -> None:
    rows = [{"turn": 1, "a.gap": 2.0}, {"turn": 2, "held-out a.gap": 9.0, "a.loss": 1.0}, {"turn": 3, "b.gap": 3.0}]
    history = History(rows)
    assert (history.first("gap", 0.0), history.newest("gap", 0.0), history.newest("none", 5.0)) == (2.0, 3.0, 5.0)
