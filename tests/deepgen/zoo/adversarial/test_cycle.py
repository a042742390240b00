"""Translation without pairs: affine maps between Gaussians, maps that undo one another, who moves, the same bits."""

from math import nan
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.networks.dcgan import patchgan
from deepgen.networks.translating import unet_generator
from deepgen.training import checkpoint
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, adam
from deepgen.training.schedules import cosine
from deepgen.zoo.adversarial import Cycle, adversarial, cycle, cycle_consistent, gan, r1, translator, wasserstein
from pgm import Real, Variable
from pgm.errors import GraphError, PlanError

X, SOURCE = Variable("x", Real(1)), Variable("source", Real(1))
IMAGE, OTHER = Variable("image", Real(8, 8)), Variable("source", Real(8, 8))
START = Moment(0, 0, 0.0)


class Square(nn.Module):
    """Scores a x + b x^2: two distributions that it cannot tell apart have the same mean and deviation."""

    def __init__(self, given, shape) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.cat([x, x.square()], -1) * self.slopes).sum(-1)


def affine(slope: float, intercept: float, back: tuple[float, float]) -> Cycle:
    """x = slope source + intercept, and some other affine way back."""
    found = cycle(X, SOURCE, generator=mlp(), discriminator=Square)
    for way, (a, b) in ((found.forth, (slope, intercept)), (found.back, back)):
        weight, bias = way.generator.parameters()
        nn.init.constant_(weight, a)
        nn.init.constant_(bias, b)
    return found


def images() -> Cycle:
    torch.manual_seed(0)
    return cycle(IMAGE, OTHER, generator=unet_generator(4), discriminator=patchgan(4, norm="none"), patches=[4, 4])


def noise(rows: int) -> Data:
    torch.manual_seed(1)
    return arrays("noise", image=torch.rand(rows, 8, 8) * 2 - 1, source=torch.rand(rows, 8, 8) * 2 - 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_between_gaussians_it_finds_an_affine_map_up_to_sign(sign: int) -> None:
    """From N(0, 1) to N(3, 2): two affine maps, +-2 source + 3, have the mean and deviation that are asked for. What n
    rows say of them has standard errors of 2 / sqrt(n) and sqrt(8 / n), and what is learned is within four of these."""
    n, generator = 1000, torch.Generator().manual_seed(0)
    x, source = 3 + 2 * torch.randn(n, 1, generator=generator), torch.randn(n, 1, generator=generator)
    model = affine(sign, 0.0, (sign, 0.0))
    options = {"optimiser": adam(0.2, betas=(0.0, 0.9)), "rate": cosine(100), "penalty": r1(0.3)}
    phases = cycle_consistent(model, wasserstein(), weight=1.0, replay=0, **options)
    fit(phases, arrays(x=x, source=source), turns=100, batch=n, average=0.95, device="cpu", progress=False)
    (a, b), (c, d) = ([p.item() for p in way.generator.parameters()] for way in (model.forth, model.back))
    assert a == pytest.approx(2 * sign, abs=4 * 2 / n**0.5)
    assert b == pytest.approx(3, abs=4 * (8 / n) ** 0.5)
    assert c == pytest.approx(1 / a, abs=4 * 0.5 / n**0.5)
    assert d == pytest.approx(-b / a, abs=4 * (2 / n) ** 0.5)


@settings(max_examples=10)
@given(st.floats(0.2, 3), st.floats(-3, 3))
def test_maps_that_undo_one_another_pay_nothing_for_the_cycle(slope: float, intercept: float) -> None:
    batch = {"x": torch.linspace(-2, 5, 9)[:, None], "source": torch.linspace(-3, 3, 9)[:, None]}
    inverse = affine(slope, intercept, (1 / slope, -intercept / slope))
    costs = cycle_consistent(inverse)[1].objective(batch, START)
    torch.testing.assert_close(costs["cycle"], torch.zeros(9), atol=1e-3, rtol=0)
    other = affine(slope, intercept, (1.0, 2.0))
    found = cycle_consistent(other, weight=3.0, identity=5.0)[1].objective(batch, START)
    x, source = batch["x"][:, 0], batch["source"][:, 0]
    again = (slope * source + intercept + 2 - source).abs() + (slope * (x + 2) + intercept - x).abs()
    kept = (slope * x + intercept - x).abs() + (source + 2 - source).abs()
    torch.testing.assert_close(found["cycle"], 3 * again, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found["identity"], 5 * kept, atol=1e-4, rtol=1e-4)


def test_what_both_pay_is_that_of_two_games_and_the_cycle() -> None:
    model, batch = images(), dict(noise(6).columns)
    first, second = (phase.objective(batch, START) for phase in cycle_consistent(model, wasserstein(), replay=0))
    each = [[p.objective(batch, START) for p in adversarial(way, wasserstein())] for way in (model.forth, model.back)]
    torch.testing.assert_close(first["loss"], each[0][0]["loss"] + each[1][0]["loss"])
    torch.testing.assert_close(first["fake back"], each[1][0]["fake"])
    expected = each[0][1]["loss"].mean() + each[1][1]["loss"].mean() + second["cycle"].mean()
    torch.testing.assert_close(second["loss"], expected)


def test_phases_move_their_own_parameters_alone() -> None:
    model = images()
    first, second = cycle_consistent(model)
    kinds = (
        [way.discriminator for way in (model.forth, model.back)],
        [way.generator for way in (model.forth, model.back)],
    )
    for phase, parts in zip((first, second), kinds, strict=True):
        assert {id(p) for p in phase.parameters()} == {id(p) for part in parts for p in part.parameters()}
    assert {"replay forth", "replay back"} <= set(first.modules)


def test_a_run_that_was_ended_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    options = {"batch": 8, "device": "cpu", "every": 2, "progress": False, "average": 0.9}
    fit(cycle_consistent(images(), replay=10), noise(40), turns=4, out=tmp_path / "whole", **options)
    fit(cycle_consistent(images(), replay=10), noise(40), turns=2, out=tmp_path / "part", **options)
    fit(cycle_consistent(images(), replay=10), noise(40), turns=4, out=tmp_path / "part", resume=True, **options)
    one, two = (checkpoint.read(tmp_path / name).tensors for name in ("whole", "part"))
    assert one.keys() == two.keys()
    assert sum("replay" in name for name in one) == 4
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_look_at_held_out_rows_leaves_no_trace_in_the_pools() -> None:
    model, batch = images(), dict(noise(6).columns)
    first, _ = cycle_consistent(model, replay=4)
    for module in first.modules.values():
        module.eval()
    one, two = (first.objective(batch, START)["loss"] for _ in range(2))
    assert torch.equal(one, two)
    assert not any(pool.full.any() for name, pool in first.modules.items() if name.startswith("replay"))


def test_what_does_not_fit_is_said() -> None:
    forth, wide = translator(X, SOURCE, beside=False), Variable("source", Real(4))
    with pytest.raises(GraphError, match=r"is given \['source'\], expected 'x', which .* makes"):
        Cycle(forth, translator(X, SOURCE, beside=False))
    with pytest.raises(GraphError, match=r"sees x, source, expected 'x' alone, since there are no pairs; .*beside=Fal"):
        Cycle(translator(X, SOURCE), translator(SOURCE, X))
    with pytest.raises(GraphError, match=r"is given \[\]"):
        Cycle(gan(X, 2), forth)
    for identity in (-1.0, 1.0):
        with pytest.raises(PlanError, match=r"identity is -?1.0 between shapes \[4\] and \[1\], expected 0"):
            cycle_consistent(cycle(X, wide), identity=identity)
    with pytest.raises(PlanError, match=r"identity is nan between shapes \[8, 8\] and \[8, 8\]"):
        cycle_consistent(images(), identity=nan)
    with pytest.raises(PlanError, match="cycle_consistent: weight is 0, expected a number above 0"):
        cycle_consistent(images(), weight=0)
    batch = cycle(IMAGE, OTHER, discriminator=patchgan(4, 4), patches=[2, 2])
    with pytest.raises(PlanError, match="judges rows by their batch"):
        cycle_consistent(batch, penalty=r1())
