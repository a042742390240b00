"""The recipe of adversarial networks: what it measures, draws, and refuses."""

from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import torch

import deepgen
from deepgen.data.named import named
from deepgen.data.toys import grid_centres, ring_centres
from deepgen.evaluate.beside import sample_figures
from deepgen.evaluate.samples import modes
from deepgen.recipes.gan import GAN, mixture
from deepgen.runs.pictures import PICTURES
from deepgen.runs.run import Run, fresh
from deepgen.training.history import History
from deepgen.training.phase import Moment
from pgm.errors import PlanError

SMALL = GAN(labels=True, channels=(4, 8), latents=4)
TOYS = {"ring": (ring_centres(), 0.01), "grid": (grid_centres(), 0.05)}


def untrained(recipe: GAN) -> Run:
    data = recipe.load()
    return Run(recipe, fresh(recipe, data), data, History())


@pytest.mark.parametrize("name", TOYS)
def test_modes_of_standardised_points_are_those_of_the_points(name):
    """Held-out rows stand for samples; a third of them is moved off, and half of the plane is empty."""
    rows = named(name, "test")["x"][:3000]
    rows = torch.where(torch.arange(3000)[:, None] % 3 == 0, rows + 0.5, rows)
    rows = rows[rows[:, 0] > 0.1]
    train = named(name)["x"]
    centre = train.mean(0)
    scale = (train - centre).square().mean().sqrt()
    expected = modes(rows, *TOYS[name])
    captured, share = mixture((rows - centre) / scale, named(name))
    assert (captured.value, share.value) == (expected.captured, pytest.approx(expected.high_quality, abs=2e-3))
    assert captured.value < expected.of


def test_figures_say_how_good_digits_are():
    run = untrained(SMALL)
    names = [figure.name for figure in run.evaluate()]
    assert names[:2] == ["sliced Wasserstein distance", "labels as asked"]
    assert names[2:] == ["nearer to training rows than test rows are", "copies of training rows"]
    assert {f.name for f in untrained(GAN(data="ring")).evaluate()} > {"modes captured", "samples of high quality"}


def test_figures_are_the_same_whenever_asked():
    run = untrained(SMALL)
    assert [f.value for f in run.evaluate()] == [f.value for f in run.evaluate()]


def test_samples_beside_data_are_in_the_same_shades():
    """Pictures have shades from 0 to 1, data that are learned from those from -1 to 1."""
    run, train, test = untrained(SMALL), named("digits"), named("digits", "test")
    drawing = replace(run.setup, sample=lambda rows, labels: test["image"][:rows], figures=lambda held: ())
    found = replace(run, setup=drawing).evaluate(samples=100)
    expected = sample_figures(test["image"][:100], train, test=test)
    assert [(f.name, pytest.approx(f.value)) for f in found] == [(f.name, f.value) for f in expected]


def test_truncated_latent_variables_are_near_0():
    """All samples of a label are then one, the generator's of z = 0; and z may be cut off after training."""
    run = untrained(replace(SMALL, truncation=1e-6))
    found = run.sample(20)
    torch.testing.assert_close(found[:10], found[10:])
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(*untrained(SMALL).sample(20).split(10))
    assert GAN.sampling == ("truncation",)


def test_players_have_rates_and_steps_of_their_own():
    first, second = untrained(replace(SMALL, critic_steps=3, critic_rate=4e-3, rate=1e-4, momentum=0.2)).setup.phases
    assert (first.steps, second.steps) == (3, 1)
    groups = [phase.optimiser(phase.parameters()).param_groups[0] for phase in (first, second)]
    assert [(group["lr"], group["betas"][0]) for group in groups] == [(4e-3, 0.2), (1e-4, 0.2)]
    steps = -(-SMALL.steps(SMALL.load()) // 4)
    for phase, length in ((first, 3 * steps), (second, steps)):
        assert phase.rate(length) == pytest.approx(0, abs=1e-6)
        assert phase.rate(length // 2) == pytest.approx(0.5, abs=1e-2)


def penalty(recipe: GAN, turn: int = 0) -> torch.Tensor:
    """What networks that have learned nothing pay for slopes at the first rows in a turn; nothing without."""
    run = untrained(recipe)
    batch = {name: column[:20] for name, column in run.data.columns.items()}
    torch.manual_seed(0)
    return run.setup.phases[0].objective(batch, Moment(turn, turn, 0.0)).get("penalty", torch.zeros(20)).detach()


def test_points_are_learned_under_a_penalty_and_images_under_none():
    points = GAN(data="ring")
    assert penalty(SMALL).sum() == 0
    torch.testing.assert_close(penalty(points), penalty(replace(points, penalty="r1", weight=0.02)))
    torch.testing.assert_close(penalty(replace(points, weight=1.0)), 50 * penalty(points))
    assert penalty(replace(points, penalty="none")).sum() == 0
    assert penalty(replace(points, penalty="gradient")).mean() > 1  # 10 (|slope| - 1)^2 of a net that is nearly flat


def test_a_penalty_fades_by_the_same_factor_each_turn():
    fading = GAN(data="ring", fade=0.01, epochs=20, batch=1000)  # 200 batches, so 100 turns, in 90 of which it fades
    for turn, share in ((0, 1.0), (45, 0.1), (90, 0.01), (99, 0.01)):
        torch.testing.assert_close(penalty(fading, turn), share * penalty(replace(fading, fade=1.0), turn))
    for missing in (replace(SMALL, fade=0.5), replace(SMALL, weight=1.0), GAN(data="ring", penalty="none", weight=1.0)):
        with pytest.raises(PlanError, match="GAN: weight and fade are of a penalty, and there is none; name it"):
            untrained(missing)


def test_noise_dies_away():
    """Rows that the discriminator sees are the same with and without it in the end, not at first."""
    points = GAN(data="ring", penalty="none")

    def scores(recipe: GAN, turn: int) -> torch.Tensor:
        run = untrained(recipe)
        torch.manual_seed(0)
        return run.setup.phases[0].objective({"x": run.data["x"][:500]}, Moment(turn, turn, 0.0))["real"].detach()

    gaps = [(scores(replace(points, noise=0.5), turn) - scores(points, turn)).square().mean() for turn in (0, 10**6)]
    assert gaps[1] == pytest.approx(float(gaps[0]) / 50**2, rel=0.5)  # slopes are those of a net, nearly straight


@pytest.mark.parametrize("network", ["dense", "dcgan"])
def test_images_have_shades(network):
    drawn = untrained(replace(SMALL, network=network)).sample(10)
    assert drawn.shape == (10, 8, 8)
    assert 0 <= drawn.min() < drawn.max() <= 1


@pytest.mark.parametrize("what", ["interpolation", "arithmetic", "neighbours"])
def test_pictures_are_drawn(what, tmp_path: Path):
    from matplotlib.image import imread

    PICTURES[what](untrained(SMALL), tmp_path / "picture.png", None)
    pixels = imread(tmp_path / "picture.png")
    assert min(pixels.shape[:2]) > 100
    assert pixels.std() > 0.1
    with pytest.raises(PlanError, match="no picture|a guide is needed"):
        PICTURES[what](untrained(GAN(data="ring")), tmp_path / "points.png", None)


def test_pictures_that_there_are_not_are_told_apart_from_those_that_there_are(tmp_path: Path):
    drawn = "draw its graph, samples, curves, interpolation, arithmetic or neighbours"
    with pytest.raises(PlanError, match=rf"draw: Run\(.*\) has no picture 'codes'; {drawn}\."):
        PICTURES["codes"](untrained(SMALL), tmp_path / "picture.png", None)
    with pytest.raises(PlanError, match=rf"draw: for latents a guide is needed, which Run\(.*\) does not .*; {drawn}"):
        PICTURES["latents"](untrained(SMALL), tmp_path / "picture.png", None)


@pytest.mark.parametrize("name", ["critic_steps", "latents", "pack", "weight", "critic_rate", "truncation"])
def test_settings_are_above_0(name):
    with pytest.raises(PlanError, match=f"GAN: {name} is 0, expected a number above 0."):
        GAN(**{name: 0})


def test_noise_is_not_negative_and_penalties_are_of_single_rows():
    for wrong in ({"noise": -1.0}, {"noise": nan}, {"fade": 0.0}, {"fade": 1.5}):
        with pytest.raises(PlanError, match="GAN: noise is .* and fade .*, expected 0 or more, and above 0 up to 1."):
            GAN(**wrong)
    with pytest.raises(PlanError, match=r"adam: betas are \(1.5, 0.99\), expected two numbers from 0 to below 1"):
        untrained(replace(SMALL, momentum=1.5))
    with pytest.raises(PlanError, match="batch"):
        untrained(replace(SMALL, penalty="r1"))
    assert len(untrained(replace(SMALL, penalty="r1", norm="layer", spectral=True)).setup.phases) == 2


def test_a_pack_is_within_a_batch() -> None:
    with pytest.raises(PlanError, match="GAN: pack is 65 and batch 64, expected a pack within a batch"):
        GAN(pack=65)


@pytest.mark.usefixtures("no_curves")
def test_modes_of_known_mixtures_are_in_the_history(tmp_path: Path) -> None:
    """Those of the samples that the picture of a checkpoint shows."""
    run = deepgen.train(GAN(data="ring", epochs=1e-9, hidden=(4,)), tmp_path, device="cpu", progress=False)
    figures = mixture(run.sample(1000, seed=0), named("ring"))
    assert {figure.name: figure.value for figure in figures}.items() <= run.history.last.items()
