"""Predictability minimisation on data whose causes are known, and beside Pyro."""

from math import log

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.data import Data
from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.phases import maximised
from deepgen.testing import pyro_bound, pyro_trained
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, Phase, adam
from deepgen.zoo.predictability import Coder, bit_information, predictability_game, predictability_minimisation
from pgm import Binary, MarkovNetwork, Real, Table, Variable, as_pyro, mutual_information
from pgm.errors import GraphError

LABEL = Variable("label", range(3))
OPTIONS = {"progress": False, "device": "cpu", "record": 1000}


def entropy(rows: Tensor) -> float:
    share = torch.unique(rows, dim=0, return_counts=True)[1] / len(rows)
    return -(share * share.log()).sum().item()


def redundancy(codes: Tensor) -> tuple[float, float]:
    """Entropies of the units, to a fifth, less that of all together, which is 0 where they are independent; that."""
    rounded = (5 * codes).floor()
    joint = entropy(rounded)
    return sum(entropy(column[:, None]) for column in rounded.T) - joint, joint


FAIR, BENT = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.0, 0.0, 1.0])


def mixed() -> tuple[Coder, Data]:
    """Three coins, of which two fall on one side three times in four, turned into six numbers: all 32 throws."""
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 3))[0].mT
    data, network = Data({"x": 2 * torch.cartesian_prod(FAIR, BENT, BENT) @ turn}, "mixed"), mlp(16, activation=nn.Tanh)
    return predictability_minimisation(data.variable("x"), 3, encoder=network, decoder=network), data


def test_the_game_tells_independent_causes_apart():
    """From the seeds 0 to 9 all ten end so, and none of them without the game."""
    coder, data = mixed()
    fit(predictability_game(coder, 2.0, optimiser=adam(0.02)), data, turns=300, batch=32, **OPTIONS)
    codes = coder.codes(data.columns).detach()
    left, joint = redundancy(codes)
    assert left == pytest.approx(0.0, abs=1e-5)  # rounding alone
    assert joint == pytest.approx(log(2) + 2 * entropy(BENT[:, None]), abs=1e-5)  # nothing is lost
    pairs = bit_information(codes)
    assert (pairs - pairs.diagonal().diag()).abs().max().item() < 1e-9


def test_reconstruction_alone_does_not():
    """The same networks with the same start: units are numbers each of which tells much of the others."""
    coder, data = mixed()
    fit(maximised(coder.pair, elbo, optimiser=adam(0.02)), data, turns=300, batch=32, **OPTIONS)
    codes = coder.codes(data.columns)
    error = (coder.pair.means({"z": codes})["x"] - data["x"]).square().sum(-1).mean().item()
    assert error < 0.02 * data["x"].var(0).sum().item()  # it has learned all that there is
    assert redundancy(codes)[0] > 0.3


def trained(phase: Phase, data: Data, steps: int) -> list[float]:
    """Losses of some steps of one player alone, over all rows."""
    optimiser, losses = phase.optimiser(phase.parameters()), []
    for step in range(steps):
        optimiser.zero_grad()
        terms = phase.objective(data.columns, Moment(step, step, 0.0))
        loss = (terms["loss"] if isinstance(terms, dict) else terms).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def certain(rows: Tensor) -> tuple[Coder, Data]:
    """A coder whose units are the bits of x."""
    coder = predictability_minimisation(Variable("x", Real(3)), 3, encoder=mlp(), decoder=mlp())
    linear = coder.pair.guide.conditionals["z"].net.net[0]
    with torch.no_grad():
        linear.weight.copy_(40 * torch.eye(3))
        linear.bias.fill_(-20)
    return coder, Data({"x": rows}, "bits")


def test_the_best_predictor_is_the_conditional_mean():
    torch.manual_seed(0)
    table = torch.tensor([4, 1, 1, 2, 1, 2, 1, 4])  # counts of 000, 001, ..., 111
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    coder, data = certain(states.repeat_interleave(table, 0))
    predict, _ = predictability_game(coder, optimiser=adam(0.05))
    losses = trained(predict, data, 400)
    joint = table.double().reshape(2, 2, 2) / 16
    means = [joint.select(axis, 1) / joint.sum(axis) for axis in range(3)]  # E[z_i | the other two]
    truth = torch.stack([m.unsqueeze(i).expand(2, 2, 2).flatten() for i, m in enumerate(means)], -1)
    guesses = coder.guesses({}, coder.codes({"x": states})).detach().double()
    assert (guesses - truth).abs().max().item() < 0.01
    residual = (joint.flatten()[:, None] * (states - truth).square()).sum().item()
    assert losses[-1] == pytest.approx(residual, abs=1e-3)


def test_the_encoder_makes_worse_what_predictors_make_better():
    torch.manual_seed(0)
    data = Data({"x": torch.randn(64, 4)}, "noise")
    coder = predictability_minimisation(data.variable("x"), 3, encoder=mlp(), decoder=mlp())
    predict, encode = predictability_game(coder, 0.0, optimiser=adam(0.02))
    losses = trained(predict, data, 60)
    surprises = [-each for each in trained(encode, data, 60)]
    assert losses[0] > losses[-1]
    assert losses[-1] < surprises[-1]


@pytest.mark.parametrize("label", [None, LABEL])
def test_no_predictor_sees_its_own_unit(label):
    torch.manual_seed(0)
    coder = predictability_minimisation(Variable("x", Real(4)), 5, label=label)
    batch = {"label": torch.tensor(1)}
    jacobian = torch.autograd.functional.jacobian(lambda z: coder.guesses(batch, z), torch.rand(5))
    assert bool((jacobian.diagonal() == 0).all())
    assert int((jacobian != 0).sum()) == 20


def test_bit_information_is_that_of_the_table():
    codes = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    codes[:, 1] = (codes[:, 0] + codes[:, 1]) / 2
    a, b = Variable("a"), Variable("b")
    on = (codes > 0.5).long()
    counts = torch.zeros(2, 2, dtype=torch.float64)
    for row in on:
        counts[row[0], row[1]] += 1
    truth = mutual_information(MarkovNetwork(Table([a, b], counts)), "a", "b").item()
    found = bit_information(codes)
    assert found[0, 1].item() == pytest.approx(truth, abs=1e-12)
    assert found[2, 2].item() == pytest.approx(entropy(on[:, 2:]), abs=1e-6)


@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_is_pyros_and_plain_pyro_trains_it(label):
    torch.manual_seed(0)
    x = Variable("x", Binary(4))
    coder = predictability_minimisation(x, 3, label=label, encoder=mlp(8), decoder=mlp(8))
    seen = {"x": torch.rand(6, 4).round(), "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    seen = seen if label else {"x": seen["x"]}
    theirs, _ = pyro_bound(coder.pair, seen, 2)  # nothing is drawn
    ours = elbo(coder.pair.model, coder.pair.guide, seen).sum().item()
    assert ours == pytest.approx(theirs, rel=1e-5)
    codes = coder.codes(seen)
    values = {**seen, "z": codes}
    decoder = coder.pair.model.conditionals["x"]
    assert ours == pytest.approx(decoder.log_prob(*(values[v.name] for v in decoder.scope)).sum().item(), rel=1e-5)
    known = {name: value.detach() for name, value in values.items() if name != "x"}
    torch.testing.assert_close(as_pyro(coder.predictor, given=known)()["guess"], coder.guesses(seen, codes))
    losses = pyro_trained(coder.pair, seen, steps=40, rate=3e-2)
    assert losses[-1] < losses[0]


def test_labels_condition_all_three_graphs():
    coder = predictability_minimisation(Variable("x", Real(4)), 3, label=LABEL)
    children = {"model": "x", "guide": "z", "predictor": "guess"}
    assert all("label" in coder.modules[name].graph.parents[child] for name, child in children.items())
    assert [v.name for v in coder.pair.given] == ["label"]


def test_a_single_unit_is_refused():
    with pytest.raises(GraphError, match="units is 1, expected 2 or more"):
        predictability_minimisation(Variable("x", Real(4)), 1)
