"""What goes wrong in games is named, and what does not is not: forced failures, and games whose end is known."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deepgen import Data, History, adam, arrays, fit, gan, minimax, mlp, octaves, r1, ring, sgd, standardised
from deepgen.zoo.adversarial import Gan, adversarial, cycle, cycle_consistent, monitors
from deepgen.zoo.adversarial.monitors import instability, variety
from pgm import Real, Variable

X = Variable("x", Real())
OPTIONS = {"batch": 32, "record": 10, "device": "cpu", "progress": False}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at every tenth step, so that short games have enough of them."""
    monkeypatch.setattr(monitors, "EVERY", 10)


def points(width: float = 0.1) -> Data:
    return arrays("points", x=1 + width * torch.randn(512, generator=torch.Generator().manual_seed(0)))


def shifting(width: float, seed: int = 0) -> Gan:
    """A generator of points of a width around 3, which it can only move, and a critic w x + b."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found = gan(X, 1, generator=mlp(), discriminator=mlp())
    layer = found.generator.net.net.net[0]
    with torch.no_grad():
        layer.weight.fill_(width).requires_grad_(False)
        layer.bias.fill_(3.0)
    return found


@settings(max_examples=10)
@given(st.floats(0.01, 10), st.floats(-5, 5), st.integers(0, 99))
def test_spread_is_a_ratio_of_lengths(scale: float, shift: float, seed: int) -> None:
    real = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))
    found = variety(scale * real + shift, real)
    torch.testing.assert_close(found["spread"], torch.tensor(scale), rtol=1e-3, atol=0)
    assert (found["twins"] >= 0.5) == (scale < 0.1)  # the median row is as near as a tenth then


def test_twins_are_counted() -> None:
    """Real rows are 1 apart: of generated ones the first two are 0.09 apart, the next two 0.11."""
    real, fake = torch.arange(6.0), torch.tensor([0.0, 0.09, 2.0, 2.11, 4.0, 6.0])
    assert variety(fake, real)["twins"].item() == pytest.approx(2 / 6)
    assert variety(torch.zeros(6, 2, 2), torch.randn(6, 2, 2)) == {"spread": 0.0, "twins": 1.0}
    assert variety(5 * torch.randn(6, 2), torch.zeros(6, 2))["spread"] == 1e6  # real rows that are all one


def test_a_generator_of_one_point_has_collapsed() -> None:
    """Whatever its critic does: it may only move."""
    history = fit(adversarial(shifting(0.0), penalty=r1()), points(), turns=100, **OPTIONS)
    assert [notice.name for notice in history.notices] == ["collapse"]
    assert "differ by 0% of what real rows do, 100% have a twin; take a pack" in history.notices[0].said
    assert fit(adversarial(shifting(0.1), penalty=r1()), points(), turns=100, **OPTIONS).notices == []


def test_the_ways_of_a_cycle_are_looked_at_one_by_one() -> None:
    """The way forth makes one point of all rows, the way back leaves them as they are, which are what is asked for."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cycle(X, Variable("source", Real()), generator=mlp(), discriminator=mlp())
    for way, slope in ((model.forth, 0.0), (model.back, 1.0)):
        weight, bias = way.generator.parameters()
        nn.init.constant_(weight, slope).requires_grad_(False)
        nn.init.zeros_(bias)
    x = points()["x"]
    history = fit(cycle_consistent(model, penalty=r1()), arrays(x=x, source=x.flip(0)), turns=100, **OPTIONS)
    assert [notice.name for notice in history.notices] == ["collapse forth"]
    assert history["generators.spread forth"] == [0.0] * 10
    assert history["generators.spread back"] == pytest.approx([1.0] * 10, abs=0.5)


def test_of_two_discriminators_each_may_win() -> None:
    rows = [{"turn": n, "discriminators.accuracy back": 1.0, "generators.gradient": 1 / n} for n in range(1, 12)]
    (found,) = instability(History(rows)).items()
    assert found[0] == "a discriminator that has won back"
    assert "100.0% of rows apart, and the gradient of generators is 9.1% of its largest" in found[1]


def test_a_strong_critic_wins_the_game_of_one_value() -> None:
    data = standardised(ring(2000))
    critic = octaves(mlp(32, 32, activation=lambda: nn.LeakyReLU(0.2)), 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = gan(data.variable("x"), 2, generator=mlp(32), discriminator=critic)
    options = {"optimiser": adam(1e-4), "critic": {"optimiser": adam(1e-2)}}
    history = fit(adversarial(model, minimax(), **options), data, turns=120, **OPTIONS)
    assert "a discriminator that has won" in {notice.name for notice in history.notices}
    assert history["generator.fooling"][-1] > -0.03 * log(2)  # of what it earns when undecided


def test_linear_critics_of_points_go_round_and_a_penalty_calms_them() -> None:
    """The Dirac-GAN: alternating descent does not converge without a penalty, and does with R1.

    Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do actually converge?
    """
    bare, calm = (
        fit(
            adversarial(shifting(0.1), optimiser=sgd(0.3), penalty=penalty),
            points(),
            turns=100,
            **{**OPTIONS, "record": 5},
        )
        for penalty in (None, r1(1.0))
    )
    assert [notice.name for notice in bare.notices] == ["oscillation"]
    assert calm.notices == []


@pytest.mark.parametrize("seed", range(3))
def test_a_game_that_goes_well_is_not_spoken_of(seed: int) -> None:
    data = standardised(ring(2000, seed=seed))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = gan(data.variable("x"), 2, generator=mlp(32), discriminator=mlp(32))
    history = fit(adversarial(model, penalty=r1(0.1)), data, turns=120, seed=seed, **OPTIONS)
    assert history.notices == []
    assert len(history["generator.spread"]) == 12


def test_a_gradient_a_hundred_times_its_median_explodes() -> None:
    rows = [{"turn": 50.0 * n, "generator.gradient": 2.0} for n in range(12)]
    assert instability(History(rows)) == {}
    assert instability(History([*rows, {"turn": 600.0, "generator.gradient": 199.0}])) == {}
    found = instability(History([*rows, {"turn": 600.0, "generator.gradient": 201.0}]))
    assert found["exploding gradients"].startswith("that of generator is 201, 100 times its median; lower the rate")


def test_held_out_rows_and_the_beginning_say_nothing() -> None:
    held = [{"turn": 50.0 * n, "held-out discriminator.accuracy": 1.0} for n in range(20)]
    early = [{"turn": 50.0 * n, "discriminator.accuracy": 1.0} for n in range(9)]
    assert instability(History(held)) == instability(History(early)) == {}
