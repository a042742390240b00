"""Sigmoid belief networks beside exact inference over their bits, and beside Pyro."""

from collections.abc import Callable
from functools import partial
from itertools import product
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import pgm
from deepgen.data.data import Data
from deepgen.networks import convolutional, mlp
from deepgen.objectives import iwae, reinforce, reweighted_wake, vimco, wake
from deepgen.pair import Pair
from deepgen.phases import maximised, reweighted_wake_sleep, wake_sleep
from deepgen.testing import pyro_bound, pyro_trained
from deepgen.training.fit import fit
from deepgen.training.phase import adam
from deepgen.zoo.bits import bits, expanded
from deepgen.zoo.sigmoid import sigmoid_belief_network
from pgm import Binary, Real, Variable
from pgm.errors import GraphError, PlanError, ShapeError

X, LABEL = Variable("x", Binary(4)), Variable("label", range(3))
ROWS = torch.tensor(list(product((0.0, 1.0), repeat=4)))  # all there are
REPEATS, COPIES = 30, 200


def made(*layers: int, label: Variable | None = None, scale: float = 2.0, seed: int = 0) -> Pair:
    """A machine with strong random weights, in double precision."""
    torch.manual_seed(seed)
    pair = sigmoid_belief_network(X, *layers, label=label)
    for model in (pair.model, pair.guide):
        model.double()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=scale / 2)
    return pair


def evidence(pair: Pair, rows: Tensor) -> Tensor:
    """log p(x) by exact inference over bits."""
    return pgm.log_evidence(expanded(pair.model), given=bits(X, rows)).detach()


def worlds(pair: Pair, x: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x, h) and log q(h | x) of all states of the hidden bits, `[states]`, with gradients."""
    sizes = [v.shape[0] for v in pair.latents]
    states = torch.tensor(list(product((0.0, 1.0), repeat=sum(sizes))), dtype=torch.float64)
    values = dict(zip((v.name for v in pair.latents), states.split(sizes, -1), strict=True))
    values["x"] = x.double().expand(len(states), -1)

    def density(model: pgm.Model) -> Tensor:
        return sum(c.log_prob(*(values[v.name] for v in c.scope)) for c in model.conditionals.values())

    return density(pair.model), density(pair.guide)


def gradients(pair: Pair, total: Tensor) -> Tensor:
    """The gradient in every parameter, end to end."""
    parameters = [p for model in (pair.model, pair.guide) for p in model.parameters()]
    found = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([each.flatten() for each in found])


def estimated(pair: Pair, objective: Callable[..., Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean gradient of one row over many draws, and its standard error."""
    torch.manual_seed(1)
    rows = {"x": x.double().expand(COPIES, -1)}
    found = [gradients(pair, objective(pair.model, pair.guide, rows).mean()) for _ in range(REPEATS)]
    stacked = torch.stack(found)
    return stacked.mean(0), stacked.std(0) / REPEATS**0.5


def assert_close(estimate: tuple[Tensor, Tensor], truth: Tensor) -> None:
    mean, error = estimate  # of a few dozen numbers, each with 29 degrees of freedom
    assert bool(((mean - truth).abs() <= 6 * error + 1e-12).all()), (mean - truth) / error


@pytest.mark.parametrize("layers", [(3,), (3, 2), (2, 2, 2)])
def test_its_bits_have_the_same_joint_distribution(layers):
    pair = made(*layers)
    network = expanded(pair.model)
    torch.manual_seed(0)
    values = pair.sample(50)
    single = {name: state for v in pair.model.variables for name, state in bits(v, values[v.name]).items()}
    torch.testing.assert_close(network.log_prob(single), pair.model.log_prob(values))


def test_its_evidence_is_the_sum_over_all_hidden_states():
    pair = made(3, 2)
    summed = torch.stack([worlds(pair, x)[0].logsumexp(0) for x in ROWS])
    torch.testing.assert_close(evidence(pair, ROWS), summed.detach())
    assert evidence(pair, ROWS).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


def test_draws_follow_the_exact_marginals():
    pair, count = made(3, 2), 20_000
    values = pair.sample(count, seed=0)
    exact = pgm.infer(expanded(pair.model))
    for v in pair.model.variables:
        share = values[v.name].mean(0)
        truth = torch.stack([exact[f"{v.name}[{i}]"][1] for i in range(v.shape[0])]).detach()
        error = (truth * (1 - truth) / count).sqrt()
        assert bool(((share - truth).abs() < 5 * error).all())


@settings(max_examples=3)
@given(seed=st.integers(0, 1000))
def test_bounds_are_below_the_evidence_in_order(seed):
    pair = made(3, 2, seed=seed)
    truth = evidence(pair, ROWS)
    torch.manual_seed(seed)
    many = {"x": ROWS.double().expand(500, *ROWS.shape)}
    with torch.no_grad():
        found = [iwae(pair.model, pair.guide, many, k) for k in (1, 4, 16)]
    means, errors = [f.mean(0) for f in found], [f.std(0) / 500**0.5 for f in found]
    assert bool((means[0] < means[1] + 5 * (errors[0] + errors[1])).all())
    assert bool((means[1] < means[2] + 5 * (errors[1] + errors[2])).all())
    assert bool((means[2] < truth + 5 * errors[2]).all())
    log_p, log_q = (torch.stack(each) for each in zip(*(worlds(pair, x) for x in ROWS), strict=True))
    exact = (log_q.exp() * (log_p - log_q)).sum(-1)
    assert bool(((means[0] - exact).abs() < 5 * errors[0]).all())


def perfect(pair: Pair) -> Pair:
    """The pair with a guide that is the exact posterior: one layer whose units do not explain each other away."""
    downward = pair.model.conditionals["x"].net.net[0]
    prior, upward = pair.model.conditionals["h1"].net, pair.guide.conditionals["h1"].net.net[0]
    with torch.no_grad():
        downward.weight.copy_(torch.eye(4)[:, :2] * 3 - torch.eye(4).roll(2, 1)[:, :2])  # each pixel has one parent
        off, on = downward.bias, downward.bias[:, None] + downward.weight
        upward.weight.copy_(downward.weight.T)
        change = nn.functional.softplus(off)[:, None] - nn.functional.softplus(on)
        upward.bias.copy_(prior.values + change.sum(0))
    return pair


def test_with_the_exact_posterior_every_bound_is_the_evidence_and_follows_its_gradient():
    pair = perfect(made(2))
    truth = evidence(pair, ROWS)
    for objective in (iwae, vimco, reinforce, reweighted_wake):
        torch.testing.assert_close(objective(pair.model, pair.guide, {"x": ROWS.double()}).detach(), truth)
    network = expanded(pair.model)
    pgm.log_evidence(network, given=bits(X, ROWS[5:6])).sum().backward()
    weights = torch.stack([network.conditionals[f"x[{i}]"].weights.grad for i in range(4)])
    biases = torch.stack([network.conditionals[f"h1[{i}]"].bias.grad for i in range(2)])
    truth = torch.cat([biases, weights.flatten()])  # of the top layer, and of the weights below it
    for objective in (partial(vimco, particles=3), partial(wake, particles=2), reweighted_wake):
        found = estimated(pair, objective, ROWS[5])
        mean, error = (each[: len(truth)] for each in found)
        assert_close((mean, error), truth)


@pytest.mark.parametrize("particles", [2, 3])
def test_vimco_follows_the_gradient_of_the_weighted_bound(particles):
    pair = made(2, 1)
    log_p, log_q = worlds(pair, ROWS[6])
    total = torch.zeros((), dtype=torch.float64)
    for chosen in product(range(8), repeat=particles):
        pick = list(chosen)
        total = total + log_q[pick].sum().exp() * ((log_p - log_q)[pick].logsumexp(0) - log(particles))
    assert_close(estimated(pair, partial(vimco, particles=particles), ROWS[6]), gradients(pair, total))


def test_reinforce_follows_the_gradient_of_the_bound():
    pair = made(2, 1)
    log_p, log_q = worlds(pair, ROWS[6])
    truth = gradients(pair, (log_q.exp() * (log_p - log_q)).sum())
    assert_close(estimated(pair, reinforce, ROWS[6]), truth)


def bars() -> Data:
    """Two lines of two pixels, of which one is lit, or none: three patterns of 16, with shares 1/2, 1/4, 1/4."""
    rows = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]).float()
    return Data({"x": rows.repeat(25, 1)}, "lines")


def learned(ways: Callable[..., object], turns: int = 300) -> Pair:
    torch.manual_seed(3)
    pair, options = sigmoid_belief_network(X, 2), {"batch": 100, "progress": False, "device": "cpu", "record": turns}
    fit(ways(pair, optimiser=adam(0.1)), bars(), turns=turns, **options)
    return pair


@pytest.fixture(scope="module")
def reweighted() -> Pair:
    return learned(reweighted_wake_sleep)


def distance(pair: Pair) -> float:
    """KL(data || p) = the data's negative entropy less the mean evidence, both exact."""
    return -0.5 * log(2) - 0.5 * log(4) - evidence(pair, bars()["x"]).mean().item()


@pytest.mark.parametrize("ways", [wake_sleep, lambda pair, **o: maximised(pair, vimco, **o)])
def test_learning_comes_close_to_the_best_there_is(ways):
    assert distance(learned(ways)) < 0.05 < 1.0 < distance(sigmoid_belief_network(X, 2))


def test_reweighted_wake_sleep_leads_model_and_guide_to_the_best_there_is(reweighted):
    pair, seen = reweighted, bars()["x"][1:4]
    assert distance(pair) < 0.05
    exact = pgm.infer(expanded(pair.model), given=bits(X, seen))
    truth = torch.stack([exact[f"h1[{i}]"][:, 1] for i in range(2)], -1).detach()
    guessed = pair.guide.conditionals["h1"].distribution(seen).mean.detach().double()
    assert (guessed - truth).abs().max().item() < 0.1


def test_biases_start_at_the_shares_of_ones():
    pair = sigmoid_belief_network(X, 2, mean=torch.tensor([0.0, 0.2, 0.5, 1.0]))
    found = expanded(pair.model)
    started = torch.stack([found.conditionals[f"x[{i}]"].bias for i in range(4)]).sigmoid()
    torch.testing.assert_close(started.detach(), torch.tensor([0.001, 0.2, 0.5, 0.999]).double())


def test_labels_condition_all_but_the_top():
    pair = made(3, 2, label=LABEL)
    assert [v.name for v in pair.given] == ["label"]
    assert {name: "label" in pair.model.graph.parents[name] for name in ("h2", "h1", "x")} == {
        "h2": False,
        "h1": True,
        "x": True,
    }
    values = pair.sample(50, {"label": torch.full((50,), 2)}, seed=0)
    network = expanded(pair.model, {"label": torch.tensor(2)})
    single = {n: s for name in ("h2", "h1", "x") for n, s in bits(pair.model[name], values[name]).items()}
    truth = sum(c.log_prob(*(values[v.name] for v in c.scope)) for c in pair.model.conditionals.values())
    torch.testing.assert_close(network.log_prob(single), truth)


@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_is_pyros_and_plain_pyro_trains_it(label):
    torch.manual_seed(0)
    pair = sigmoid_belief_network(X, 3, 2, label=label)
    seen = {"x": ROWS[:6], "label": torch.tensor([0, 1, 2, 0, 1, 2])} if label else {"x": ROWS[:6]}
    theirs, error = pyro_bound(pair, seen, 50)
    with torch.no_grad():
        ours = reinforce(pair.model, pair.guide, seen, 2000).sum()  # whose error is a sixth of theirs
    assert abs(ours.item() - theirs) < 5 * error
    losses = pyro_trained(pair, seen, steps=30, rate=0.1)
    assert sum(losses[-10:]) < sum(losses[:10])


def test_what_cannot_be_is_refused_by_name():
    with pytest.raises(GraphError, match="there are no layers of hidden units"):
        sigmoid_belief_network(X)
    with pytest.raises(ShapeError, match=r"mean has shape \(3,\) and 'x' is Binary\(4\)"):
        sigmoid_belief_network(X, 2, mean=torch.zeros(3))
    image = Variable("image", Binary(8, 8))
    with pytest.raises(ShapeError, match="network of 'image' does not end with a linear layer"):
        sigmoid_belief_network(image, 2, network=convolutional(2), mean=torch.zeros(8, 8))
    with pytest.raises(PlanError, match=r"log odds of Neural\(x \| h1\) are not linear"):
        expanded(sigmoid_belief_network(X, 2, network=mlp(5)).model)
    with pytest.raises(PlanError, match=r"Neural\(x \| h1, label\) is not of Binary variables alone"):
        expanded(sigmoid_belief_network(X, 2, label=LABEL).model)
    with pytest.raises(PlanError, match=r"Neural\(y \| h1\) is not of Binary variables alone"):
        expanded(sigmoid_belief_network(Variable("y", Real(4)), 2).model)
