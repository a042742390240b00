"""Wide images from a model of small ones: sampling."""

import pytest
import torch
from torch import nn

from deepgen.networks.timed import timed_mlp
from deepgen.zoo.diffusion import cosine_noise, diffusion
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.diffusion.model import Diffusion
from deepgen.zoo.flow_matching.model import flow_matching
from deepgen.zoo.panorama import panorama
from pgm import Real, Variable
from pgm.errors import ShapeError

X, LABEL, NOISE = Variable("x", Real(4, 4)), Variable("label", range(3)), cosine_noise(6)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    model = diffusion(X, timed_mlp(32), label=LABEL, noise=NOISE, predicts="v")
    for parameter in model.denoiser.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


LABELS = {"label": torch.tensor([0, 2])}


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 3, "eta": 0.0},
        {"guidance": 2.0},
        {"known": torch.ones(2, 4, 4), "mask": torch.eye(4), "repeats": 2},
        {"start": torch.ones(2, 4, 4), "strength": 0.5},
    ],
    ids=["eta", "guidance", "known", "start"],
)
def test_one_window_is_the_model_itself(small, options):
    wide = panorama(small, (4, 4), 1)
    torch.testing.assert_close(wide.sample(2, LABELS, **options, seed=0), small.sample(2, LABELS, **options, seed=0))


def test_windows_that_do_not_overlap_are_independent(small):
    """With eta=0 each third of a wide image is what the small model makes of that third of x_T, with its own label."""
    labels = torch.tensor([[0, 1, 2], [2, 2, 1]])
    noise = torch.randn(2, 4, 12)
    wide = panorama(small, (4, 12), 4)
    found = wide.sample(2, {"label": labels}, eta=0.0, start=noise, strength=1.0, guidance=1.0, seed=0)
    torch.manual_seed(0)
    noise = wide.route(eta=0.0).legs[0].kept ** 0.5 * noise + (1 - wide.route().legs[0].kept) ** 0.5 * torch.randn(
        2, 4, 12
    )
    for place in range(3):
        part, given = slice(4 * place, 4 * place + 4), torch.eye(3)[labels[:, place]]
        now = noise[..., part]
        for leg in small.route(eta=0.0).legs:
            steps = torch.full((2,), leg.step)
            told, blind = (small.denoiser.start(now, steps, each) for each in (given, 0 * given))
            now = leg.start * (2 * told - blind) + leg.now * now
        torch.testing.assert_close(found[..., part], now, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("predicts", ["data", "mean", "v"])
def test_means_of_noise_are_means_of_data(small, predicts):
    """One network's x_0 said in two ways: as x_t is shared, it does not matter which is averaged."""

    class Translated(nn.Module):
        """The same x_0, said as noise is, from what the network of another kind says."""

        def forward(self, now, time, *given):
            steps = (time[..., 0] * NOISE.steps).round().long()
            start = other.denoiser.start(now, steps, *given)
            kept = NOISE.kept[steps].float()[..., None, None]
            return (now - kept.sqrt() * start) / (1 - kept).sqrt()

    other = Diffusion(X, Denoiser(small.denoiser.net, NOISE, predicts), small.given)
    noise = Diffusion(X, Denoiser(Translated(), NOISE, "noise"), small.given)
    drawn = [panorama(model, (6, 10), 2).sample(2, LABELS, seed=0, steps=5) for model in (other, noise)]
    torch.testing.assert_close(*drawn, atol=1e-3, rtol=1e-3)


def test_moments_of_a_linear_network():
    """With a linear network all legs are linear: the covariance of the panorama is that of their product."""
    torch.manual_seed(0)
    matrix = torch.randn(4, 4).double() / 4

    class Linear(nn.Module):
        def forward(self, x, time):
            return (x.flatten(-2) @ matrix.to(x).T).reshape(x.shape)

    x, noise = Variable("x", Real(2, 2)), cosine_noise(4)
    wide = panorama(Diffusion(x, Denoiser(Linear(), noise, "v")), (2, 4), 1)
    weights = torch.zeros(8, 8).double()  # the network of the wide image, from windows of columns 0-1, 1-2 and 2-3
    times = torch.zeros(8).double()
    for left in range(3):
        places = torch.tensor([left, left + 1, 4 + left, 5 + left])
        weights[places[:, None], places] += matrix
        times[places] += 1
    weights = weights / times[:, None]
    covariance = torch.eye(8).double()
    for leg in wide.route().legs:
        step = leg.start * (leg.of_said * weights + leg.of_seen * torch.eye(8)) + leg.now * torch.eye(8)
        covariance = step @ covariance @ step.T + leg.deviation**2 * torch.eye(8)
    drawn = wide.sample(20_000, seed=0).flatten(1).double()
    found = drawn.T @ drawn / len(drawn)
    variances = covariance.diagonal()
    error = (
        (variances[:, None] * variances + covariance.square()) / len(drawn)
    ).sqrt()  # of a Gaussian's second moments
    assert bool(((found - covariance).abs() < 5 * error).all())


def test_what_is_known_stays_and_the_rest_is_drawn(small):
    """The mask is one of the wide image: a middle that two windows share."""
    mask = torch.zeros(4, 8)
    mask[:, 3:5] = 1
    found = panorama(small, (4, 8), 2).sample(2, LABELS, known=torch.full((2, 4, 8), 0.7), mask=mask, seed=0)
    assert ((found == 0.7) == mask.bool()).all()


def test_parameters_are_those_of_the_small_model(small):
    wide = panorama(small, (4, 12), 4)
    pairs = zip(wide.denoiser.parameters(), small.denoiser.parameters(), strict=True)
    assert all(a is b for a, b in pairs)
    assert repr(wide) == "Diffusion(x given label, 6 steps, predicts v)"
    assert wide.x.shape == (4, 12)


def test_flow_matching_in_windows_that_do_not_overlap():
    """Noise is carried as the small model carries each part, and log densities of parts add up."""
    torch.manual_seed(0)
    small = flow_matching(X, timed_mlp(16))
    wide, noise = panorama(small, (4, 8), 4), torch.randn(2, 4, 8)
    found = wide.carried(noise, steps=2)
    parts = [small.carried(part, steps=2) for part in noise.chunk(2, -1)]
    torch.testing.assert_close(found, torch.cat(parts, -1))
    densities = [small.log_prob({"x": part}, steps=1) for part in parts]
    torch.testing.assert_close(wide.log_prob({"x": found}, steps=1), sum(densities), atol=1e-3, rtol=1e-4)


def test_refusals(small):
    wide = panorama(small, (4, 12), 4)
    with pytest.raises(
        ShapeError, match=r"'label' has shape \(2, 2\), expected \(2,\) = \[rows, \*event\], or \[rows, 3"
    ):
        wide.sample(2, {"label": torch.zeros(2, 2, dtype=torch.long)})
    with pytest.raises(ShapeError, match=r"windows of 4 pixels, 3 apart, do not end at 12; take 10 or 13"):
        panorama(small, (4, 12), 3)
