"""Runs of diffusion: sampling as it is chosen when a run is loaded, figures, Ctrl-C and what comes after."""

import os
import signal
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

import deepgen
from deepgen.cli.run import run as command
from deepgen.pictures import watch
from deepgen.recipes import RECIPES
from deepgen.runs.pictures import PICTURES
from deepgen.training import checkpoint
from pgm import PlanError

pytestmark = pytest.mark.usefixtures("no_curves")
TINY = RECIPES["diffusion"](
    epochs=2, batch=500, network="dense", hidden=(8,), noise_steps=6, sample_steps=3, labels=True, average=0.9
)
OPTIONS = {"device": "cpu", "every": 100, "progress": False}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> deepgen.Run:
    return deepgen.train(TINY, tmp_path_factory.mktemp("runs") / "run", **OPTIONS)


def test_sampling_is_chosen_when_a_run_is_loaded(run: deepgen.Run) -> None:
    """The samples are those of the bare model with these options; the parameters stay."""
    chosen = deepgen.load(run.folder, guidance="2", sample_steps=4, eta=0)
    model = TINY.model(run.data)
    model.denoiser.load_state_dict(run.setup.phases[0].modules["denoiser"].state_dict())
    labels = torch.tensor([0, 1, 2])
    expected = model.sample(3, {"label": labels}, guidance=2.0, steps=4, eta=0.0, seed=0)
    torch.testing.assert_close(chosen.sample(3, label=[0, 1, 2], seed=0), (expected + 1) / 2, rtol=0, atol=0)
    assert chosen.recipe == replace(TINY, guidance=2.0, sample_steps=4, eta=0.0)
    assert deepgen.load(run.folder).recipe == TINY


def test_the_command_line_chooses_too(run: deepgen.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen, array = ["--set", "sample-steps=4", "--set", "eta=0"], tmp_path / "drawn.npy"
    assert command(["sample", str(run.folder), "-n", "4", "--seed", "1", *chosen, "-o", str(array)]) == 0
    expected = deepgen.load(run.folder, sample_steps=4, eta=0.0).sample(4, seed=1)
    assert torch.equal(torch.from_numpy(np.load(array)), expected)
    assert capsys.readouterr().out == f"{array}: 4 samples\n"


def test_what_training_decided_stays(run: deepgen.Run) -> None:
    for wrong, said in [
        ({"epochs": 3}, "'epochs' is decided when it is trained; expected 'guidance', 'sample_steps', 'eta'"),
        ({"guidence": 3}, "'guidence' is no setting; .* Did you mean 'guidance'"),
        ({"guidance": "much"}, "guidance is 'much', expected a number"),
        ({"eta": 2}, "eta is 2.0, expected 0 .deterministic. to 1"),
    ]:
        with pytest.raises(PlanError, match=said):
            deepgen.load(run.folder, **wrong)


def test_guidance_needs_labels_before_anything_is_learned() -> None:
    with pytest.raises(PlanError, match="guidance is 2, which needs labels=True while training"):
        replace(TINY, labels=False, guidance=2.0)
    with pytest.raises(PlanError, match="guidance is 2, which needs dropped above 0"):
        replace(TINY, dropped=0.0, guidance=2.0)


def test_the_terms_add_up_to_the_bound(run: deepgen.Run) -> None:
    bound, bits, *terms = run.evaluate()
    assert (bound.side, bits.side, len(terms)) == ("lower bound", "upper bound", 3)
    assert bound.value == pytest.approx(-sum(term.value for term in terms), rel=1e-5)
    assert bits.value == pytest.approx(-bound.value / (64 * log(2)))


def test_samples_are_compared_in_the_shades_that_pictures_show(run: deepgen.Run) -> None:
    drawn = run.sample(20, seed=0)
    assert 0 <= drawn.min() < drawn.max() <= 1
    assert any(figure.name == "coverage" for figure in run.evaluate(samples=20))


@pytest.mark.parametrize("what", ["process", "schedule", "terms"])
def test_pictures_of_its_own_are_drawn(what: str, run: deepgen.Run, tmp_path: Path) -> None:
    PICTURES[what](run, tmp_path / "drawn.png", None)
    assert (tmp_path / "drawn.png").read_bytes()[:8] == PNG


def test_an_interrupted_run_goes_on_to_the_same_bits(run: deepgen.Run, tmp_path: Path, monkeypatch) -> None:
    draw, pressed = watch.grid, []

    def interrupting(*arguments: object, **options: object) -> None:
        if not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))
        draw(*arguments, **options)

    monkeypatch.setattr(watch, "grid", interrupting)
    part = deepgen.train(TINY, tmp_path, **(OPTIONS | {"every": 2}))
    assert part.history.interrupted
    assert part.history["turn"][-1] < run.history["turn"][-1] == 6
    deepgen.resume(tmp_path, **OPTIONS)
    one, two = (checkpoint.read(place) for place in (run.folder, tmp_path))
    assert one.tensors.keys() == two.tensors.keys()
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)


def test_a_run_that_diverges_names_its_phase() -> None:
    with pytest.raises(deepgen.DivergenceError, match=r"fit: simple\.loss became (nan|inf) by turn"):
        deepgen.train(replace(TINY, rate=1e30), **OPTIONS)
