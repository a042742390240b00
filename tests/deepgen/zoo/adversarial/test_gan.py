"""Generators without a density and discriminators, as graphs: what is drawn, from what, and what is refused."""

import pytest
import torch

from deepgen.conditionals.discriminator import Discriminator
from deepgen.conditionals.generated import FAKE, REAL, SOURCES, Generated
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.zoo.adversarial import Gan, gan
from deepgen.zoo.adversarial.gan import FLAG
from deepgen.zoo.vae import vae
from pgm import Binary, Model, Real, Variable
from pgm.errors import EvidenceError, GraphError, PlanError, ShapeError

X, LABEL = Variable("x", Real(3)), Variable("label", range(4))
LABELS = torch.tensor([0, 1, 2, 3, 3])


def made(**options: object) -> Gan:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return gan(X, 2, label=LABEL, generator=mlp(), discriminator=mlp(), **options)


def test_rows_are_what_the_network_makes_of_what_they_say_they_are_made_of() -> None:
    model = made()
    fake = model.fake(5, {"label": LABELS})
    weight, bias = model.generator.parameters()
    told = torch.eye(4)[LABELS]
    torch.testing.assert_close(fake["x"], torch.cat([fake["z"], told], 1) @ weight.mT + bias)
    torch.testing.assert_close(model.fake(5, {"label": LABELS, "z": fake["z"]})["x"], fake["x"])


def test_scores_are_log_odds_of_the_flag() -> None:
    model, x = made(), torch.randn(5, 3)
    weight, bias = model.discriminator.parameters()
    scores = model.scores({"x": x, "label": LABELS})
    torch.testing.assert_close(scores, (torch.cat([x, torch.eye(4)[LABELS]], 1) @ weight.mT + bias).squeeze(-1))
    log_p = [model.discriminator.log_prob(x, LABELS, torch.full((5,), y)) for y in (FAKE, REAL)]
    torch.testing.assert_close(log_p[REAL] - log_p[FAKE], scores)
    torch.testing.assert_close(log_p[REAL].exp() + log_p[FAKE].exp(), torch.ones(5))


@pytest.mark.parametrize("rows", [4, 5])
def test_what_is_said_of_a_pack_is_said_of_each_of_its_rows(rows: int) -> None:
    """Row i is in pack i % packs; what is missing of the last one is filled with the first rows."""
    judge, x = Discriminator(FLAG, [X], mlp(5), pack=2), torch.randn(rows, 3)
    odds = judge.log_prob(x, torch.full((rows,), REAL)) - judge.log_prob(x, torch.full((rows,), FAKE))
    packs = (rows + 1) // 2
    filled = torch.cat([x, x[:1]])[: 2 * packs]
    expected = judge.net.net.net(torch.cat([filled[:packs], filled[packs:]], 1))
    torch.testing.assert_close(odds, expected.repeat(2)[:rows])


def test_patches_are_one_judgement_of_a_row() -> None:
    judge, x = Discriminator(FLAG, [X], mlp(), patches=[2, 2]), torch.randn(5, 3)
    odds = judge.log_prob(x, torch.full((5,), REAL)) - judge.log_prob(x, torch.full((5,), FAKE))
    assert judge.scores(x).shape == (5, 2, 2)
    torch.testing.assert_close(odds, judge.scores(x).mean((1, 2)))


def test_samples_of_a_seed_are_the_same_and_leave_randomness_alone() -> None:
    model = made()
    before = torch.get_rng_state()
    one, again, other = (model.sample(5, {"label": LABELS}, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert not one.requires_grad


def test_what_a_generator_needs_is_asked_for() -> None:
    with pytest.raises(PlanError, match=r"Gan\(x from z given label\): label must be given, for each of 2 rows"):
        made().fake(2)
    with pytest.raises(EvidenceError, match="sample: 'label' is 4 in a row, expected .* 4 states, 0 to 3"):
        made().sample(2, {"label": torch.tensor([0, 4])})


def test_pairs_that_are_no_game_are_refused() -> None:
    model, other = made(), vae(Variable("x", Binary(3)), 2)
    with pytest.raises(GraphError, match="Gan: the model is .*, expected one Generated conditional in it"):
        Gan(other)
    with pytest.raises(GraphError, match="Gan: the guide is .*, expected one Discriminator conditional in it"):
        Gan(Pair(model.pair.model, Model(*other.guide.conditionals.values())))


def test_parts_that_make_no_sense_are_refused() -> None:
    coin, z = Variable("y", ("no", "yes")), Variable("z", Real(2))
    with pytest.raises(GraphError, match="'x' is Binary.*, expected Real"):
        Generated(Variable("x", Binary(3)), FLAG, [z], mlp())
    for make in (lambda: Generated(X, coin, [z], mlp()), lambda: Discriminator(coin, [X], mlp())):
        with pytest.raises(GraphError, match="expected the states 'fake' and 'real'"):
            make()
    with pytest.raises(GraphError, match="a generator of nothing makes one point; give it a latent variable"):
        gan(X, 0)
    with pytest.raises(GraphError, match="it sees nothing; give it x"):
        Discriminator(FLAG, [], mlp())
    with pytest.raises(ShapeError, match="pack is 0, expected 1 row or more"):
        gan(X, 2, pack=0)
    assert FLAG.states == SOURCES
