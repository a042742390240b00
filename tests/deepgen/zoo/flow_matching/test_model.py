"""Flow matching where the best velocity is linear, and all that follows from it known."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from deepgen.networks.timed import timed_mlp
from deepgen.zoo.flow_matching import FlowMatching, Velocity, flow_matching
from deepgen.zoo.flow_matching.density import divergence, signs
from deepgen.zoo.flow_matching.model import nearest
from deepgen.zoo.flow_matching.velocity import PACE, field
from pgm import Real, Variable

X, LABEL = Variable("x", Real(1)), Variable("label", range(3))
ROWS, DEVIATION = 20_000, 0.5


class Best(nn.Module):
    """E(data - (1 - s) noise | x_t) of data N(label, 1 / 4), or N(0, 1 / 4) where no label is told."""

    def __init__(self, smallest: float) -> None:
        super().__init__()
        self.rest = 1 - smallest

    def forward(self, now: Tensor, time: Tensor, label: Tensor) -> Tensor:
        mean, time = (label * torch.arange(3.0)).sum(-1, keepdim=True), time / PACE
        noise = 1 - self.rest * time
        slope = (time * DEVIATION**2 - self.rest * noise) / (noise**2 + time**2 * DEVIATION**2)
        return mean + slope * (now - time * mean)


def made(smallest: float = 0.0) -> FlowMatching:
    return FlowMatching(X, Velocity(Best(smallest), smallest), (LABEL,), dropped=0.1)


def small(rows: int = 2, **options) -> FlowMatching:
    torch.manual_seed(0)
    return flow_matching(Variable("x", Real(rows)), timed_mlp(16, 16), **options)


def labels(rows: int, label: int) -> dict[str, Tensor]:
    return {"label": torch.full((rows,), label)}


@pytest.mark.parametrize("smallest", [0.0, 0.1])
@pytest.mark.parametrize("options", [{}, {"steps": 10, "method": "rk4"}])
def test_noise_is_carried_to_data_by_a_straight_line(smallest, options):
    """Of Gaussian data the map from noise is mean + deviation * noise."""
    noise = torch.linspace(-2, 2, 5)[:, None]
    found = made(smallest).carried(noise, labels(5, 2), **options)
    expected = 2 + (DEVIATION**2 + smallest**2) ** 0.5 * noise
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


def test_samples_have_the_moments_of_the_data():
    found = made().sample(ROWS, labels(ROWS, 2), seed=0)
    assert abs(found.mean() - 2) < 5 * DEVIATION / ROWS**0.5
    assert abs(found.std() - DEVIATION) < 5 * DEVIATION / (2 * ROWS) ** 0.5


def test_guidance_goes_on_in_the_direction_of_the_label():
    """The velocity is linear in the mean of the data, so that guidance w moves that from m to (1 + w) m."""
    plain, guided = (made().sample(100, labels(100, 1), guidance=w, seed=0) for w in (0.0, 1.5))
    torch.testing.assert_close(guided, plain + 1.5, atol=1e-3, rtol=0)


@pytest.mark.parametrize("smallest", [0.0, 0.1])
@pytest.mark.parametrize("options", [{}, {"steps": 20}])
def test_densities_are_those_of_the_gaussian(smallest, options):
    x = torch.linspace(0, 3, 7)[:, None]
    exact = Normal(1.0, (DEVIATION**2 + smallest**2) ** 0.5).log_prob(x[:, 0])
    for batch in ({"x": x, **labels(7, 1)},):
        torch.testing.assert_close(made(smallest).log_prob(batch, **options), exact, atol=5e-4, rtol=0)
        torch.testing.assert_close(made(smallest).model.log_prob(batch).float(), exact, atol=5e-4, rtol=0)


def test_standing_still_leaves_the_prior():
    still = FlowMatching(Variable("x", Real(2, 2)), Velocity(lambda now, time: torch.zeros_like(now)))
    x = torch.randn(5, 2, 2, generator=torch.Generator().manual_seed(0))
    exact = Normal(0.0, 1.0).log_prob(x).sum((1, 2))
    torch.testing.assert_close(still.log_prob({"x": x}), exact)
    torch.testing.assert_close(still.log_prob({"x": x}, probes=3), exact)


def test_divergences_are_traces_and_probes_estimate_them_without_bias():
    model, x, probes = small(3), torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), 400
    slopes = field(model.velocity)
    _, exact = divergence(slopes, 0.3, x)
    jacobian = torch.autograd.functional.jacobian(lambda rows: slopes(0.3, rows).sum(0), x)  # [3, rows, 3]
    torch.testing.assert_close(exact[0], jacobian.diagonal(dim1=0, dim2=2).sum(-1))
    torch.manual_seed(2)
    _, drawn = divergence(slopes, 0.3, x, signs(x, probes))
    assert bool(((drawn.mean(0) - exact[0]).abs() < 5 * drawn.std(0) / probes**0.5).all())


def test_probes_estimate_log_densities_without_bias():
    model, x, probes = small(3), torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), 16
    exact = model.log_prob({"x": x}, steps=2, method="midpoint")
    drawn = torch.stack(
        [model.log_prob({"x": x}, steps=2, method="midpoint", probes=probes, seed=seed) for seed in range(8)]
    )
    assert bool(((drawn.mean(0) - exact).abs() < 6 * drawn.std(0) / 8**0.5).all())


def test_the_density_of_a_random_flow_integrates_to_one():
    model, axis = small(), torch.linspace(-12, 12, 101)
    with torch.no_grad():
        model.velocity.net.last.weight.mul_(3)  # far from standing still
    density = model.log_prob({"x": torch.cartesian_prod(axis, axis)}, steps=8).double().exp()
    assert abs(density.sum().item() * (24 / 100) ** 2 - 1) < 1e-3
    assert (density.reshape(101, 101) - density.reshape(101, 101).T).abs().max() > 0.01


def test_what_is_carried_back_comes_from_where_it_was():
    model, x = small(label=LABEL), torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    given = {"label": torch.tensor([0, 1, 2, 0, 1])}
    noise = model.carried(x, given, begin=1.0, end=0.0, tolerance=1e-6)
    assert (noise - x).abs().max() > 0.05
    torch.testing.assert_close(model.carried(noise, given, tolerance=1e-6), x, atol=1e-4, rtol=0)


def test_a_graph_draws_what_the_flow_draws():
    model, given = made(), torch.tensor([0, 2])
    torch.manual_seed(3)
    drawn = model.model.conditionals["x"].draw(given, shape=(4,))
    torch.manual_seed(3)
    assert torch.equal(drawn.reshape(8, 1), model.sample(8, {"label": given.repeat(4)}))


def test_what_is_known_comes_out_as_it_is():
    model = small(4)
    known, mask = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 1, 0, 0])
    found = model.sample(5, known=known, mask=mask, seed=0)
    assert torch.equal(found[:, :2], known[:, :2])
    assert bool((found[:, 2:] != known[:, 2:]).all())


def test_what_is_known_moves_the_rest():
    """Two numbers that are always equal: knowing one of them decides where the other goes, but for its noise."""
    best = Best(0.0)

    def pulled(now: Tensor, time: Tensor) -> Tensor:
        both = now.mean(-1, keepdim=True)  # the mean of the two has noise of variance 1 / 2, times sqrt(2) of it 1
        label = torch.zeros(len(now), 3)
        along = best(2**0.5 * both, time, label) / 2**0.5
        return along - (now - both) / (1 - time / PACE).clamp_min(1e-3)  # what they differ by is noise alone

    model = FlowMatching(Variable("x", Real(2)), Velocity(pulled))
    known = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    found = model.sample(2, known=known, mask=torch.tensor([1, 0]), steps=200, seed=0)
    assert found[0, 1] > 0.5
    assert found[1, 1] < -0.5


def test_a_start_without_noise_stays_and_with_all_noise_is_forgotten():
    model, given = made(), labels(5, 1)
    start = torch.linspace(-1, 1, 5)[:, None]
    assert torch.equal(model.sample(5, given, start=start, strength=0.0, seed=0), start)
    assert torch.equal(model.sample(5, given, start=start, strength=1.0, seed=0), model.sample(5, given, seed=0))


def test_shades_are_rounded_to_the_nearest():
    torch.testing.assert_close(
        nearest(torch.tensor([-3.0, -0.3, -0.2, 0.6, 2.0]), 5), torch.tensor([-1, -0.5, 0, 0.5, 1])
    )
    found = small(levels=3).sample(50, seed=0)
    assert set(found.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_ctrl_c_returns_where_the_velocity_points_to():
    """Of Gaussian data that is the mean of the data given x_t."""
    model, seen = made(), []

    def stop(time: float, now: Tensor) -> None:
        seen.append((time, now))
        if len(seen) == 3:
            raise KeyboardInterrupt

    found = model.sample(6, labels(6, 1), steps=4, seed=0, watch=stop)
    time, now = seen[2]
    gain = time * DEVIATION**2 / ((1 - time) ** 2 + time**2 * DEVIATION**2)
    assert time == 0.75
    torch.testing.assert_close(found, 1 + gain * (now - time))


def test_a_seed_decides_everything_and_leaves_the_callers_randomness_alone():
    model = small()
    torch.manual_seed(1)
    first = model.sample(4, seed=5), model.log_prob({"x": torch.zeros(2, 2)}, probes=1, seed=5)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(model.sample(4, seed=5), first[0])
    assert torch.equal(model.log_prob({"x": torch.zeros(2, 2)}, probes=1, seed=5), first[1])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"steps": 0}, "steps is 0, expected 1 or more, or None"),
        ({"steps": 3, "method": "rk5"}, "method is 'rk5', expected one of"),
        ({"tolerance": -1.0}, "tolerance is -1.0, expected a number above 0"),
        ({"guidance": 1.0}, "guidance is 1.0, but the model is given nothing"),
        ({"start": torch.zeros(3, 3)}, r"start has shape \(3, 3\), expected \(2, 2\)"),
        ({"known": torch.zeros(2, 2)}, "known values and their mask belong together"),
        ({"given": {"label": torch.zeros(2)}}, "'label' is given, but the model is conditioned on nothing"),
    ],
)
def test_refusals_of_samples(options, text):
    with pytest.raises(ValueError, match=text):
        small().sample(2, **options)


def test_other_refusals():
    with pytest.raises(ValueError, match="smallest is 1.0, expected a deviation from 0 to below 1"):
        flow_matching(X, smallest=1.0)
    with pytest.raises(ValueError, match="'label' is .*, expected Real with a shape"):
        flow_matching(LABEL)
    with pytest.raises(ValueError, match="probes is 0, expected 1 or more, or None for exact divergences"):
        small().log_prob({"x": torch.zeros(1, 2)}, probes=0)
    with pytest.raises(ValueError, match="log_prob: there is no column 'x'; there are none"):
        small().log_prob({})
    with pytest.raises(ValueError, match="flow_matching: there is no column 'label'; there are none"):
        flow_matching(X, label=LABEL).carried(torch.zeros(1, 2))
