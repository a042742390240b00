"""Runs in Python: what a folder gives back is what was trained; folders that are no runs are named."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

import deepgen
from deepgen.pictures import watch
from deepgen.recipes import VAE
from deepgen.runs.note import Note, read_note, write_note
from deepgen.runs.training import alone
from deepgen.training import checkpoint
from pgm import EvidenceError, FileError, PlanError

pytestmark = pytest.mark.usefixtures("no_curves")
TINY = VAE(epochs=1, batch=500, latents=2, hidden=(8,), labels=True, average=0.9)
OPTIONS = {"device": "cpu", "every": 100, "progress": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> deepgen.Run:
    return deepgen.train(TINY, tmp_path_factory.mktemp("runs") / "run", **OPTIONS)


def test_a_folder_gives_back_what_was_trained(run: deepgen.Run) -> None:
    again = deepgen.load(run.folder)
    assert again.recipe == TINY
    assert again.history.rows == run.history.rows
    assert torch.equal(again.sample(4, label=3, seed=0), run.sample(4, label=3, seed=0))
    assert again.evaluate([1]) == run.evaluate([1])
    assert str(again) == "Run(VAE on digits, 1 of 1 epochs)"


def test_averages_are_what_is_loaded(run: deepgen.Run) -> None:
    kept = checkpoint.read(run.folder).tensors
    model = deepgen.load(run.folder).setup.models["model"]
    names = [name for name, _ in model.named_parameters()]
    assert all(torch.equal(model.get_parameter(name), kept[f"average.model.{name}"]) for name in names)
    assert not all(torch.equal(model.get_parameter(name), kept[f"module.model.{name}"]) for name in names)


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deepgen.train(TINY, **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_asked_for_by_state(run: deepgen.Run) -> None:
    assert run.labels(12).tolist() == [*range(10), 0, 1]
    assert run.labels(3, "7").tolist() == run.labels(3, 7).tolist() == [7, 7, 7]
    assert run.labels(3, [1, "2"]).tolist() == [1, 2, 1]
    with pytest.raises(EvidenceError, match="'label' is 11; its states are '0'"):
        run.sample(1, label=11)
    with pytest.raises(PlanError, match="label is 1.5, expected a state or a list of states"):
        run.sample(1, label=1.5)


def test_training_is_the_same_with_and_without_a_folder(run: deepgen.Run) -> None:
    """Pictures and bounds on the way leave the randomness of training as it was."""
    alone = deepgen.train(TINY, **OPTIONS)
    assert torch.equal(alone.sample(4, label=3, seed=0), run.sample(4, label=3, seed=0))


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = VAE(epochs=4, batch=500, latents=2, hidden=(8,), decay=True)
    whole = deepgen.train(falling, tmp_path / "whole", **OPTIONS)
    draw, pressed = watch.grid, []

    def interrupting(*arguments: object, **options: object) -> None:
        if not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))
        draw(*arguments, **options)

    monkeypatch.setattr(watch, "grid", interrupting)
    part = deepgen.train(falling, tmp_path / "part", **(OPTIONS | {"every": 5}))
    assert part.history.interrupted
    assert part.history["turn"][-1] < whole.history["turn"][-1] == 12
    rest = deepgen.resume(tmp_path / "part", **OPTIONS)
    assert not rest.history.interrupted
    one, two = (checkpoint.read(tmp_path / name) for name in ("whole", "part"))
    assert one.tensors.keys() == two.tensors.keys()
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)


def test_more_epochs_make_a_run_longer(run: deepgen.Run, tmp_path: Path) -> None:
    deepgen.train(TINY, tmp_path, **OPTIONS)
    longer = deepgen.resume(tmp_path, epochs=2, **OPTIONS)
    assert [longer.history["turn"][-1], read_note(tmp_path).recipe.epochs] == [6, 2]
    with pytest.raises(PlanError, match="has made 6 turns, and 1 epochs are 3; ask for more epochs"):
        deepgen.resume(tmp_path, epochs=1, **OPTIONS)
    assert read_note(tmp_path).recipe.epochs == 2


def test_a_run_is_not_written_over(run: deepgen.Run, tmp_path: Path) -> None:
    before = (run.folder / "recipe.json").read_bytes()
    with pytest.raises(PlanError, match="holds a run already; `deepgen resume` goes on with it"):
        deepgen.train(VAE(), run.folder)
    assert (run.folder / "recipe.json").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(PlanError, match="is a file, expected the name of a folder"):
        deepgen.train(TINY, tmp_path / "file")


def test_a_run_that_failed_at_once_can_be_begun_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch is 9999"):
        deepgen.train(VAE(batch=9999), tmp_path, **OPTIONS)
    deepgen.train(TINY, tmp_path, **OPTIONS)
    assert deepgen.load(tmp_path).recipe == TINY


def test_two_processes_do_not_train_in_one_folder(run: deepgen.Run) -> None:
    with alone(run.folder), pytest.raises(PlanError, match="another process trains in .*; wait, or name another"):
        deepgen.resume(run.folder, epochs=2, **OPTIONS)
    assert read_note(run.folder).recipe.epochs == 1


def test_devices_that_are_not_there_are_refused(run: deepgen.Run) -> None:
    with pytest.raises(
        PlanError, match=r"load: device is 'bogus', which torch cannot use here \(.*\); expected cpu, or"
    ):
        deepgen.load(run.folder, "bogus")
    with pytest.raises(PlanError, match="fit: device is 'cuda:99', which torch cannot use here"):
        deepgen.train(TINY, device="cuda:99")


def test_features_without_samples_are_refused(run: deepgen.Run) -> None:
    with pytest.raises(PlanError, match="features are those of samples; say how many"):
        run.evaluate(features=True)


def test_folders_that_are_no_runs_are_named(run: deepgen.Run, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no such folder"):
        deepgen.load(tmp_path / "none")
    with pytest.raises(FileError, match="there is no run in it, recipe.json is missing"):
        deepgen.load(tmp_path)
    about = json.loads((run.folder / "recipe.json").read_text())
    for wrong, said in [
        ({"recipe": "vea"}, "there is no recipe 'vea'"),
        ({"settings": {"latent": 3}}, "there is no setting 'latent'.*Did you mean 'latents'"),
        ({"columns": {"image": [28, 28]}}, r"was trained on image \[28, 28\], but digits now has image \[8, 8\]"),
        ({"columns": None}, "is damaged"),
    ]:
        (tmp_path / "recipe.json").write_text(json.dumps(about | wrong))
        with pytest.raises(FileError, match=said):
            deepgen.load(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps(about)[:-9])
    with pytest.raises(FileError, match="recipe.json: is damaged"):
        deepgen.load(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match="there is no checkpoint in it"):
        deepgen.load(tmp_path)


def test_a_checkpoint_of_another_model_is_named(run: deepgen.Run, tmp_path: Path) -> None:
    about = json.loads((run.folder / "recipe.json").read_text())
    about["settings"]["hidden"] = [9]
    checkpoint.write(tmp_path, checkpoint.read(run.folder))
    (tmp_path / "recipe.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match="its checkpoint is of another model .*size mismatch"):
        deepgen.load(tmp_path)


def test_a_run_without_a_checkpoint_yet_cannot_be_resumed(tmp_path: Path) -> None:
    write_note(tmp_path, Note(TINY, {"image": [8, 8], "label": []}))
    with pytest.raises(FileError, match="there is no checkpoint in it"):
        deepgen.resume(tmp_path)
