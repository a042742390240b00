"""Samples while a model learns: training does not notice, and what is written is whole."""

import os
import signal

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from deepgen import Phase, fit, moons
from deepgen.data.data import Data
from deepgen.pictures import graph, grid, samples_over_time, watch_samples
from deepgen.pictures.style import canvas, saved
from deepgen.recipes import VAE, Setup
from deepgen.training.phase import Moment
from pgm.errors import FileError

RECIPE = VAE(latents=2, hidden=(8,))
DATA, HELD = RECIPE.load().rows(slice(200)), RECIPE.load("test").rows(slice(50))
NAMES = [f"samples-{turn:09d}.png" for turn in (2, 4, 6)]


def trained(watch_of, out):
    torch.manual_seed(0)
    setup = RECIPE.setup(DATA)
    watch = watch_of(setup) if watch_of else None
    history = fit(setup.phases, DATA, turns=6, record=1, every=2, out=out, device="cpu", watch=watch, progress=False)
    return setup.pair, history


def test_training_is_the_same_to_the_bit_with_and_without(tmp_path):
    plain, history = trained(None, tmp_path / "plain")
    seen = tmp_path / "seen"
    watched, other = trained(lambda setup: watch_samples(setup, seen, held=HELD, rows=9), seen)
    assert history["elbo.loss"] == other["elbo.loss"]
    for one, two in zip(plain.modules.values(), watched.modules.values(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert sorted(path.name for path in seen.glob("samples-*")) == NAMES
    assert len(other["held-out elbo.loss"]) == 3


def test_pictures_of_one_model_are_one_picture(tmp_path):
    setup = RECIPE.setup(DATA)
    watch = watch_samples(setup, tmp_path, rows=4)
    before = torch.get_rng_state()
    assert watch(Moment(0, 1, 0.0)) == watch(Moment(0, 2, 0.0)) == {}
    assert torch.equal(torch.get_rng_state(), before)
    one, two = sorted(tmp_path.iterdir())
    assert one.read_bytes() == two.read_bytes()


def test_held_out_terms_are_means_over_all_rows(tmp_path):
    line = torch.nn.Linear(1, 1)
    phase = Phase("fit", {"line": line}, lambda batch, moment: {"loss": batch["x"].sum(-1) + 0 * line.bias})
    setup = Setup({}, (phase,), lambda rows, labels: moons(rows, seed=1)["x"], lambda data: ())
    held = Data({"x": moons(1203)["x"]})
    found = watch_samples(setup, tmp_path, held=held)(Moment(0, 5, 0.0))
    assert found == {"held-out fit.loss": pytest.approx(held["x"].sum(-1).mean().item(), rel=1e-5)}
    assert [path.name for path in tmp_path.iterdir()] == ["samples-000000005.png"]


def test_a_run_that_is_interrupted_has_its_picture(tmp_path):
    presses = iter([signal.SIGINT])

    def interrupting(setup):
        watch = watch_samples(setup, tmp_path, rows=4)

        def both(moment):
            for press in presses:
                os.kill(os.getpid(), press)
            return watch(moment)

        return both

    _, history = trained(interrupting, tmp_path)
    assert history.interrupted
    assert [row["turn"] for row in history] == [1, 2, 3]
    drawn = sorted(tmp_path.glob("samples-*"))
    assert [path.name for path in drawn] == [NAMES[0], "samples-000000003.png"]
    assert [imread(path).ndim for path in drawn] == [3, 3]


def test_a_picture_that_is_broken_off_leaves_no_file(tmp_path, monkeypatch):
    figure = canvas(64, 64)

    def broken(file, **options):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(KeyboardInterrupt):
        saved(figure, tmp_path / "half.png")
    assert list(tmp_path.iterdir()) == []


def test_pictures_over_time_are_those_in_the_folder(tmp_path):
    for turn in range(1, 10):
        grid(torch.full((4, 2, 2), turn / 10), path=tmp_path / f"samples-{1000 * turn:09d}.png")
    (axes,) = samples_over_time(tmp_path, most=3, title="Grey").axes
    assert [text.get_text() for text in axes.texts] == ["Grey", "turn 1,000", "turn 5,000", "turn 9,000"]
    pixels = np.asarray(axes.images[0].get_array())[..., 0]
    assert {round(shade * 255) for shade in (0.1, 0.5, 0.9)} <= set(np.unique(pixels).tolist())


def test_folders_without_pictures_of_one_size_are_named(tmp_path):
    with pytest.raises(FileError, match=r"there are no pictures samples-\*.png in it; fit with watch=watch_samples"):
        samples_over_time(tmp_path)
    for turn, rows in ((1, 4), (2, 9)):
        grid(torch.zeros(rows, 2, 2), path=tmp_path / f"samples-{turn}.png")
    with pytest.raises(FileError, match=r"the pictures samples-\*.png differ in size, expected those of one run"):
        samples_over_time(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "svg", "dot"])
def test_a_graph_has_the_arrows_of_both_and_their_parameters(tmp_path, suffix):
    pair = RECIPE.setup(DATA).pair
    picture = graph(pair, parameters=True, path=tmp_path / f"graph.{suffix}")
    arrows = {line.split(" [")[0].strip(" ;") for line in picture.dot.splitlines() if " -> " in line}
    assert arrows == {
        '"model: z" -> "model: image"', '"guide: image" -> "guide: z"',
        '"model: θ of image" -> "model: image"', '"guide: φ of z" -> "guide: z"',
    }  # fmt: skip
    for module in pair.modules.values():
        assert f"{sum(parameter.numel() for parameter in module.parameters()):,} numbers" in picture.dot
    assert (tmp_path / f"graph.{suffix}").stat().st_size > 0


def test_a_graph_shades_what_is_observed_and_boxes_what_is_in_every_row():
    dot = graph(RECIPE.setup(DATA).pair).dot
    shaded = [line.split('"')[1] for line in dot.splitlines() if 'fillcolor="#fbdfaf"' in line]
    assert shaded == ["model: image", "guide: image"]
    assert [dot.count(f"label=<{text}>") for text in ("model", "guide", "rows")] == [1, 1, 1]
