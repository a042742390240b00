"""Steps beside those of the schedulers of `diffusers`: means and deviations, in float64, with the same noise."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.zoo.diffusion import Noise, cosine_noise, linear_noise
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.diffusion.prediction import from_data
from deepgen.zoo.diffusion.process import noised
from deepgen.zoo.diffusion.route import Leg, route

T = 1000
KINDS = {"noise": "epsilon", "data": "sample", "v": "v_prediction"}
PROCESSES = {"linear": (linear_noise(T), "linear"), "cosine": (cosine_noise(T), "squaredcos_cap_v2")}
WAYS = [(10, "leading"), (10, "trailing"), (50, "trailing"), (T, "leading")]
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


@pytest.fixture(scope="module")
def schedulers():
    return pytest.importorskip("diffusers.schedulers")


def theirs(made: type, process: str, **options: object) -> object:
    """One of their schedulers, with its numbers in float64."""
    noise, name = PROCESSES[process]
    found = made(num_train_timesteps=T, beta_schedule=name, clip_sample=False, **options)
    found.alphas_cumprod, found.one = noise.kept[1:], torch.ones((), dtype=torch.float64)
    return found


def rows(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x_t, what a network says of it, and noise."""
    return torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).unbind(0)


def chosen(scheduler: object, steps: int) -> list[int]:
    """Their steps as ours: upwards, and counted from 1."""
    scheduler.set_timesteps(steps)
    return [t + 1 for t in reversed(scheduler.timesteps.tolist())]


def ours(leg: Leg, now: Tensor, said: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    start = leg.of_said * said + leg.of_seen * now
    return leg.start * start + leg.now * now + leg.deviation * draw, start


@pytest.mark.parametrize("process", PROCESSES)
def test_schedules_are_theirs_in_float32(schedulers, process: str) -> None:
    noise, name = PROCESSES[process]
    found = schedulers.DDPMScheduler(num_train_timesteps=T, beta_schedule=name)
    torch.testing.assert_close(noise.kept[1:].float(), found.alphas_cumprod, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(noise.beta[1:].float(), found.betas, **CLOSE)


@pytest.mark.parametrize("process", PROCESSES)
def test_noise_is_added_as_they_do_and_velocities_are_theirs(schedulers, process: str) -> None:
    noise, scheduler = PROCESSES[process][0], theirs(schedulers.DDPMScheduler, process)
    start, _, draw = rows()
    steps = torch.tensor([1, T])
    now = noised(noise, start, steps, draw)
    torch.testing.assert_close(now, scheduler.add_noise(start, draw, steps - 1), **CLOSE)
    velocity = from_data(noise, "v", start, now, steps)
    torch.testing.assert_close(velocity, scheduler.get_velocity(start, draw, steps - 1), **CLOSE)


@pytest.mark.parametrize(("variance", "name"), [("posterior", "fixed_small"), ("added", "fixed_large")])
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("predicts", KINDS)
def test_ancestral_steps_are_those_of_ddpm(schedulers, predicts, process, variance, name) -> None:
    """But for noise at a last step that is not the first of the process: they draw some with large variances."""
    for steps, spacing in [*WAYS, (7, "linspace")]:
        options = {"prediction_type": KINDS[predicts], "variance_type": name, "timestep_spacing": spacing}
        scheduler = theirs(schedulers.DDPMScheduler, process, **options)
        way = route(Denoiser(nn.Identity(), PROCESSES[process][0], predicts, variance), chosen(scheduler, steps))
        for leg in (way.legs[0], way.legs[len(way) // 2], way.legs[-2], way.legs[-1]):
            now, said, _ = rows()
            draw = torch.randn(now.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
            found = scheduler.step(said, leg.step - 1, now, generator=torch.Generator().manual_seed(1))
            then, start = ours(leg, now, said, draw)
            torch.testing.assert_close(start, found.pred_original_sample, **CLOSE)
            last = leg is way.legs[-1]
            torch.testing.assert_close(then, found.pred_original_sample if last else found.prev_sample, **CLOSE)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("predicts", KINDS)
def test_steps_with_eta_are_those_of_ddim(schedulers, predicts, process, eta) -> None:
    for steps, spacing in WAYS:
        options = {"prediction_type": KINDS[predicts], "timestep_spacing": spacing}
        scheduler = theirs(schedulers.DDIMScheduler, process, **options)
        way = route(Denoiser(nn.Identity(), PROCESSES[process][0], predicts), chosen(scheduler, steps), eta)
        for leg in (way.legs[0], way.legs[len(way) // 2], way.legs[-2], way.legs[-1]):
            now, said, draw = rows()
            found = scheduler.step(said, leg.step - 1, now, eta=eta, variance_noise=draw if eta else None)
            then, start = ours(leg, now, said, draw)
            torch.testing.assert_close(start, found.pred_original_sample, **CLOSE)
            torch.testing.assert_close(then, found.prev_sample, **CLOSE)


@pytest.mark.parametrize("process", PROCESSES)
def test_learned_variances_lie_where_theirs_do(schedulers, process: str) -> None:
    options = {"prediction_type": "v_prediction", "variance_type": "learned_range", "timestep_spacing": "trailing"}
    scheduler = theirs(schedulers.DDPMScheduler, process, **options)
    way = route(Denoiser(nn.Identity(), PROCESSES[process][0], "v", "learned"), chosen(scheduler, 10))
    for leg in way.legs[:-1]:
        now, said, between = rows()
        draw = torch.randn(now.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        both = torch.cat([said, between], 1)
        found = scheduler.step(both, leg.step - 1, now, generator=torch.Generator().manual_seed(1))
        then, _ = ours(leg, now, said, draw * (leg.growth * (between + 1) / 2).exp())
        torch.testing.assert_close(then, found.prev_sample, **CLOSE)


def test_a_process_whose_last_step_leaves_nothing(schedulers) -> None:
    """Their rescaling leaves 2^-24 where ours is 0 to keep division possible; v needs none of it."""
    scheduler = schedulers.DDPMScheduler(
        T, rescale_betas_zero_snr=True, prediction_type="v_prediction", clip_sample=False
    )
    kept = torch.cat([torch.ones(1), scheduler.alphas_cumprod[:-1], torch.zeros(1)]).double()
    leg = route(Denoiser(nn.Identity(), Noise(kept), "v")).legs[0]
    now, said, draw = rows()
    then, start = ours(leg, now, said, draw)
    torch.testing.assert_close(start, -said, **CLOSE)
    found = scheduler.step(said, T - 1, now, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(start, found.pred_original_sample, rtol=0, atol=1e-3)  # sqrt(2^-24) = 2.4e-4
