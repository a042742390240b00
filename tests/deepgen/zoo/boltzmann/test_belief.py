"""Deep belief networks beside enumeration, the machines they are stacked from, and Pyro."""

from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro import poutine
from torch import Tensor

import pgm
from deepgen.data.data import Data
from deepgen.objectives import log_weights
from deepgen.potentials import Bias, Coupling
from deepgen.training.fit import fit
from deepgen.training.in_turn import in_turn
from deepgen.training.phase import adam
from deepgen.zoo.bits import bits
from deepgen.zoo.boltzmann import (
    Belief,
    belief_bounds,
    classifier,
    dbn,
    exact_likelihood,
    greedy,
    log_z,
    stacked,
    up_down,
)
from deepgen.zoo.boltzmann.deep import coupled
from deepgen.zoo.boltzmann.machine import Machine
from pgm import Binary, Real, Variable, as_pyro

X, LABEL = Variable("x", Binary(3)), Variable("label", range(2))
ROWS = torch.tensor(list(product((0.0, 1.0), repeat=3)))  # all there are


def scrambled(belief: Belief, seed: int, scale: float = 1.0) -> Belief:
    """Weights and biases of a deviation, centres too; the guide is apart from the model."""
    torch.manual_seed(seed)
    for model in (*(machine.model for machine in belief.machines), belief.pair.guide):
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
        for buffer in model.buffers():
            buffer.uniform_()
    return belief


def evidence(belief: Belief, values: dict[str, Tensor]) -> Tensor:
    """log p of what is seen, by exact inference over single bits."""
    columns = bits(X, values["x"]) | {name: values[name] for name in values if name == "label"}
    return pgm.log_evidence(belief.expanded(), given=columns).detach() - log_z(belief.top)


@settings(max_examples=4)
@given(st.integers(0, 1000), st.sampled_from([(2, 2), (2, 3, 2)]), st.booleans())
def test_log_p_sums_to_one_and_weights_of_the_guide_average_to_it(seed: int, layers: tuple[int, ...], label: bool):
    """E_q p / q = p(x), within five standard errors of 10,000 draws."""
    belief = scrambled(dbn(X, *layers, label=LABEL if label else None), seed, 0.7)
    values = {"x": ROWS.repeat(2, 1), "label": torch.tensor([0] * 8 + [1] * 8)} if label else {"x": ROWS}
    exact = evidence(belief, values)
    assert exact.logsumexp(0).item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        logs = log_weights(belief.pair.model, belief.pair.guide, values, 10_000).double() - log_z(belief.top)
    shares = (logs - exact).exp()
    assert ((shares.mean(0) - 1).abs() < 5 * shares.std(0) / 10_000**0.5).all()


def test_draws_have_the_probabilities_of_enumeration():
    """Chains of so small a top have forgotten their beginning after 50 sweeps: within five standard errors."""
    belief, rows = scrambled(dbn(X, 2, 2), 3), 20_000
    drawn = belief.sample(rows, sweeps=50, seed=0, progress=False)["x"].long()
    found = torch.bincount((drawn * torch.tensor([4, 2, 1])).sum(-1), minlength=8) / rows
    p = evidence(belief, {"x": ROWS}).exp()
    assert ((found - p).abs() < 5 * (p * (1 - p) / rows).sqrt()).all()


def test_a_label_that_is_known_stays():
    belief = scrambled(dbn(X, 2, 2, label=LABEL), 0)
    assert belief.sample(9, {"label": torch.tensor(1)}, sweeps=3, progress=False)["label"].tolist() == [1] * 9


def upside_down(below: Machine) -> Machine:
    """A machine that sees what another has hidden, and hides what that sees."""
    (x,), (h,) = below.visible, below.hidden
    (bias_x, bias_h, pairs), mirror = below.model.terms, Variable("h2", Binary(x.shape[0]))
    made = coupled([(h, mirror)], [h])
    first, second, across = made.model.terms
    for term, other in ((first, bias_h), (second, bias_x)):
        assert isinstance(term, Bias)
        assert isinstance(other, Bias)
        term.bias.data.copy_(other.bias)
    assert isinstance(across, Coupling)
    assert isinstance(pairs, Coupling)
    across.weight.data.copy_(pairs.weight.T)
    return made


def random_rbm(seed: int) -> Machine:
    torch.manual_seed(seed)
    machine = coupled([(X, Variable("h1", Binary(2)))], [X], deviation=1.0)
    for term in machine.model.terms[:2]:
        torch.nn.init.normal_(term.bias)
    return machine


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_a_layer_that_mirrors_the_one_below_changes_nothing_at_first(seed: int):
    """log p(x) of the stack is that of the machine, and so is the bound, since the guide is its exact posterior."""
    below = random_rbm(seed)
    belief = stacked([below, upside_down(below)])
    expected = -below.free_energy({"x": ROWS}).double().detach() - log_z(below)
    torch.testing.assert_close(evidence(belief, {"x": ROWS}), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(exact_bound(belief, ROWS), expected, atol=1e-5, rtol=0)


def exact_bound(belief: Belief, rows: Tensor) -> Tensor:
    """E_q[log p(x, h1) - log q(h1 | x)] of two layers, the top one summed, over all states of h1."""
    states = torch.tensor(list(product((0.0, 1.0), repeat=2)))[:, None]  # [states, 1, units]
    guide, arrow = belief.pair.guide.conditionals["h1"], belief.pair.model.conditionals["x"]
    with torch.no_grad():
        log_q = guide.log_prob(rows, states.expand(-1, len(rows), -1)).double()
        log_p = arrow.log_prob(states, rows).double() - belief.top.free_energy({"h1": states}).double()
    return (log_q.exp() * (log_p - log_q)).sum(0) - log_z(belief.top)


def test_learning_the_second_layer_raises_the_bound():
    """Greedy learning, from where the bound is log p(x) of the machine below; and log p(x) is never below the bound."""
    below = random_rbm(1)
    belief, rows = stacked([below, upside_down(below)]), ROWS[[0, 1, 4]]
    before = exact_bound(belief, rows).mean()
    phase = greedy(belief, exact_likelihood, optimiser=adam(0.05))[1]
    fit(phase, Data({"x": rows.repeat(40, 1)}), turns=40, batch=120, device="cpu", progress=False)
    assert exact_bound(belief, rows).mean() > before + 0.01
    assert (evidence(belief, {"x": ROWS}) > exact_bound(belief, ROWS) - 1e-5).all()


def test_layers_learn_in_turn_and_a_run_goes_on_to_the_bit(tmp_path: Path):
    data = Data({"x": ROWS.repeat(4, 1)}, "all rows")

    def run(out: Path, *turns: int) -> list[Tensor]:
        torch.manual_seed(0)
        belief = dbn(X, 4, 3)
        one, two = greedy(belief, chains=8)
        phase = in_turn("layer by layer", (one, 10), (two, 10), (up_down(belief), 10))
        for number, end in enumerate(turns):
            fit(phase, data, turns=end, batch=8, out=out, resume=number > 0, device="cpu", progress=False)
        return [x.clone() for module in phase.modules.values() for x in module.state_dict().values()]

    whole, parts = run(tmp_path / "whole", 30), run(tmp_path / "parts", 7, 15, 24, 30)
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_a_phase_moves_its_own_layer_alone_and_the_guide_below_is_settled():
    belief = scrambled(dbn(X, 4, 3), 0)
    first, second = ([p.clone() for p in machine.model.parameters()] for machine in belief.machines)
    fit(greedy(belief, chains=8)[1], Data({"x": ROWS}), turns=3, batch=8, device="cpu", progress=False)
    assert all(torch.equal(one, other) for one, other in zip(first, belief.machines[0].model.parameters(), strict=True))
    moved = zip(second, belief.machines[1].model.parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in moved)
    posterior = -belief.machines[0].field("h1", {"x": ROWS})
    torch.testing.assert_close(belief.pair.guide.conditionals["h1"].distribution(ROWS).mean, 1 / (1 + posterior.exp()))


def test_up_and_down_follows_three_gradients():
    """Awake, asleep and at the top: each the gradient of an average over all worlds, within five standard errors.

    The top's sweeps are so many that its dreams are its own.
    """
    belief, rows = scrambled(dbn(X, 2, 2), 5, 0.7), ROWS[[1, 6]]
    phase = up_down(belief, steps=15)
    parameters, found = phase.parameters(), []
    torch.manual_seed(0)
    for _ in range(20):
        loss = phase.objective({"x": rows.repeat(500, 1)}, None)["loss"]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        found.append(torch.cat([g.flatten() for g in gradients]).double())
    draws = torch.stack(found)
    error = draws.std(0) / 20**0.5
    assert ((draws.mean(0) - _expected(belief, rows, parameters)).abs() < 5 * error + 1e-5).all()


def _expected(belief: Belief, rows: Tensor, parameters: list[Tensor]) -> Tensor:
    """The gradient of -E_q log p(x | h1) + E_q F(h1) + log Z - E_p log q(h1 | x), by sums over states."""
    states, top = torch.tensor(list(product((0.0, 1.0), repeat=2))), belief.top
    guide, arrow = belief.pair.guide.conditionals["h1"], belief.pair.model.conditionals["x"]
    q = guide.log_prob(rows, states[:, None].expand(-1, len(rows), -1)).exp().detach() / len(rows)  # [states, rows]
    free = top.free_energy({"h1": states})
    wake = -(q * arrow.log_prob(states[:, None], rows)).sum() + (q.sum(1) * free).sum() + (-free).logsumexp(0)
    p = (arrow.log_prob(states[:, None], ROWS) + (-free).log_softmax(0)[:, None]).exp().detach()
    sleep = -(p * guide.log_prob(ROWS, states[:, None].expand(-1, len(ROWS), -1))).sum()
    gradients = torch.autograd.grad(wake + sleep, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in gradients]).double()


def test_figures_bound_log_p():
    """A draw a row of 4,000, so that the bound is below log p beyond its noise; and a thousand draws leave no gap."""
    belief = scrambled(dbn(X, 3, 2, label=LABEL), 0)
    rows = Data({"x": ROWS.repeat(500, 1), "label": (torch.arange(8) % 2).repeat(500)}, "rows")
    (loose,), (tight,) = (
        belief_bounds(belief, some, (k,), progress=False) for some, k in ((rows, 1), (rows.rows(slice(8)), 3000))
    )
    exact = evidence(belief, dict(rows.rows(slice(8)).columns)).mean().item()
    assert (loose.name, loose.side, tight.side) == ("log p(x, label)", "lower bound", "lower bound")
    assert loose.value < exact
    assert tight.value == pytest.approx(exact, abs=0.02)


def test_a_classifier_begins_with_the_features_of_the_guide():
    """Its hidden layers are what the guide's means make of an image, layer by layer."""
    belief = scrambled(dbn(X, 4, 3, label=LABEL), 0)
    net = classifier(belief, LABEL).conditionals["label"].net.net
    first = belief.pair.guide.conditionals["h1"].distribution(ROWS).mean
    torch.testing.assert_close(net[:2](ROWS), first)
    told = belief.top.field("h2", {"h1": first, "label": torch.zeros(8, 2)})
    torch.testing.assert_close(net[:4](ROWS), told.sigmoid())


def test_pyro_has_its_density():
    belief = scrambled(dbn(X, 2, 2), 0)
    values = {"x": ROWS[3], "h1": torch.tensor([1.0, 0.0]), "h2": torch.tensor([1.0, 1.0])}
    trace = poutine.trace(as_pyro(belief.pair.model, given=values)).get_trace()
    torch.testing.assert_close(trace.log_prob_sum().double(), belief.pair.model.log_prob(values).double())


def test_refusals():
    with pytest.raises(
        ValueError, match=r"dbn: there are 1 layers of hidden units, expected two or more; one is an rb"
    ):
        dbn(X, 2)
    with pytest.raises(ValueError, match=r"dbn: 'x' is Real\(3\), expected Binary; binarise the data"):
        dbn(Variable("x", Real(3)), 2, 2)
    with pytest.raises(ValueError, match="does not see what .* has hidden"):
        stacked([random_rbm(0), random_rbm(0)])
    with pytest.raises(ValueError, match="stacked: there are 1 machines, expected two or more"):
        stacked([random_rbm(0)])
    with pytest.raises(ValueError, match="steps is 0, expected 1 sweep or more"):
        up_down(dbn(X, 2, 2), steps=0)
