"""Schedules of noise that are learned with the network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen import adam, arrays, denoised, diffusion, fit, learned_noise, optimal_variance, timed_mlp
from deepgen.objectives import elbo
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import Diffusion
from deepgen.zoo.diffusion.schedule import LearnedNoise
from pgm import Real, Variable
from tests.deepgen.zoo.diffusion.test_gaussian import DEVIATION, ENTROPY, MEAN, best, total

X, NOW = Variable("x", Real(2)), Moment(0, 0, 0.0)
DATA = arrays("points", x=torch.tensor([[0.5, -1.0], [0.0, 1.0], [-0.3, 0.2]]))


def made(steps: int = 4, **options) -> Diffusion:
    torch.manual_seed(0)
    return diffusion(X, timed_mlp(8), noise=learned_noise(steps, 5.0, -4.0), **options)


@settings(max_examples=10)
@given(st.integers(2, 200), st.integers(0, 1000), st.floats(0, 3))
def test_it_falls_whatever_its_parameters_are(steps: int, seed: int, size: float) -> None:
    schedule, generator = learned_noise(steps), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in schedule.parameters():
            if parameter.dim():
                parameter += size * torch.randn(parameter.shape, generator=generator)
    kept = schedule().kept.detach()
    assert bool((kept.diff() < 0).all())
    torch.testing.assert_close(kept[[1, -1]].logit(), torch.tensor([10.0, -10.0]).double(), atol=1e-5, rtol=0)


def test_one_step_has_the_first_ratio() -> None:
    assert learned_noise(1, 2.0, -2.0)().kept[1].item() == pytest.approx(1 / (1 + 2.718281828459045**-2.0), rel=1e-6)


def test_the_gradient_of_the_bound_is_that_of_finite_differences() -> None:
    """The same draws of noise and steps before and after each change, in float64."""
    model = made(predicts="v")
    model.denoiser.double()
    batch = {"x": DATA["x"].double().repeat(4, 1)}
    phase = denoised(model, "bound")

    def loss() -> torch.Tensor:
        torch.manual_seed(1)
        return phase.objective(batch, NOW)["loss"].mean()

    schedule = dict(model.denoiser.schedule.named_parameters())
    gradients = dict(zip(schedule, torch.autograd.grad(loss(), list(schedule.values())), strict=True))
    for name, parameter in schedule.items():
        flat, size = parameter.data.view(-1), 1e-5
        place = len(flat) // 2
        flat[place] += size
        up = loss().item()
        flat[place] -= 2 * size
        down = loss().item()
        flat[place] += size
        measured = (up - down) / (2 * size)
        assert gradients[name].view(-1)[place].item() == pytest.approx(measured, rel=1e-4, abs=1e-7), name


def test_what_is_learned_lies_between_where_it_began_and_the_entropy() -> None:
    """The best denoiser of Gaussian data knows its schedule, which alone is learned; bounds are exact."""
    torch.manual_seed(0)
    data = arrays("Gaussian", x=MEAN + DEVIATION * torch.randn(2000, 1))
    model = best(learned_noise(5, 3.0, -1.0), "posterior")
    before = total(model)
    fit(denoised(model, "bound", optimiser=adam(2e-2)), data, turns=80, batch=200, device="cpu", progress=False)
    after = total(model)
    assert ENTROPY < after < before - 0.1
    assert model.noise.kept[-1] < torch.tensor(-1.0).sigmoid()  # nothing of the data is left at the end


def test_everything_else_takes_it_as_it_is_by_now() -> None:
    """Graphs, the bound, samples and checkpoints follow the parameters of the schedule."""
    model, other = made(predicts="v"), made(predicts="v")
    with torch.no_grad():
        for parameter in model.denoiser.schedule.parameters():
            parameter += 0.3
    assert {"schedule.first", "schedule.span"} <= model.denoiser.state_dict().keys()
    other.denoiser.load_state_dict(model.denoiser.state_dict())
    assert other.sample(3, steps=2, seed=0).equal(model.sample(3, steps=2, seed=0))
    assert other.respaced(2).route() == model.respaced(2).route()
    torch.manual_seed(1)
    rows = {"x": DATA["x"][:1].expand(4000, 2)}
    closed, hierarchy = other.costs(rows).total, -elbo(model.pair.model, model.pair.guide, rows).detach()
    error = (closed.var() / 4000 + hierarchy.var() / 4000).sqrt()
    assert abs(closed.mean() - hierarchy.mean()) < 5 * error


def test_the_guide_of_the_hierarchy_learns_it() -> None:
    model = made()
    assert {id(p) for p in model.pair.guide.parameters()} == {id(p) for p in model.denoiser.schedule.parameters()}
    bound = elbo(model.pair.model, model.pair.guide, {"x": DATA["x"]}).sum()
    gradient = torch.autograd.grad(bound, model.denoiser.schedule.first)[0]
    assert gradient.isfinite()
    assert gradient != 0


def test_fitted_variances_are_kept_with_the_parameters() -> None:
    model = optimal_variance(made(), DATA)
    other = made(variance="fitted")
    other.denoiser.load_state_dict(model.denoiser.state_dict())
    assert other.route() == model.route()
    assert made(variance="fitted").route() != model.route()


@pytest.mark.parametrize(("goal", "variance"), [("simple", "posterior"), ("hybrid", "learned")])
def test_goals_that_would_collapse_it_are_refused(goal: str, variance: str) -> None:
    with pytest.raises(
        ValueError, match=f"goal is '{goal}', which would collapse a learned schedule; expected 'bound'"
    ):
        denoised(made(variance=variance), goal)


@pytest.mark.parametrize(("steps", "first", "last"), [(0, 1.0, -1.0), (5, 1.0, 1.0)])
def test_refusals(steps: int, first: float, last: float) -> None:
    text = f"steps is {steps} and the log signal-to-noise ratio goes from 1 to {last:g}, expected 1 step or more"
    with pytest.raises(ValueError, match=text):
        LearnedNoise(steps, first, last)
