"""One turn of a game is that of a loop by hand; what the history has is what was paid; who moves, and who does not."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from deepgen.data.data import arrays
from deepgen.networks import mlp
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, sgd
from deepgen.zoo.adversarial import Gan, adversarial, gan, hinge, r1, wasserstein
from pgm import Real, Variable
from pgm.errors import PlanError, ShapeError

U, X = Variable("u", Real(2)), Variable("x", Real(1))
ROWS = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
DATA = arrays("pairs", u=ROWS, x=ROWS.sum(1, keepdim=True) + 3)
BATCH, START = {"u": ROWS, "x": DATA["x"]}, Moment(0, 0, 0.0)


def certain(seed: int = 0) -> Gan:
    """A generator of x from u alone, without noise; the discriminator sees both."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return gan(X, 0, given=[U], generator=mlp(4), discriminator=mlp(4))


def test_turns_are_those_of_a_loop_by_hand() -> None:
    """Gradient descent on all rows: two steps of the discriminator, one of the generator against the newer one."""
    model = certain()
    maker, judge = deepcopy(model.generator.net.net), deepcopy(model.discriminator.net.net)
    fit(
        adversarial(model, steps=2, optimiser=sgd(0.1), critic={"optimiser": sgd(0.2)}),
        DATA, turns=3, batch=8, device="cpu", progress=False,
    )  # fmt: skip
    by_hand = torch.optim.SGD(maker.parameters(), 0.1), torch.optim.SGD(judge.parameters(), 0.2)
    for _ in range(3):
        for _ in range(2):
            by_hand[1].zero_grad()
            real, fake = judge(DATA["x"], ROWS), judge(maker(ROWS).detach(), ROWS)
            (softplus(-real).mean() + softplus(fake).mean()).backward()
            by_hand[1].step()
        by_hand[0].zero_grad()
        softplus(-judge(maker(ROWS), ROWS)).mean().backward()
        by_hand[0].step()
    for ours, theirs in ((model.generator.net.net, maker), (model.discriminator.net.net, judge)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)


def test_the_history_has_scores_accuracy_and_norms() -> None:
    model = certain()
    fake = model.fake(8, {"u": ROWS})
    real, wrong = model.scores(BATCH).detach(), model.scores(fake).detach()
    phases = adversarial(model, hinge(), penalty=r1(0.5))
    pays = phases[0].objective(BATCH, START)
    slope = torch.autograd.grad(pays["loss"].mean(), list(model.discriminator.parameters()))
    history = fit(phases, DATA, turns=1, batch=8, device="cpu", progress=False).last
    expected = {
        "real": real.mean(),
        "fake": wrong.mean(),
        "accuracy": ((real > 0).float().mean() + (wrong < 0).float().mean()) / 2,
        "gradient": torch.cat([each.flatten() for each in slope]).norm(),
        "loss": (1 - real).relu().mean() + (1 + wrong).relu().mean() + pays["penalty"].mean(),
    }
    found = {name: history[f"discriminator.{name}"] for name in expected}
    assert found == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-5)
    assert "accuracy" not in adversarial(model, wasserstein())[0].objective(BATCH, START)


def test_a_turn_moves_its_own_player() -> None:
    model = certain()
    for moving, phase in zip(("discriminator", "generator"), adversarial(model, optimiser=sgd(0.1)), strict=True):
        before = {name: deepcopy(part.state_dict()) for name, part in model.modules.items()}
        fit(phase, DATA, turns=1, batch=8, device="cpu", progress=False)
        moved = {
            name
            for name, part in model.modules.items()
            if any(not torch.equal(value, before[name][key]) for key, value in part.state_dict().items())
        }
        assert moved == {moving}


def test_what_else_a_generator_pays_is_added_and_shown() -> None:
    model = certain()
    plain, more = (
        adversarial(model, also=also)[1].objective(BATCH, START)
        for also in (None, lambda fake, batch: {"apart": (fake["x"] - batch["x"]).abs().sum(1)})
    )
    far = (model.fake(8, {"u": ROWS})["x"] - DATA["x"]).abs().mean()
    torch.testing.assert_close(more["loss"] - plain["loss"], far)
    torch.testing.assert_close(more["apart"].mean(), far)


def test_rows_judged_together_and_slopes_of_rows_exclude_each_other() -> None:
    def normed(given: object, shape: object) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1), nn.Flatten(0))

    with pytest.raises(PlanError, match="the discriminator judges rows by their batch .*take layers of another norm"):
        adversarial(gan(X, 1, discriminator=normed), penalty=r1())


def test_a_pack_is_no_larger_than_a_batch() -> None:
    phases = adversarial(gan(X, 1, generator=mlp(), discriminator=mlp(), pack=5))
    with pytest.raises(ShapeError, match="there are 4 rows, expected 5 or more, a pack"):
        fit(phases, arrays("points", x=DATA["x"]), turns=1, batch=4, device="cpu", progress=False)


def test_a_look_at_held_out_rows_leaves_the_pool_of_past_rows_alone() -> None:
    phases = adversarial(certain(), replay=8)
    pool = phases[0].modules["replay"]
    phases[0].objective(BATCH, START)
    held = pool.held_0.clone()
    pool.eval()
    looked = phases[0].objective({"u": ROWS + 1, "x": DATA["x"]}, START)["fake"]
    assert torch.equal(pool.held_0, held)
    torch.testing.assert_close(
        looked, adversarial(certain())[0].objective({"u": ROWS + 1, "x": DATA["x"]}, START)["fake"]
    )
