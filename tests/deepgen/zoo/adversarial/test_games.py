"""What players of each game pay, against the formulas of the papers in probabilities, and who wants what."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepgen.zoo.adversarial import Game, hinge, least_squares, minimax, non_saturating, wasserstein

GAMES = [minimax(), non_saturating(), least_squares(), hinge(), wasserstein()]
scores = st.floats(-8, 8).map(lambda s: torch.tensor(s, dtype=torch.float64))
PAPERS: dict[str, tuple[Callable[[], Game], Callable[[Tensor], list[Tensor]]]] = {
    "Goodfellow et al. (2014)": (minimax, lambda d: [-d.log(), -(1 - d).log(), (1 - d).log(), d.log()]),
    "the same, section 3": (non_saturating, lambda d: [-d.log(), -(1 - d).log(), -d.log(), -(1 - d).log()]),
}


def pays(game: Game, s: Tensor) -> list[Tensor]:
    return [cost(s) for cost in (game.real, game.fake, game.generated, game.inferred)]


@pytest.mark.parametrize("paper", PAPERS)
@given(scores)
def test_costs_of_odds_are_those_of_probabilities(paper: str, s: Tensor) -> None:
    make, formula = PAPERS[paper]
    torch.testing.assert_close(pays(make(), s), formula(s.sigmoid()))


@pytest.mark.parametrize("game", GAMES, ids=repr)
@given(scores, scores)
def test_players_want_opposite_things(game: Game, one: Tensor, other: Tensor) -> None:
    """Between scores that no one is content with: a discriminator raises those of real rows, a generator its own."""
    low, high = sorted((one.clamp(-0.9, 0.9), other.clamp(-0.9, 0.9)))
    costs = zip(pays(game, low), pays(game, high), (1, -1, 1, -1), strict=True)
    assert all(sign * (at_low - at_high) >= 0 for at_low, at_high, sign in costs)


@pytest.mark.parametrize("game", GAMES, ids=repr)
@given(scores)
def test_real_and_fake_mirror_each_other(game: Game, s: Tensor) -> None:
    torch.testing.assert_close([game.real(s), game.generated(s)], [game.fake(-s), game.inferred(-s)])


@pytest.mark.parametrize("game", [minimax(), wasserstein()], ids=repr)
@given(scores)
def test_games_of_one_value_sum_to_nothing(game: Game, s: Tensor) -> None:
    assert game.fake(s) + game.generated(s) == 0
    assert game.real(s) + game.inferred(s) == 0


@given(st.floats(0.05, 0.95))
def test_the_best_score_of_a_row_is_known(p: float) -> None:
    """Where a share p of rows is real: log odds; 2 p - 1 by least squares; the sign of that by hinges."""
    s = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    expected = {minimax: torch.tensor(p).logit().item(), least_squares: 2 * p - 1}
    for make, best in expected.items():
        game = make()
        found = s[(p * game.real(s) + (1 - p) * game.fake(s)).argmin()].item()
        assert found == pytest.approx(best, abs=1e-3)
    value = p * hinge().real(s) + (1 - p) * hinge().fake(s)
    assert value.min().item() == pytest.approx(2 * min(p, 1 - p))


def test_a_goal_of_nothing_leaves_the_generator_at_the_middle() -> None:
    """Mao et al. (2017), a = -1, b = 1, c = 0."""
    game, s = least_squares(0.0), torch.tensor([-1.0, 0.0, 2.0])
    torch.testing.assert_close(game.generated(s), s.square() / 2)
    torch.testing.assert_close(game.inferred(s), s.square() / 2)
