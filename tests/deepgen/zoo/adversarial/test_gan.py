"""Generators without a density and discriminators, as graphs: what is drawn, from what, and what is refused."""

import pytest
import torch
from torch import nn

from deepgen.conditionals.discriminator import Discriminator
from deepgen.conditionals.generated import FAKE, REAL, SOURCES, Generated
from deepgen.data.data import Data
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.training.fit import fit
from deepgen.zoo.adversarial import Gan, adversarial, gan, infogan
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


def test_one_row_and_rows_of_rows_are_judged_as_rows_are() -> None:
    model, x = made(), torch.randn(3, 5, 3)
    real = torch.full((3, 5), REAL)
    found = model.discriminator.log_prob(x, LABELS, real)
    for place in range(3):
        torch.testing.assert_close(found[place], model.discriminator.log_prob(x[place], LABELS, real[0]))
    torch.testing.assert_close(found[0, 1], model.discriminator.log_prob(x[0, 1], LABELS[1], real[0, 1]))


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
    label = {"label": torch.tensor([0, 1])}
    with pytest.raises(ShapeError, match=r"'label' is given with shape \[2, 1\], expected \[2\], a value for each"):
        made().sample(2, {"label": label["label"][:, None]})
    with pytest.raises(ShapeError, match=r"'z' is given with shape \[2, 5\], expected \[2, 2\]"):
        made().sample(2, {**label, "z": torch.zeros(2, 5)})
    with pytest.raises(PlanError, match=r"Gan\(x from z given label\): w is given, expected some of z, label"):
        made().sample(2, {**label, "w": torch.zeros(2)})


def test_states_of_latent_variables_are_states_too() -> None:
    with pytest.raises(EvidenceError, match="sample: 'kind' is 3 in a row, expected .* 3 states, 0 to 2"):
        infogan(X, 1, [Variable("kind", 3)]).sample(1, {"kind": torch.tensor([3])})


def test_the_name_of_the_flag_is_taken() -> None:
    for make in (lambda: gan(Variable("y", Real(2)), 2), lambda: gan(X, 2, label=Variable("y", 3))):
        with pytest.raises(GraphError, match="'y' says whether rows are fake or real, and another variable has this"):
            make()
    for column in (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])):
        with pytest.raises(PlanError, match="column 'y' of rows has the name of what says .* another name, such"):
            fit(adversarial(gan(X, 2)), Data({"x": torch.zeros(4, 3), "y": column}, "rows"), turns=1, batch=2)


def test_a_network_that_makes_something_else_is_named() -> None:
    with pytest.raises(ShapeError, match=r"Generated\(x\): the network makes \[5, 2\], expected rows of \[3\]"):
        gan(X, 2, generator=lambda given, shape: nn.Identity()).sample(5)


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
