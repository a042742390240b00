"""What keeps games steady: each by a closed form, a law, or a loop by hand."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepgen.conditionals.discriminator import Discriminator
from deepgen.data.data import arrays
from deepgen.networks import Network, convolutional, mlp
from deepgen.networks.dcgan import dcgan_discriminator
from deepgen.networks.spectral import spectral
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, adam, sgd
from deepgen.zoo.adversarial import (
    Gan,
    Replay,
    Unrolled,
    adversarial,
    clamped,
    gan,
    gradient_penalty,
    least_squares,
    non_saturating,
    r1,
    wasserstein,
)
from deepgen.zoo.adversarial.gan import FLAG
from deepgen.zoo.adversarial.penalties import Penalty
from pgm import Real, Variable
from pgm.errors import PlanError, ShapeError

X, IMAGE = Variable("x", Real(3)), Variable("image", Real(3, 8, 8))
START = Moment(0, 0, 0.0)
weights = st.lists(st.floats(-3, 3), min_size=6, max_size=6)


def linear_critic(slope: list[float], pack: int = 1) -> Discriminator:
    found = Discriminator(FLAG, [X], mlp(), pack=pack)
    with torch.no_grad():
        found.net.net.net[0].weight.copy_(torch.tensor([slope]))
    return found


def penalties(critic: Discriminator, penalty: Penalty, rows: int = 8) -> Tensor:
    real, fake = torch.randn(2, rows, 3)
    return penalty(lambda values: critic(values["x"]), {"x": real}, {"x": fake}).detach()


@settings(max_examples=5)
@given(weights)
def test_penalties_of_a_linear_critic_are_functions_of_its_slope(slope: list[float]) -> None:
    """s = a . x has the slope a everywhere; of a pack of two, s = a . x + b . x' has (a, b)."""
    for critic, a in ((linear_critic(slope[:3]), slope[:3]), (linear_critic(slope, pack=2), slope)):
        norm = torch.tensor(a).norm()
        expected = {
            r1(4.0): 2 * norm**2,
            gradient_penalty(10.0): 10 * (norm - 1) ** 2,
            gradient_penalty(10.0, goal=2.0, one_sided=True): 10 * (norm - 2).relu() ** 2,
        }
        for penalty, value in expected.items():
            found = penalties(critic, penalty)
            torch.testing.assert_close(found, value.expand(8 // critic.pack), rtol=1e-4, atol=1e-4)


def test_points_between_rows_are_on_the_line_in_all_variables_at_once() -> None:
    """(x - z)^2 is flat on the line from (0, 0) to (a, a), where the penalty with the goal 0 is none."""
    real, fake = ({"x": side, "z": side} for side in (torch.zeros(8, 1), torch.randn(8, 1)))
    found = gradient_penalty(goal=0.0)(lambda values: (values["x"] - values["z"]).square()[:, 0], real, fake)
    torch.testing.assert_close(found, torch.zeros(8))


def test_the_slope_of_patches_is_that_of_their_sum() -> None:
    critic = Discriminator(FLAG, [X], mlp(), patches=[2])
    total = critic.net.net.net[0].weight.sum(0)
    torch.testing.assert_close(penalties(critic, r1(2.0)), total.square().sum().detach().expand(8))


def test_a_penalty_of_images_and_patches_is_that_of_finite_differences() -> None:
    image = Variable("image", Real(4, 4))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = Discriminator(FLAG, [image], convolutional(3, activation=nn.Tanh), patches=[2, 2]).double()
        rows = torch.randn(2, 4, 4, dtype=torch.double)
    found = r1(2.0)(lambda values: critic(values["image"]), {"image": rows}, {})
    steps = 1e-5 * torch.eye(16, dtype=torch.double).reshape(16, 1, 4, 4)
    slopes = (critic((rows + steps).flatten(0, 1)) - critic((rows - steps).flatten(0, 1))).sum((1, 2)) / 2e-5
    torch.testing.assert_close(found, slopes.reshape(16, 2).square().sum(0))


@pytest.mark.parametrize(
    ("network", "given", "shape"),
    [
        (mlp(7, 9), [X], []),
        (convolutional(4, 6), [Variable("image", Real(3, 8, 8))], []),
        (convolutional(4), [X], [8, 8]),
    ],
    ids=["dense", "to numbers", "to images"],
)
def test_spectral_layers_have_a_largest_singular_value_of_one(network: Network, given: list, shape: list) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = spectral(network, iterations=30)(given, shape)
        x = torch.randn(5, *given[0].shape)
        for _ in range(5):
            made(x)
    layers = [part for part in made.modules() if isinstance(part, (nn.Linear, nn.Conv2d))]
    assert len(layers) >= 2
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_a_spectral_critic_stretches_nothing() -> None:
    """With ReLUs its Lipschitz constant is at most 1, whatever its weights were."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = spectral(mlp(32, 32), iterations=30)([X], [])
        one, other = 10 * torch.randn(2, 1000, 3)
        for _ in range(5):
            made(one)
    assert ((made(one) - made(other)).abs() <= 1.001 * (one - other).norm(dim=1)).all()
    with pytest.raises(PlanError, match="Identity has no linear layer and no convolution to normalise"):
        spectral(lambda given, shape: nn.Identity())([X], [])
    with pytest.raises(PlanError, match="spectral: iterations is 0, expected 1 or more"):
        spectral(mlp(), iterations=0)


def test_weights_are_cut_after_every_step_and_the_other_player_is_free() -> None:
    found = gan(X, 2, generator=mlp(8), discriminator=mlp(8))
    phases = adversarial(found, wasserstein(), optimiser=adam(0.1), critic={"optimiser": clamped(adam(0.1), 0.02)})
    fit(phases, arrays("noise", x=torch.randn(32, 3).tolist()), turns=3, batch=8, device="cpu", progress=False)
    largest = [
        max(p.abs().max().item() for p in part.parameters() if p.requires_grad) for part in found.modules.values()
    ]
    assert largest[0] > 0.02
    assert largest[1] == pytest.approx(0.02)
    with pytest.raises(PlanError, match="clamped: limit is 0, expected a number above 0"):
        clamped(sgd(), 0)


def test_each_player_has_its_own_rate() -> None:
    """One step of gradient descent on the Wasserstein game of a linear critic and a constant generator."""
    found, data = constant(2.0)
    before = critic_weight(found).clone()
    phases = adversarial(found, wasserstein(), optimiser=sgd(0.1), critic={"optimiser": sgd(0.4)})
    fit(phases, data, turns=1, batch=8, device="cpu", progress=False)
    torch.testing.assert_close(critic_weight(found), before - 0.4 * (2.0 - 5.0))
    torch.testing.assert_close(made(found), 2.0 + 0.1 * critic_weight(found))


def constant(at: float) -> tuple[Gan, object]:
    """A generator of one point, a critic w x, and data that are 5 everywhere."""
    x = Variable("x", Real())
    found = gan(x, 1, generator=mlp(), discriminator=mlp())
    with torch.no_grad():
        layer = found.generator.net.net.net[0]
        layer.weight.zero_()
        layer.weight.requires_grad_(False)
        layer.bias.fill_(at)
    return found, arrays("five", x=torch.full((8,), 5.0))


def critic_weight(found: Gan) -> Tensor:
    return found.discriminator.net.net.net[0].weight.detach().squeeze()


def made(found: Gan) -> Tensor:
    return found.generator.net.net.net[0].bias.detach().squeeze()


@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradient_through_unrolled_steps_is_the_closed_one(steps: int) -> None:
    """w_k = w - k r (g - 5), and d/dg of -w_k g is -(w - k r (2 g - 5))."""
    found, data = constant(2.0)
    rate, g, w = 0.1, made(found), critic_weight(found)
    phases = adversarial(found, wasserstein(), unrolled=Unrolled(steps, rate))
    phases[1].objective(dict(data.columns), START)["loss"].mean().backward()
    slope = found.generator.net.net.net[0].bias.grad.squeeze()
    torch.testing.assert_close(slope, -(w - steps * rate * (2 * g - 5)))


def test_unrolled_steps_of_any_network_are_those_of_finite_differences() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = gan(X, 2, generator=mlp(), discriminator=mlp(5, activation=nn.Tanh))
        for part in found.modules.values():
            part.double()
        batch = {"x": torch.randn(4, 3, dtype=torch.double)}
        z = torch.randn(4, 2, dtype=torch.double)
    game, ahead, bias = non_saturating(), Unrolled(2, 0.5), found.generator.net.net.net[0].bias

    def pays() -> Tensor:
        fake = {"x": found.generator.generate(z)}
        scores = ahead.ahead(
            found, lambda look: (game.real(look(batch)) + game.fake(look(fake)) + r1(0.1)(look, batch, fake)).mean()
        )
        return game.generated(scores(fake)).mean()

    (slope,) = torch.autograd.grad(pays(), bias)
    at, differences = bias.detach().clone(), []
    for way in 1e-6 * torch.eye(3, dtype=torch.double):
        sides = []
        for moved in (at + way, at - way):
            with torch.no_grad():
                bias.copy_(moved)
            sides.append(pays().detach())
        differences.append((sides[0] - sides[1]) / 2e-6)
    torch.testing.assert_close(slope, torch.stack(differences), rtol=1e-6, atol=1e-8)


def test_an_unrolled_generator_leaves_the_discriminator_alone() -> None:
    found, data = constant(2.0)
    before = critic_weight(found).clone()
    phases = adversarial(found, unrolled=Unrolled(2), optimiser=sgd(0.1))
    fit(phases[1], data, turns=1, batch=8, device="cpu", progress=False)
    assert critic_weight(found) == before
    normed = gan(IMAGE, 2, generator=mlp(), discriminator=dcgan_discriminator(4, 8))
    held = {name: value.clone() for name, value in normed.discriminator.state_dict().items()}
    adversarial(normed, unrolled=Unrolled(2))[1].objective({"image": torch.randn(4, 3, 8, 8)}, START)
    assert sum("running_mean" in name for name in held) == 1
    assert all(torch.equal(value, held[name]) for name, value in normed.discriminator.state_dict().items())
    with pytest.raises(PlanError, match=r"Unrolled\(steps=0, rate=0.1\): expected 1 step or more and a rate above 0"):
        Unrolled(0)


def test_a_penalty_fades_by_turns() -> None:
    found, data = constant(2.0)
    phases = adversarial(found, wasserstein(), penalty=r1(4.0), fade=lambda turn: 0.5**turn)
    for turn in (0, 3):
        cost = phases[0].objective(dict(data.columns), Moment(0, turn, 0.0))
        expected = 0.5**turn * 2 * critic_weight(found) ** 2
        torch.testing.assert_close(cost["penalty"].detach(), expected.expand(8))
        torch.testing.assert_close(cost["loss"].detach(), (expected - 3 * critic_weight(found)).expand(8))


def test_noise_on_rows_costs_a_linear_critic_its_squared_slope() -> None:
    """E (w (x + d e) - 1)^2 / 2 = (w x - 1)^2 / 2 + w^2 d^2 / 2, and the like for fake rows: within 5 standard errors.

    With a = w x - 1 and b = w d, (a + b e)^2 / 2 has the variance a^2 b^2 + b^4 / 2.
    """
    found, _ = constant(2.0)
    rows, w, turn = 20_000, critic_weight(found), Moment(0, 3, 0.0)
    phases = adversarial(found, least_squares(), noise=lambda turns: 0.5 * turns)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        loss = phases[0].objective({"x": torch.full((rows,), 5.0)}, turn)["loss"].mean().detach()
    bias, b = found.discriminator.net.net.net[0].bias.detach().squeeze(), w * 1.5
    a = torch.stack([5 * w + bias - 1, 2 * w + bias + 1])
    expected, variance = (a.square() / 2 + b**2 / 2).sum(), (a**2 * b**2 + b**4 / 2).sum()
    assert (loss - expected).abs() < 5 * (variance / rows).sqrt()


@settings(max_examples=15)
@given(st.integers(1, 9), st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 99))
def test_a_pool_loses_no_row_but_those_it_lets_through(size: int, batches: list[int], seed: int) -> None:
    """Rows that came in are those that went out and those that are held, but for copies of first ones."""
    label = Variable("label", range(100))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pool, seen, out = Replay([Variable("x", Real(2)), label], size), [], []
        for number, rows in enumerate(batches):
            names = torch.arange(rows) + 12 * number
            found = pool({"x": names[:, None] * torch.tensor([1.0, 2.0]), "label": names, "z": torch.zeros(rows)})
            assert torch.equal(found["x"], found["label"][:, None] * torch.tensor([1.0, 2.0]))
            seen, out = [*seen, *names.tolist()], [*out, *found["label"].tolist()]
    held = pool.held_1[pool.full].tolist()
    assert len(out) == len(seen)
    assert len(held) == len(set(held)) == min(size, len(held))
    assert set(out) | set(held) == set(seen)


def test_a_full_pool_exchanges_half_of_the_rows() -> None:
    """Of 4,000 rows, 2,000 are from the past on average; the bound is four standard errors of a coin."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pool = Replay([Variable("x", Real())], 1000)
        assert torch.equal(pool({"x": torch.zeros(1000)})["x"], torch.zeros(1000))
        old = sum((pool({"x": torch.full((1000,), turn)})["x"] < turn).sum().item() for turn in (1.0, 2.0, 3.0, 4.0))
    assert abs(old - 2000) < 4 * (4000 * 0.25) ** 0.5
    with pytest.raises(PlanError, match="Replay: size is 0, expected 1 place or more"):
        Replay([X], 0)


def test_pools_cut_weights_and_singular_vectors_are_resumed_to_the_bit(tmp_path: Path) -> None:
    data = arrays("noise", x=torch.randn(64, 3, generator=torch.Generator().manual_seed(0)))

    def run(turns: int, name: str, resume: bool = False) -> dict[str, Tensor]:
        torch.manual_seed(0)
        found = gan(X, 2, generator=mlp(4), discriminator=spectral(mlp(4)), pack=2)
        phases = adversarial(found, wasserstein(), replay=6, critic={"optimiser": clamped(adam(1e-2), 0.1)})
        fit(phases, data, turns=turns, batch=8, out=tmp_path / name, resume=resume, device="cpu", progress=False)
        modules = {**found.modules, "replay": phases[0].modules["replay"]}
        return {f"{n}.{key}": value for n, part in modules.items() for key, value in part.state_dict().items()}

    with torch.random.fork_rng():
        whole = run(6, "whole")
        run(3, "parts")
        parts = run(6, "parts", resume=True)
    assert whole["replay.full"].all()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


@settings(max_examples=10)
@given(st.integers(1, 4), st.integers(4, 9))
def test_packs_are_judged_as_their_rows_side_by_side(pack: int, rows: int) -> None:
    critic = Discriminator(FLAG, [X], mlp(5), pack=pack)
    x = torch.randn(rows, 3)
    packs = rows // pack
    side_by_side = torch.stack([x[number : packs * pack : packs] for number in range(packs)]).flatten(1)
    torch.testing.assert_close(critic(x), critic.net.net.net(side_by_side))


def test_a_pack_wants_as_many_rows() -> None:
    with pytest.raises(ShapeError, match="there are 2 rows, expected 3 or more, a pack"):
        Discriminator(FLAG, [X], mlp(5), pack=3)(torch.zeros(2, 3))
