"""Translation from pairs: what the absolute error makes of a Gaussian, who moves, and the same bits after a break."""

from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.networks.dcgan import patchgan
from deepgen.networks.translating import unet_generator
from deepgen.training import checkpoint
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, adam
from deepgen.training.schedules import cosine
from deepgen.zoo.adversarial import Gan, adversarial, pix2pix, translator
from pgm import Real, Variable
from pgm.errors import PlanError, ShapeError

X, SOURCE = Variable("x", Real(1)), Variable("source", Real(1))
IMAGE, OTHER = Variable("image", Real(8, 8)), Variable("source", Real(8, 8))
START = Moment(0, 0, 0.0)


def gaussian(rows: int = 101) -> Data:
    """x = 2 source - 1 + noise of deviation 0.5."""
    rng = np.random.default_rng(0)
    source = rng.standard_normal((rows, 1))
    return arrays("pairs", x=2 * source - 1 + 0.5 * rng.standard_normal((rows, 1)), source=source)


def least_absolute(x: Tensor, source: Tensor) -> Tensor:
    """The line of least mean absolute error at the sources: one through two of the points, so all of them are tried."""
    i, j = torch.triu_indices(len(x), len(x), 1)
    lines = x[i] + (x[j] - x[i]) / (source[j] - source[i]) * (source[:, 0] - source[i])  # [lines, rows]
    return lines[(lines - x[:, 0]).abs().mean(1).argmin()][:, None]


def images(norm="instance") -> Gan:
    torch.manual_seed(0)
    return translator(IMAGE, OTHER, generator=unet_generator(4, norm=norm), discriminator=patchgan(4), patches=[4, 4])


def noise(rows: int) -> Data:
    torch.manual_seed(1)
    return arrays("noise", image=torch.rand(rows, 8, 8) * 2 - 1, source=torch.rand(rows, 8, 8) * 2 - 1)


def test_a_heavy_error_makes_the_line_of_least_absolute_error() -> None:
    """The line that noise was added to is worse than the best one by p / (4 f n) on average, with p = 2, n rows and
    the density f of noise at its median (Koenker and Bassett 1978); what is learned is nearer than that."""
    data = gaussian()
    torch.manual_seed(0)
    model = translator(X, SOURCE, generator=mlp(), discriminator=mlp(8))
    phases = pix2pix(model, 1e4, optimiser=adam(0.1), rate=cosine(100))
    fit(phases, data, turns=100, batch=len(data), device="cpu", progress=False)
    ours, best = model.sample(len(data), {"source": data["source"]}), least_absolute(data["x"], data["source"])
    error, least = ((data["x"] - each).abs().mean().item() for each in (ours, best))
    density = 1 / (0.5 * (2 * pi) ** 0.5)
    assert least - 1e-6 <= error <= least + 2 / (4 * density * len(data))


def test_what_the_generator_pays_is_the_game_and_the_error() -> None:
    model, batch = images(), dict(noise(6).columns)
    first, second = pix2pix(model, 7.0)
    _, plain = adversarial(model)
    costs, game = second.objective(batch, START), plain.objective(batch, START)
    made = model.fake(6, {"source": batch["source"]})["image"]
    error = torch.stack([(made[n] - batch["image"][n]).abs().sum() / 64 for n in range(6)])
    torch.testing.assert_close(costs["error"], 7 * error)
    torch.testing.assert_close(costs["loss"], game["loss"].mean() + 7 * error.mean())


def test_the_discriminator_sees_sources_where_there_are_pairs() -> None:
    batch = dict(noise(4).columns)
    other = batch | {"source": -batch["source"]}
    beside, alone = images(), translator(IMAGE, OTHER, beside=False, generator=unet_generator(4))
    assert not torch.allclose(beside.scores(batch), beside.scores(other))
    assert torch.equal(alone.scores(batch), alone.scores(other))


def test_latent_variables_make_translations_differ() -> None:
    torch.manual_seed(0)
    model = translator(IMAGE, OTHER, latents=3, generator=unet_generator(4))
    source = {"source": noise(1)["source"].expand(5, 8, 8)}
    assert not torch.allclose(*model.sample(5, source)[:2])
    assert torch.allclose(*model.sample(5, source | {"z": torch.zeros(5, 3)})[:2])
    assert repr(model) == "Gan(image from z given source)"


def test_phases_move_their_own_parameters_alone() -> None:
    model = images()
    first, second = pix2pix(model)
    own = [{id(p) for p in part.parameters()} for part in (model.discriminator, model.generator)]
    assert [{id(p) for p in phase.parameters()} for phase in (first, second)] == own


def test_a_run_that_was_ended_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    options = {"batch": 8, "device": "cpu", "every": 2, "progress": False}
    fit(pix2pix(images("batch"), replay=10), noise(40), turns=4, out=tmp_path / "whole", **options)
    fit(pix2pix(images("batch"), replay=10), noise(40), turns=2, out=tmp_path / "part", **options)
    fit(pix2pix(images("batch"), replay=10), noise(40), turns=4, out=tmp_path / "part", resume=True, **options)
    one, two = (checkpoint.read(tmp_path / name).tensors for name in ("whole", "part"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(PlanError, match=r"pix2pix: weight is 0, expected a number above 0."):
        pix2pix(images(), 0)
    with pytest.raises(ShapeError, match=r"patches is \(2, 2\), expected \(4, 4\)"):
        translator(IMAGE, OTHER, generator=unet_generator(4), discriminator=patchgan(4), patches=[2, 2])
    grey = arrays("grey", image=torch.rand(8, 8, 8) * 255, source=torch.rand(8, 8, 8))
    with pytest.raises(ShapeError, match=r"shades from .* a generator of images makes those from -1 to 1.*centred"):
        fit(pix2pix(images()), grey, turns=1, batch=8, device="cpu")
    with pytest.raises(PlanError, match="need a value of 'source'"):
        fit(pix2pix(images()), Data({"image": noise(8)["image"]}), turns=1, batch=8, device="cpu")
