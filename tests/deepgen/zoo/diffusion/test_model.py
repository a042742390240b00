"""Sampling by diffusion where every step is linear, and its distribution known."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.networks.timed import timed_mlp
from deepgen.zoo.diffusion import Diffusion, Noise, cosine_noise, diffusion
from deepgen.zoo.diffusion.denoiser import Denoiser
from pgm import Real, Variable

X, LABEL = Variable("x", Real(1)), Variable("label", range(3))
ROWS, STEPS = 20_000, 20
VARIANCE = 0.25


class Best(nn.Module):
    """E(x_0 | x_t) of data N(label, 1 / 4), or N(0, 1 / 4) where no label is told."""

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, now: Tensor, time: Tensor, label: Tensor) -> Tensor:
        mean = (label * torch.arange(3.0)).sum(-1, keepdim=True)
        kept = self.noise.kept[(time * self.noise.steps).round().long()].to(now)
        return mean + kept.sqrt() * VARIANCE / (kept * VARIANCE + 1 - kept) * (now - kept.sqrt() * mean)


def made(variance: str = "posterior") -> Diffusion:
    noise = cosine_noise(100)
    return Diffusion(X, Denoiser(Best(noise), noise, "data", variance), (LABEL,), dropped=0.1)


def expected(steps: int, eta: float | None, mean: float) -> tuple[float, float]:
    """Mean and variance of what comes out, step by step, every step being linear in x_t."""
    noise, _ = cosine_noise(100).respaced(steps)
    centre, spread = 0.0, 1.0
    for t in range(steps, 0, -1):
        kept, before = noise.kept[t].item(), noise.kept[t - 1].item()
        gain = kept**0.5 * VARIANCE / (kept * VARIANCE + 1 - kept)
        drawn = noise.posterior_variance[t].item() * (1 if eta is None else eta**2)
        if eta is None:
            of_start, of_now = (weights[t].item() for weights in noise.posterior_weights)
        else:
            along = ((1 - before - drawn) / (1 - kept)) ** 0.5
            of_start, of_now = before**0.5 - along * kept**0.5, along
        slope = of_start * gain + of_now
        centre = slope * centre + of_start * (1 - gain * kept**0.5) * mean
        spread = slope**2 * spread + (drawn if t > 1 else 0.0)
    return centre, spread


@pytest.mark.parametrize("eta", [None, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [STEPS, 100])
def test_samples_have_the_moments_that_linear_steps_give(eta, steps):
    labels = torch.full((ROWS,), 2)
    found = made().sample(ROWS, {"label": labels}, steps=steps, eta=eta, seed=0).double()
    mean, variance = expected(steps, eta, 2.0)
    assert abs(found.mean() - mean) < 5 * (variance / ROWS) ** 0.5
    assert abs(found.var() - variance) < 5 * variance * (2 / ROWS) ** 0.5


def test_an_ancestral_way_is_the_models_own_posterior():
    """With eta = 1 what is drawn anew has the variance of q(x_{t-1} | x_t, x_0): both ways give the same draws."""
    labels = {"label": torch.tensor([0, 1, 2])}
    torch.testing.assert_close(made().sample(3, labels, eta=1.0, seed=3), made().sample(3, labels, seed=3))


def test_guidance_goes_on_in_the_direction_of_the_label():
    """The prediction is linear in the mean of the data, so that guidance w moves that from m to (1 + w) m."""
    labels = {"label": torch.full((ROWS,), 1)}
    found = made().sample(ROWS, labels, steps=STEPS, eta=0.0, guidance=1.5, seed=0).double()
    mean, variance = expected(STEPS, 0.0, 2.5)
    assert abs(found.mean() - mean) < 5 * (variance / ROWS) ** 0.5


def test_what_is_known_comes_out_as_it_is():
    model = diffusion(Variable("x", Real(4, 4)), timed_mlp(8), noise=cosine_noise(10))
    known, mask = torch.randn(5, 4, 4), torch.zeros(4, 4)
    mask[:2] = 1
    found = model.sample(5, known=known, mask=mask, repeats=2, seed=0)
    torch.testing.assert_close(found[:, :2], known[:, :2])
    assert bool((found[:, 2:] != known[:, 2:]).all())


def test_a_start_without_noise_stays_and_with_all_noise_is_forgotten():
    model, labels = made(), {"label": torch.ones(5, dtype=torch.long)}
    start = torch.linspace(-1, 1, 5)[:, None]
    torch.testing.assert_close(model.sample(5, labels, start=start, strength=0.0, seed=0), start)
    forgotten = model.sample(5, labels, start=start, strength=1.0, seed=0, eta=0.0)
    torch.testing.assert_close(forgotten, model.sample(5, labels, seed=0, eta=0.0), atol=2e-2, rtol=0)


def test_a_seed_decides_everything_and_leaves_the_callers_randomness_alone():
    model, labels = made(), {"label": torch.zeros(4, dtype=torch.long)}
    torch.manual_seed(1)
    first = model.sample(4, labels, seed=5)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(model.sample(4, labels, seed=5), first)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"eta": 1.5}, "eta is 1.5, expected 0 .deterministic. to 1"),
        ({"steps": 11}, "steps is 11, expected 1 to 10"),
        ({"guidance": 1.0}, "guidance is 1.0, but the model is given nothing"),
        ({"start": torch.zeros(3, 3)}, r"start has shape \(3, 3\), expected \(2, 2\)"),
        ({"start": torch.zeros(2, 2), "strength": 2.0}, "strength is 2.0, expected 0 to 1"),
        ({"known": torch.zeros(2, 2), "mask": torch.zeros(3)}, r"mask has shape \(3,\), expected that of the values"),
        ({"known": torch.zeros(2, 2)}, "known values and their mask belong together"),
        ({"repeats": 0}, "repeats is 0, expected 1 or more"),
    ],
)
def test_refusals(options, text):
    model = diffusion(Variable("x", Real(2)), timed_mlp(8), noise=cosine_noise(10))
    with pytest.raises(ValueError, match=text):
        model.sample(2, **options)


def test_guidance_of_a_model_that_never_learned_to_do_without_labels():
    model = diffusion(Variable("x", Real(2)), timed_mlp(8), label=LABEL, noise=cosine_noise(10), dropped=0.0)
    with pytest.raises(ValueError, match="never learned to do without labels; make it with dropped=0.1"):
        model.sample(2, {"label": torch.zeros(2, dtype=torch.long)}, guidance=1.0)
