"""Machines with all units coupled: gradients beside the textbook's rule, and what small ones can learn."""

from itertools import product
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pgm
from deepgen import adam, arrays, fit
from deepgen.potentials import Bias, Within
from deepgen.zoo.boltzmann import (
    Machine,
    boltzmann_machine,
    exact_likelihood,
    expanded,
    log_likelihood,
    mean_field,
    persistent,
    sampled,
)
from pgm import Binary, Real, Variable
from pgm.columns import column_names

V = Variable("v", Binary(3))
DATA = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


def random_machine(seed: int, temperature: float = 1.0, label: Variable | None = None) -> Machine:
    torch.manual_seed(seed)
    machine = boltzmann_machine(V, 2, label=label, deviation=1.0, temperature=temperature)
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
    return machine


def pairs_on(machine: Machine, layer: str, given: dict[str, Tensor]) -> Tensor:
    """How often both units of each pair of a layer are on, exactly, in the network of single bits."""
    names = column_names(machine.model[layer])
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    found = pgm.infer(expanded(machine), pairs, given=given)
    return torch.stack([torch.as_tensor(found[pair])[..., 1, 1].mean() for pair in pairs]).float()


@settings(max_examples=2)
@given(st.integers(0, 1000), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_gradient_is_minus_how_much_more_often_pairs_are_on_with_data_by_temperature(seed, temperature):
    """dG / dw = -(p+ - p-) / T."""
    machine = random_machine(seed, temperature)
    (-log_likelihood(machine, {"v": DATA}).mean()).backward()
    hidden = next(term for term in machine.model.terms if repr(term) == "Within(h)")
    visible = next(term for term in machine.model.terms if repr(term) == "Within(v)")
    clamped = pairs_on(machine, "h", {f"v[{place}]": DATA[:, place].long() for place in range(3)})
    seen = torch.stack([DATA[:, a] * DATA[:, b] for a, b in ((0, 1), (0, 2), (1, 2))]).mean(1)
    for term, more in ((hidden, clamped - pairs_on(machine, "h", {})), (visible, seen - pairs_on(machine, "v", {}))):
        torch.testing.assert_close(term.upper.grad, -more / temperature, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("label", [None, Variable("label", range(3))], ids=["bits", "label"])
def test_log_likelihood_is_that_of_the_network_of_bits(label):
    machine = random_machine(1, label=label)
    seen = {"v": DATA, **({"label": torch.tensor([2, 0])} if label else {})}
    known = {f"v[{place}]": DATA[:, place].long() for place in range(3)}
    expected = pgm.log_evidence(expanded(machine), given={**known, **({"label": seen["label"]} if label else {})})
    free = pgm.infer(expanded(machine), []).log_evidence
    torch.testing.assert_close(log_likelihood(machine, seen), expected - free, atol=1e-5, rtol=1e-5)


def test_clamped_and_free_chains_give_the_gradient_of_the_likelihood():
    """Within five standard errors of 20 repetitions."""
    machine = random_machine(2)
    phase, batch = persistent(machine, 500, 20, clamped=sampled(20)), {"v": DATA.repeat(250, 1)}
    parameters = list(machine.model.parameters())
    torch.manual_seed(0)
    draws = []
    for _ in range(20):
        loss = next(iter(phase.objective(batch, None).values()))
        draws.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss.mean(), parameters)]).double())
    found = torch.stack(draws)
    exact = torch.autograd.grad(-log_likelihood(machine, {"v": DATA}).mean(), parameters)
    expected = torch.cat([g.flatten() for g in exact]).double()
    assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / 20**0.5 + 1e-6).all()


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_mean_field_is_a_bound_that_rounds_never_lower(seed):
    """E_q log of the product + H(q) <= log of the sum over hidden units, which enumeration knows."""
    machine, seen = random_machine(seed), {"v": DATA}
    bounds = []
    for rounds in (1, 2, 5, 20):
        state, _ = mean_field(rounds)(machine, seen)
        entropy = torch.distributions.Bernoulli(state["h"]).entropy().sum(-1)
        bounds.append(machine.score(state) + entropy)
    worlds = torch.tensor(list(product((0.0, 1.0), repeat=2)))
    exact = machine.model.log_prob({"v": DATA[:, None].expand(-1, 4, -1), "h": worlds.expand(2, -1, -1)}).logsumexp(-1)
    rising = torch.stack([*bounds, exact])
    assert (rising[1:] >= rising[:-1] - 1e-5).all()


def test_parity_is_learned_with_hidden_units_and_cannot_be_without():
    """KL(data || machine), exactly: three bits of which an even number is on three times as often as an odd one. Pairs
    say nothing of that, so that without hidden units the best machine is uniform."""
    worlds = list(product((0.0, 1.0), repeat=3))
    rows = torch.tensor([bits for bits in worlds for _ in range(1 if sum(bits) % 2 else 3)])
    p = torch.tensor([1 / 16, 3 / 16] * 4)
    entropy, left = -(p * p.log()).sum().item(), []
    for hidden, turns in ((0, 60), (2, 150)):
        torch.manual_seed(2)
        machine = boltzmann_machine(V, hidden, deviation=0.5)
        phase = exact_likelihood(machine, optimiser=adam(0.2))
        fit(phase, arrays("parity", v=rows), turns=turns, batch=16, device="cpu", progress=False)
        left.append(-entropy - log_likelihood(machine, {"v": rows}).mean().item())
    assert left[0] == pytest.approx(log(8) - entropy, abs=2e-3)
    assert left[1] == pytest.approx(0, abs=2e-3)


def test_real_numbers_and_states_are_coupled_with_hidden_units_alone():
    machine = boltzmann_machine(Variable("x", Real(2)), 3, label=Variable("label", range(3)))
    assert [repr(term) for term in machine.model.terms if isinstance(term, Within)] == ["Within(h)"]


def test_refusals():
    with pytest.raises(ValueError, match=r"temperature is -1.0, expected a number above 0"):
        boltzmann_machine(V, 2, temperature=-1.0)
    with pytest.raises(ValueError, match="mean_field: rounds is 0, expected 1 or more"):
        mean_field(0)
    with pytest.raises(ValueError, match=r"'v' has shape \(2, 4\), expected \(\*batch, 3\)"):
        random_machine(0).state({"v": torch.ones(2, 4)})
