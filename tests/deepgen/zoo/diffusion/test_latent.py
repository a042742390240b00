"""Latent diffusion where everything is linear and Gaussian, and known."""

from math import log, pi

import pytest
import torch
from torch import Tensor, nn

from deepgen import Data, adam, fit, timed_mlp, vae, variational
from deepgen.objectives import elbo
from deepgen.pair import Pair
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import Noise, cosine_noise
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.diffusion.latent import LatentDiffusion, Unit, denoised_code, latent_diffusion
from deepgen.zoo.diffusion.model import Diffusion
from pgm import LinearGaussian, Real, Variable
from pgm.errors import PlanError, ShapeError
from pgm.model import Model

X, Z, LABEL = Variable("x", Real(2)), Variable("z", Real(2)), Variable("label", range(2))
ROWS, STEPS = 20_000, 4
SIZE, LEFT, NOISE = 3.0, 0.5, 0.2  # deviations: of z, of z given x, of x given z


class Linear(nn.Module):
    """A network for `Neural` without anything to learn: means that are multiples of what is given, and a deviation."""

    def __init__(self, slope: float, deviation: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))
        self.log_deviation = nn.Parameter(torch.tensor(log(deviation)))

    def forward(self, value: Tensor) -> Tensor:
        mean = self.slope * value
        return torch.cat([mean, self.log_deviation.expand_as(mean)], -1)


class Best(nn.Module):
    """E(z | z_t) of codes N(0, 1)."""

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, now: Tensor, time: Tensor, *label: Tensor) -> Tensor:
        return self.noise.kept[(time * self.noise.steps).round().long()].to(now).sqrt() * now


def autoencoder() -> Pair:
    """z = 3 x up to noise, and back."""
    return vae(
        X,
        2,
        encoder=lambda given, shape: Linear(SIZE, LEFT),
        decoder=lambda given, shape: Linear(1 / SIZE, NOISE),
    )


def made(unit: float = SIZE, label: bool = False) -> LatentDiffusion:
    noise, of_codes = cosine_noise(STEPS), Unit()
    of_codes.update(torch.tensor([unit, -unit]))
    denoiser = Denoiser(Best(noise), noise, "data", "added")
    return LatentDiffusion(autoencoder(), Diffusion(Z, denoiser, (LABEL,) if label else (), dropped=0.1), of_codes)


def test_the_graphs_are_those_of_an_autoencoder_above_which_noise_is_added():
    pair = made(label=True).pair
    assert [v.name for v in pair.latents] == ["z4", "z3", "z2", "z1", "z"]
    assert ([v.name for v in pair.observed], [v.name for v in pair.given]) == (["x"], ["label"])
    arrows = {name: [v.name for v in c.given] for name, c in (pair.model.conditionals | {}).items()}
    assert arrows == {
        "z4": [],
        "z3": ["z4", "label"],
        "z2": ["z3", "label"],
        "z1": ["z2", "label"],
        "z": ["z1", "label"],
        "x": ["z"],
    }
    assert [v.name for v in pair.guide.conditionals["z"].given] == ["x"]


@pytest.mark.parametrize("unit", [1.0, SIZE])
def test_three_sums_and_the_general_bound_agree(unit):
    """Closed forms, some steps alone, and draws of both graphs: within five standard errors of one another."""
    model, rows = made(unit), {"x": torch.tensor([0.5, -1.0]).expand(ROWS, 2)}
    torch.manual_seed(0)
    with torch.no_grad():
        routes = [model.costs(rows).total, model.sampled_total(rows), -elbo(model.pair.model, model.pair.guide, rows)]
    means = [(found.mean(), found.std() / ROWS**0.5) for found in routes]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert abs(means[one][0] - means[other][0]) < 5 * (means[one][1] ** 2 + means[other][1] ** 2) ** 0.5


def test_parts_of_the_bound_by_hand():
    """Of a row x: z is N(3 x, 1/4) before it is divided by 3, and the decoder misses x by z / 3 - x."""
    model = made()
    torch.manual_seed(0)
    found = model.costs({"x": torch.zeros(ROWS, 2)})
    data = log(2 * pi) + 2 * log(NOISE) + ((LEFT / SIZE) / NOISE) ** 2
    encoding = -(log(2 * pi) + 1 + 2 * log(LEFT / SIZE))
    assert abs(found.data.mean() - data) < 5 * found.data.std() / ROWS**0.5
    assert abs(found.encoding.mean() - encoding) < 5 * found.encoding.std() / ROWS**0.5
    assert str(found).splitlines()[1].startswith("minus entropy of code")


def test_the_bound_does_not_depend_on_the_unit_in_which_the_same_diffusion_counts():
    """A Gaussian prior of any width, N(0, u^2), against its closed form: the unit stretches densities by u."""
    torch.manual_seed(0)
    for unit in (0.5, SIZE):
        pair = made(unit).pair
        x = torch.randn(7, 2)
        z = pair.guide.conditionals["z"].draw(x)
        inner = autoencoder()
        wanted = inner.guide.conditionals["z"].log_prob(x, z * unit) + 2 * log(unit)
        torch.testing.assert_close(pair.guide.conditionals["z"].log_prob(x, z), wanted, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            pair.model.conditionals["x"].log_prob(z, x), inner.model.conditionals["x"].log_prob(z * unit, x)
        )


def test_samples_have_the_deviation_of_codes_through_the_decoder():
    """Codes of unit variance become 3 times as large, and x = z / 3: what comes out is that of `Diffusion.sample`."""
    model = made()
    codes = model.diffusion.sample(50, eta=0.0, seed=0)
    torch.testing.assert_close(model.sample(50, eta=0.0, seed=0), codes)  # 3 z / 3
    start = torch.randn(50, 2)
    torch.testing.assert_close(model.sample(50, start=start, strength=0.0), start)
    torch.testing.assert_close(model.decode(model.encode(start, mean=True)), start)


def test_two_fits_one_after_the_other_and_both_by_turns_find_the_unit():
    """The unit follows codes whose size is known, sqrt(9 Var x + 1/4), and only the diffusion's phase moves it."""
    torch.manual_seed(0)
    data = Data({"x": 2 * torch.randn(2000, 2)})
    known = (SIZE**2 * data["x"].square().mean() + LEFT**2) ** 0.5
    for both in (False, True):
        pair = autoencoder()
        model = latent_diffusion(pair, timed_mlp(8), noise=cosine_noise(10))
        still = [parameter.clone() for parameter in pair.guide.parameters()]
        first = [variational(pair, optimiser=adam(1e-6))] if both else []
        fit([*first, denoised_code(model)], data, turns=30, batch=100, device="cpu", progress=False)
        assert abs(model.unit() / known - 1) < 5 * (2 * 30 * 100 * 2) ** -0.5  # of 30 batches of 100 rows of 2
        if not both:
            assert all(torch.equal(one, two) for one, two in zip(still, pair.guide.parameters(), strict=True))
        before = model.unit().clone()
        denoised_code(model).objective({"x": data["x"][:10]}, Moment(0, 0, 0.0))  # at rest nothing is learned
        assert torch.equal(before, model.unit())
        assert set(model.unit.state_dict()) == {"square", "weight"}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        vae(X, 2, label=LABEL),
        Pair(Model(LinearGaussian(Variable("y", Real()), [], [], 0.0, 1.0)), Model()),
    ],
    ids=["none", "labels", "no code"],
)
def test_autoencoders_that_will_not_do(wrong):
    with pytest.raises(PlanError, match="expected a pair of one observed variable that one variable of real numbers"):
        latent_diffusion(wrong)


def test_other_shapes_are_refused():
    model = made()
    with pytest.raises(ShapeError, match=r"decode: 'z' has shape \(5, 3\), expected \[\*batch, 2\]"):
        model.decode(torch.zeros(5, 3))
    with pytest.raises(ShapeError, match=r"encode: 'x' has shape \(5, 3\), expected \[\*batch, 2\]"):
        model.sample(5, start=torch.zeros(5, 3))
