"""Bounds on log p(x) beside exact values, and what happens to rows, memory and modules meanwhile."""

from math import log, sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from deepgen.data.data import Data
from deepgen.evaluate.bounds import AT_ONCE, bounds
from deepgen.evaluate.figure import Figure
from deepgen.pair import Pair
from deepgen.zoo.autoencoder import autoencoder
from deepgen.zoo.vae import vae
from pgm import Binary, Gaussian, LinearGaussian, Model, Neural, Real, Tabular, Variable
from pgm.errors import GraphError, PlanError, ShapeError

Z, X = Variable("z", Real()), Variable("x", Real())
XS = torch.linspace(-2, 2, 7, dtype=torch.float64)
DATA = Data({"x": XS}, "seven numbers")


def linear(mean: float, variance: float) -> Pair:
    """x = z + noise, both standard; the posterior of z is N(x / 2, 1 / 2)."""
    model = Model(Gaussian(Z, 0.0, 1.0), LinearGaussian(X, [Z], [1.0], 0.0, 1.0))
    return Pair(model, Model(LinearGaussian(Z, [X], [mean], 0.0, variance)))


EXACT = Normal(0.0, sqrt(2)).log_prob(XS)


def test_draws_from_the_posterior_give_log_p_in_any_portions() -> None:
    for figure in bounds(linear(0.5, 0.5), DATA, (1, 7, 25_000), batch=3):
        assert figure.value == pytest.approx(EXACT.mean().item(), abs=1e-6)
        assert figure.error == pytest.approx((EXACT.std() / sqrt(7)).item(), abs=1e-6)


def test_bounds_lie_between_the_closed_form_and_log_p() -> None:
    """With q = N(x / 2, v) the evidence lower bound is log p(x) less (2 v - 1 - log 2 v) / 2."""
    many = Data({"x": XS.repeat(2000)}, "many numbers")
    first, some, more = (figure.value for figure in bounds(linear(0.5, 1.0), many, (1, 10, 100), batch=1000))
    loss = (2 - 1 - log(2)) / 2
    assert first == pytest.approx(EXACT.mean().item() - loss, abs=5 * sqrt(0.5 / 14_000))  # 1 / 2: variance of log w
    assert first < some < more < EXACT.mean().item() + 5 * sqrt(0.5 / 14_000 / 100)


def test_states_that_the_guide_leaves_out_are_summed() -> None:
    c = Variable("c", 2)
    shifted = Neural(X, [c], lambda row: Normal(row[..., 0], 1.0, validate_args=False), nn.Identity())
    model = Model(Tabular(c, [], [0.25, 0.75]), shifted)
    exact = (0.25 * Normal(1.0, 1.0).log_prob(XS).exp() + 0.75 * Normal(0.0, 1.0).log_prob(XS).exp()).log().mean()
    (found,) = bounds(Pair(model, Model()), DATA, (5,))
    assert found.value == pytest.approx(exact.item(), abs=1e-6)


class Widest(nn.Module):
    """A decoder that remembers for how many draws at once it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.drop, self.most = nn.Linear(2, 6), nn.Dropout(0.5), 0

    def forward(self, z: Tensor) -> Tensor:
        self.most = max(self.most, z.shape[:-1].numel())
        return self.drop(self.map(z))


def test_five_thousand_draws_of_many_rows_are_made_in_portions() -> None:
    widest = Widest()
    pair = vae(Variable("x", Real(3)), 2, decoder=lambda given, shape: widest)
    pair.guide.eval()
    state = torch.get_rng_state()
    data = Data({"x": torch.randn(40, 3, generator=torch.Generator().manual_seed(0))})
    one, again = (bounds(pair, data, (5000,), batch=30)[0] for _ in range(2))
    assert widest.most <= AT_ONCE
    assert one == again
    assert torch.equal(state, torch.get_rng_state())
    assert [m.training for m in (widest, widest.drop, pair.guide)] == [True, True, False]  # as they were
    with torch.random.fork_rng():
        torch.manual_seed(1)
        widest.eval()
        found = bounds(pair, data, (5000,), batch=30)[0]
    assert found == one  # layers were at rest, and the seed is the only source of randomness


def test_all_bounds_are_of_the_same_bits() -> None:
    """A model without latent variables has one log p(x), whatever the number of draws: of the bits looked at."""
    image = Variable("image", Binary(4))
    model = Model(Neural(image, [], lambda: torch.distributions.Bernoulli(torch.full((4,), 0.2)), _nothing))
    fresh = {"image": lambda shades, generator: (torch.rand(shades.shape, generator=generator) < shades).float()}
    data = Data({"image": torch.full((50, 4), 0.5)}, "grey", fresh)
    one, other = bounds(Pair(model, Model()), data, (1, 20), batch=7)
    assert one.value == pytest.approx(other.value, abs=1e-9)


def _nothing() -> dict[str, Tensor]:
    return {}


def test_an_interrupted_bound_says_of_how_many_rows_it_is() -> None:
    calls: list[int] = []

    def draw(column: Tensor, generator: torch.Generator) -> Tensor:
        calls.append(len(column))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return column

    data = Data({"x": XS}, "seven numbers", {"x": draw})
    one, other = bounds(linear(0.5, 0.5), data, (1, 2), batch=2)
    assert one.how == "ELBO, 4 rows of seven numbers of 7, interrupted"
    assert other.value == pytest.approx(EXACT[:4].mean().item(), abs=1e-6)


def test_bits_of_a_fair_coin_a_pixel() -> None:
    figure = Figure("log p(x)", -64 * log(2), "lower bound", "ELBO", 6.4 * log(2), "nats", (-128 * log(2), 0.0))
    found = figure.bits(64)
    assert (found.value, found.error, found.interval) == (pytest.approx(1), pytest.approx(0.1), (0.0, pytest.approx(2)))
    assert (found.side, found.bits(1).side) == ("upper bound", "lower bound")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-98.314, 0.2134, "-98.31 ± 0.21"),
        (-12345.6, 123.4, "-12,346 ± 123"),
        (9999.7, 9.97, "10,000 ± 10"),
        (1.5e-7, None, "1.5e-07"),
        (float("nan"), float("inf"), "nan ± inf"),
    ],
)
def test_numbers_are_said_without_exponents_where_they_are_of_a_usual_size(value, error, text) -> None:
    assert str(Figure("f", value, "exact", error=error)) == f"f = {text}"


def test_no_draws_are_refused() -> None:
    with pytest.raises(PlanError, match=r"bounds: particles are \(1, 0\), expected one or more numbers"):
        bounds(linear(0.5, 0.5), DATA, (1, 0))
    with pytest.raises(PlanError, match=r"bounds: particles are \(\), expected"):
        bounds(linear(0.5, 0.5), DATA, ())
    with pytest.raises(PlanError, match=r"bounds: particles are 50, expected .* such as \(1, 50\)"):
        bounds(linear(0.5, 0.5), DATA, 50)  # type: ignore[arg-type]


def test_what_cannot_be_measured_is_named() -> None:
    with pytest.raises(GraphError, match="numbers: there is no column 'x'; there are y"):
        bounds(linear(0.5, 0.5), Data({"y": XS}, "numbers"))
    with pytest.raises(ShapeError, match=r"bounds: column 'x' of numbers has rows of shape \[1\], .* expects \[\]"):
        bounds(linear(0.5, 0.5), Data({"x": XS[:, None]}, "numbers"))
    with pytest.raises(PlanError, match="batch is 0, expected 1 or more at a time"):
        bounds(linear(0.5, 0.5), DATA, batch=0)
    certain = autoencoder(Variable("x", Binary(3)), 2)
    with pytest.raises(PlanError, match="bounds: the guide is certain of 'z', so that there is no bound on log p"):
        bounds(certain, Data({"x": torch.ones(5, 3)}))


@pytest.mark.gpu
def test_bounds_are_computed_where_the_model_is() -> None:
    pair = vae(Variable("x", Real(3)), 2)
    data = Data({"x": torch.randn(40, 3, generator=torch.Generator().manual_seed(0))})
    (here,) = bounds(pair, data, (2000,))
    for module in pair.modules.values():
        module.cuda()
    (there,) = bounds(pair, data, (2000,))
    assert here.error is not None
    assert there.value == pytest.approx(here.value, abs=0.1)  # other draws


@pytest.mark.gpu
def test_a_model_on_the_cpu_leaves_the_randomness_of_the_gpu_alone() -> None:
    before = torch.cuda.get_rng_state()
    bounds(linear(0.5, 0.5), DATA, progress=False)
    assert torch.equal(before, torch.cuda.get_rng_state())
