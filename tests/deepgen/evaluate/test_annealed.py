"""Annealed importance sampling beside exact evidence: right on average both ways, intervals that cover."""

from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from deepgen.conditionals import Standard, neural
from deepgen.data.data import Data
from deepgen.evaluate.annealed import _dreamed, annealed, backward, forward, sandwiched
from deepgen.evaluate.bounds import bounds
from deepgen.evaluate.path import Path, moved, tuned, walked
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.zoo.vae import vae
from pgm import Binary, Deterministic, Gaussian, LinearGaussian, Model, Neural, Real, Tabular, Variable
from pgm.errors import GraphError, PlanError, ShapeError

NOISE = 1.0  # as wide as the factors, so that weights have a variance and their means standard errors
Z, X = Variable("z", Real(2)), Variable("x", Real(3))


def linear(seed: int) -> tuple[Pair, MultivariateNormal]:
    """A factor model, a guide with half the posterior's mean and twice its variances, and the exact p(x)."""
    w = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    model = Model(Gaussian(Z, [0.0] * 2, torch.eye(2)), LinearGaussian(X, [Z], w, [0.0] * 3, NOISE * torch.eye(3)))
    posterior = torch.linalg.inv(torch.eye(2) + w @ w.T / NOISE)
    guide = LinearGaussian(Z, [X], w.T @ posterior / NOISE / 2, [0.0] * 2, 2 * posterior.diag().diag())
    return Pair(model, Model(guide)), MultivariateNormal(torch.zeros(3).double(), w.T @ w + NOISE * torch.eye(3))


def prior(pair: Pair) -> Model:
    return Model(pair.model.conditionals["z"])


@torch.no_grad()
def posterior_draws(pair: Pair, x: Tensor, chains: int) -> Tensor:
    """Exact draws, `[chains, rows, 2]`, by the textbook formulas."""
    w = pair.model.conditionals["x"].weights  # [2, 3]
    covariance = torch.linalg.inv(torch.eye(2) + w @ w.T / NOISE)
    return MultivariateNormal(x @ w.T @ covariance / NOISE, covariance).sample((chains,))


@pytest.mark.parametrize("begin", ["guide", "prior"])
@settings(max_examples=2)
@given(seed=st.integers(0, 100))
@torch.no_grad()
def test_weights_are_right_on_average_both_ways(begin: str, seed: int) -> None:
    """E exp(log w) / p(x) = 1 from the start, and E p(x) / exp(log w) = 1 from the posterior, however few the steps."""
    pair, exact = linear(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x, chains = exact.sample((3,)), 4000
        path = Path(pair.model, pair.guide if begin == "guide" else prior(pair), {"x": x})
        moves = tuned(path, 8, 10, 2)
        there, _ = walked(path, moves, path.draw(chains), forward=True)
        back, _ = walked(path, moves, posterior_draws(pair, x, chains), forward=False)
    log_p = exact.log_prob(x)
    for ratios in ((there - log_p).exp(), (log_p - back).exp()):
        assert ((ratios.mean(0) - 1).abs() < 5 * ratios.std(0) / sqrt(chains)).all()


@pytest.mark.parametrize("begin", ["guide", "prior"])
def test_intervals_cover_what_is_exact(begin: str) -> None:
    """40 intervals of 10 rows: two standard errors outside bounds that hold on average cover 95 % and more."""
    pair, exact = linear(1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        drawn = pair.sample(400)
        path = Path(pair.model, pair.guide if begin == "guide" else prior(pair), {"x": drawn["x"]})
        moves = tuned(path, 12, 4, 2)
        both = torch.stack([forward(path, moves, 4)[0], backward(path, moves, drawn["z"], 4)])
    groups = zip(both.split(10, 1), exact.log_prob(drawn["x"]).split(10), strict=True)
    found = [(sandwiched(part, "").interval, log_p.mean().item()) for part, log_p in groups]
    covered = sum(interval[0] <= value <= interval[1] for interval, value in found if interval is not None)
    assert covered / 40 > 0.95 - 3 * sqrt(0.95 * 0.05 / 40)


@pytest.mark.parametrize("begin", ["guide", "prior"])
def test_it_is_below_log_p_and_nearer_than_independent_draws(begin: str) -> None:
    pair, exact = linear(2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rows = exact.sample((100,))
    data, truth = Data({"x": rows}), exact.log_prob(rows).mean().item()
    crude = [bound.value for bound in bounds(pair, data, (1, 10))]
    found, dreams = annealed(pair, data, temperatures=20, leapfrog=2, start=begin, simulated=50)
    assert dreams.interval is not None
    width = dreams.interval[1] - dreams.interval[0]
    assert crude[0] < crude[1] < found.value
    assert truth - width < found.value < truth + width
    assert truth - found.value < (truth - crude[1]) / 2


def test_states_that_the_guide_leaves_out_are_summed() -> None:
    """Two factors of variance 1/4 at -1 and 1 with noise 1/4: p(x) is a mixture of two Gaussians of variance 1/2."""
    c, m, z, x = Variable("c", 2), Variable("m", Real(1)), Variable("z", Real(1)), Variable("x", Real(1))
    model = Model(
        Tabular(c, [], [0.3, 0.7]),
        Deterministic(m, [c], lambda state: (2.0 * state - 1.0)[..., None].double()),
        LinearGaussian(z, [m], [[1.0]], [0.0], [[0.25]]),
        LinearGaussian(x, [z], [[1.0]], [0.0], [[0.25]]),
    )
    guide = Model(LinearGaussian(z, [x], [[0.8]], [0.0], [[0.3]]))
    xs = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    parts = [Normal(mean, sqrt(0.5)).log_prob(xs[:, 0]) for mean in (-1.0, 1.0)]
    truth = torch.logaddexp(parts[0] + torch.tensor(0.3).log(), parts[1] + torch.tensor(0.7).log()).mean().item()
    found, dreams = annealed(Pair(model, guide), Data({"x": xs}), temperatures=10, leapfrog=2, simulated=20)
    assert dreams.interval is not None
    width = dreams.interval[1] - dreams.interval[0]
    assert width < 0.3
    assert found.value == pytest.approx(truth, abs=width)


def test_networks_given_labels_agree_with_very_many_draws() -> None:
    label, image = Variable("label", range(3)), Variable("image", Binary(5))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pair = vae(image, 2, label=label, encoder=mlp(8), decoder=mlp(8))
        data = Data({"image": torch.rand(12, 5).round(), "label": torch.arange(12) % 3})
    (many,) = bounds(pair, data, (5_000,))
    for start in ("guide", "prior"):
        found, dreams = annealed(pair, data, temperatures=6, leapfrog=2, start=start, simulated=12)
        assert dreams.interval is not None
        assert found.value == pytest.approx(many.value, abs=dreams.interval[1] - dreams.interval[0] + 0.01)
    assert (found, dreams) == annealed(pair, data, temperatures=6, leapfrog=2, start="prior", simulated=12)


def test_computed_features_and_levels_of_a_guide_are_followed() -> None:
    """z1 -> z2 -> x with a guide that computes h of x, draws z2 given h and z1 given z2: the exact posterior."""
    one, two, h, x = (Variable(name, Real(1)) for name in ("z1", "z2", "h", "x"))
    unit = [[1.0]]
    model = Model(
        Gaussian(one, [0.0], unit),
        LinearGaussian(two, [one], unit, [0.0], unit),
        LinearGaussian(x, [two], unit, [0.0], unit),
    )
    guide = Model(
        Deterministic(h, [x], lambda value: 2 * value),
        LinearGaussian(two, [h], [[1 / 3]], [0.0], [[2 / 3]]),
        LinearGaussian(one, [two], [[0.5]], [0.0], [[0.5]]),
    )
    xs = torch.tensor([[0.0], [1.5]], dtype=torch.float64)
    found, dreams = annealed(Pair(model, guide), Data({"x": xs}), temperatures=4, leapfrog=2, simulated=5)
    assert found.value == pytest.approx(Normal(0.0, sqrt(3)).log_prob(xs).mean().item(), abs=1e-6)
    assert dreams.interval is not None
    assert dreams.interval[1] - dreams.interval[0] < 1e-6


def test_what_has_no_slopes_is_refused() -> None:
    z, x = Variable("z", Binary(3)), Variable("x", Binary(4))
    with torch.random.fork_rng():
        pair = vae(x, 2, encoder=mlp(4), decoder=mlp(4))
    bits = Pair(Model(neural(z, [], mlp()), neural(x, [z], mlp(4))), Model(neural(z, [x], mlp(4))))
    data = Data({"x": torch.ones(5, 4)})
    with pytest.raises(PlanError, match=r"annealed: 'z' is Binary\(3\), expected Real: .* Use bounds\(pair, data"):
        annealed(bits, data)
    with pytest.raises(PlanError, match="annealed: start is 'posterior', expected 'guide' or 'prior'"):
        annealed(pair, data, start="posterior")  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="annealed: temperatures is 0, expected 1 or more"):
        annealed(pair, data, temperatures=0)
    with pytest.raises(PlanError, match="annealed: simulated is 1, expected 2 or more"):
        annealed(pair, data, simulated=1)
    with pytest.raises(GraphError, match="bits: there is no column 'x'; there are y"):
        annealed(pair, Data({"y": torch.ones(5, 4)}, "bits"))
    with pytest.raises(ShapeError, match=r"annealed: column 'x' of data has rows of shape \[3\], .* expects \[4\]"):
        annealed(pair, Data({"x": torch.ones(5, 3)}))
    with pytest.raises(PlanError, match="annealed: 'z' has no conditional in the model to begin with"):
        annealed(Pair(Model(pair.model.conditionals["x"]), pair.guide), data, start="prior")


def test_an_interrupted_run_keeps_what_there_is() -> None:
    calls: list[int] = []

    def draw(column: Tensor, generator: torch.Generator) -> Tensor:
        calls.append(len(column))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return column

    pair, exact = linear(0)
    data = Data({"x": torch.zeros(6, 3).double()}, "zeros", {"x": draw})
    (found,) = annealed(pair, data, temperatures=5, batch=2)
    assert found.how.endswith("2 rows of zeros of 6, interrupted")


def test_a_move_that_goes_to_infinity_is_not_taken() -> None:
    """exp(30 z) is infinite a few steps out, where torch's own Normal would complain of z that are no numbers."""
    z, x = Variable("z", Real(1)), Variable("x", Real(1))
    model = Model(Standard(z), Neural(x, [z], lambda mean: Normal(mean, 0.01), Steep()))
    pair, rows = Pair(model, Model(Standard(z))), {"x": torch.full((3, 1), 5.0)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        path = Path(pair.model, pair.guide, rows)
        start = path.at(torch.tensor([0.0, 1.0]).reshape(2, 1, 1).expand(2, 3, 1))
        there, chance = moved(path, start, 0.5, torch.ones(3, 1), 5)
    assert chance[1].eq(0).all()
    assert torch.equal(there.z[1], start.z[1])
    assert all(part.isfinite().all() for part in (there.z, chance))


class Steep(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (30 * z).exp()


def test_labels_of_drawn_rows_are_those_of_all_data_and_latents_are_not_looked_up() -> None:
    """x = label + noise, with a column of latents that has to be ignored: log p(x) is exact where z is nothing to x."""
    label, z, x = Variable("label", range(2)), Variable("z", Real(1)), Variable("x", Real(1))
    model = Model(Standard(z), Neural(x, [label, z], lambda mean: Normal(mean, 1.0), Shift()))
    pair = Pair(model, Model(Neural(z, [x, label], lambda both: Normal(both, 1.0), Nothing())))
    rows = {"label": torch.arange(8) // 4, "x": torch.zeros(8, 1), "z": torch.full((8, 1), 9.0)}  # sorted by label
    found, dreams = annealed(pair, Data(rows), temperatures=2, simulated=8, batch=3)
    exact = Normal(rows["label"].float(), 1.0).log_prob(torch.zeros(8)).mean().item()
    assert found.value == pytest.approx(exact, abs=1e-5)
    assert bounds(pair, Data(rows), (3,))[0].value == pytest.approx(exact, abs=1e-5)
    assert _dreamed(pair, Data(rows), 6, torch.device("cpu"))["label"].tolist() == [0, 0, 0, 1, 1, 1]


class Shift(nn.Module):
    def forward(self, label: Tensor, z: Tensor) -> Tensor:
        return label[..., 1:] + 0 * z


class Nothing(nn.Module):
    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return 0 * x


@pytest.mark.gpu
def test_chains_run_where_the_model_is() -> None:
    pair = vae(Variable("x", Binary(5)), 2, encoder=mlp(8), decoder=mlp(8))
    data = Data({"x": torch.rand(12, 5, generator=torch.Generator().manual_seed(0)).round()})
    here = annealed(pair, data, temperatures=20)[0]
    for module in pair.modules.values():
        module.cuda()
    assert annealed(pair, data, temperatures=20)[0].value == pytest.approx(here.value, abs=0.05)
