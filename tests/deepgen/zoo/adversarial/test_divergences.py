"""f-divergences on a grid: the best critic is found without knowing f, and its value is the sum that defines D_f."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepgen.zoo.adversarial import Game, minimax, non_saturating
from deepgen.zoo.adversarial.divergences import Divergence, Name, f_divergence
from pgm.errors import PlanError

F: dict[str, Callable[[Tensor], Tensor]] = {
    "forward KL": lambda u: u * u.log(),
    "reverse KL": lambda u: -u.log(),
    "Pearson": lambda u: (u - 1).square(),
    "squared Hellinger": lambda u: (u.sqrt() - 1).square(),
    "Jensen-Shannon": lambda u: (u * (2 * u / (1 + u)).log() + (2 / (1 + u)).log()) / 2,
    "total variation": lambda u: (u - 1).abs() / 2,
}
EDGE = 60.0


def tables(seed: int) -> tuple[Tensor, Tensor]:
    """Two distributions of seven states, in double."""
    p, q = torch.randn(2, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)
    return p, q


def best(game: Game, p: Tensor, q: Tensor) -> Tensor:
    """Scores at which the discriminator pays least, by halving intervals of the sign of its slope."""
    low, high = torch.full_like(p, -EDGE), torch.full_like(p, EDGE)
    for _ in range(60):
        middle = ((low + high) / 2).requires_grad_()
        (slope,) = torch.autograd.grad((p * game.real(middle) + q * game.fake(middle)).sum(), middle)
        low, high = torch.where(slope < 0, middle.detach(), low), torch.where(slope < 0, high, middle.detach())
    return (low + high) / 2


@pytest.mark.parametrize("name", get_args(Name))
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_the_value_at_the_best_critic_is_the_divergence(name: Name, seed: int) -> None:
    p, q = tables(seed)
    game = f_divergence(name)
    scores = best(game, p, q)
    value = -(p * game.real(scores) + q * game.fake(scores)).sum()
    torch.testing.assert_close(value, (q * F[name](p / q)).sum())
    assert ((scores > 0) == (p > q)).all(), "a score of 0 is undecided"
    worse = scores + torch.randn(7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert -(p * game.real(worse) + q * game.fake(worse)).sum() <= value + 1e-9


@pytest.mark.parametrize("name", get_args(Name))
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_the_generator_follows_the_gradient_of_the_divergence(name: Name, seed: int) -> None:
    """Of softmax parameters: at the best critic its cost has the slope of D_f; total variation has kinks, not here."""
    p, q = tables(seed)
    free = q.log().requires_grad_()
    game = f_divergence(name)
    scores, moved = best(game, p, q), free.softmax(-1)
    (slope,) = torch.autograd.grad((moved * game.generated(scores)).sum(), free)
    moved = free.softmax(-1)
    (exact,) = torch.autograd.grad((moved * F[name](p / moved)).sum(), free)
    torch.testing.assert_close(slope, exact, atol=1e-9, rtol=1e-6)


def test_jensen_shannon_is_half_of_minimax_and_log_2() -> None:
    scores = torch.linspace(-5, 5, 11, dtype=torch.float64)
    ours, theirs = f_divergence("Jensen-Shannon"), minimax()
    shift = torch.tensor(2.0).double().log() / 2
    torch.testing.assert_close(ours.real(scores), theirs.real(scores) / 2 - shift)
    torch.testing.assert_close(ours.fake(scores), theirs.fake(scores) / 2 - shift)
    other, usual = f_divergence("Jensen-Shannon", saturating=False), non_saturating()
    torch.testing.assert_close(other.generated(scores), usual.generated(scores) / 2 - shift)
    torch.testing.assert_close(other.inferred(scores), usual.inferred(scores) / 2 - shift)


@pytest.mark.parametrize("name", ["Jensen-Shannon", "total variation"])
def test_large_scores_have_finite_costs_and_slopes_in_short_floats(name: Name) -> None:
    scores = torch.tensor([-200.0, -30.0, 30.0, 200.0], requires_grad=True)
    game = f_divergence(name)
    total = game.real(scores) + game.fake(scores)
    (slope,) = torch.autograd.grad(total.sum(), scores)
    assert total.isfinite().all()
    assert slope.isfinite().all()


def test_a_divergence_of_ones_own() -> None:
    """Neyman's, f(u) = (u - 1)^2 / u: Pearson's with both exchanged."""
    neyman = Divergence("Neyman", lambda s: -torch.expm1(-2 * s), lambda s: 2 - 2 * (-s).exp())
    p, q = tables(0)
    game = f_divergence(neyman)
    scores = best(game, p, q)
    torch.testing.assert_close(-(p * game.real(scores) + q * game.fake(scores)).sum(), (p * F["Pearson"](q / p)).sum())


def test_unknown_divergences() -> None:
    with pytest.raises(PlanError, match="f_divergence: 'chi' is unknown, expected one of forward KL, reverse KL"):
        f_divergence("chi")  # type: ignore[arg-type]
