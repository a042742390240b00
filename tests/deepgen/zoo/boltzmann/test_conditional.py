"""Machines given rows: beside enumeration, and learning what comes next in a sequence."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen import adam, arrays, fit
from deepgen.potentials import Bias
from deepgen.zoo.boltzmann import Machine, contrastive_divergence, log_likelihood, log_z, rbm
from pgm import Binary, Variable

V, PAST = Variable("v", Binary(2)), Variable("past", Binary(3))
WORLDS = torch.tensor(list(product((0.0, 1.0), repeat=4)))  # of v and h


def conditional(seed: int) -> Machine:
    torch.manual_seed(seed)
    machine = rbm(V, 2, given=PAST, deviation=1.0)
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
    return machine


def table(machine: Machine, past: torch.Tensor) -> torch.Tensor:
    """p(v, h | past) by enumeration, `[worlds]`."""
    values = {"v": WORLDS[:, :2], "h": WORLDS[:, 2:], "past": past.expand(16, -1)}
    return machine.model.log_prob(values).softmax(0).detach()


@settings(max_examples=4)
@given(st.integers(0, 1000))
def test_log_likelihood_given_rows_is_that_of_enumeration(seed):
    machine = conditional(seed)
    v = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    past = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    found = log_likelihood(machine, {"v": v, "past": past})
    expected = [table(machine, b)[(WORLDS[:, :2] == a).all(1)].sum().log() for a, b in zip(v, past, strict=True)]
    torch.testing.assert_close(found.float(), torch.stack(expected), atol=1e-5, rtol=1e-5)
    by_hand = [
        -machine.free_energy({"v": v, "past": past})[row].item() - log_z(machine, {"past": past[row]}) for row in (0, 1)
    ]
    assert found[:2].tolist() == pytest.approx(by_hand, abs=1e-5)


def test_draws_given_rows_are_those_of_enumeration():
    """Shares of v = 1 given each of two rows, within five standard errors of 2,000 chains."""
    machine, rows = conditional(3), 2000
    pasts = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    draws = machine.sample(2 * rows, {"past": pasts.repeat_interleave(rows, 0)}, burn=30, seed=0)
    for row, drawn in enumerate(draws["v"].split(rows)):
        p = table(machine, pasts[row]) @ WORLDS[:, :2]
        assert ((drawn.mean(0) - p).abs() < 5 * (p * (1 - p) / rows).sqrt()).all()


def test_contrastive_divergence_learns_what_comes_next():
    """x_t = 1 - x_{t-1} in both columns but for one in ten, given the rows before: log p comes near the entropy."""
    generator = torch.Generator().manual_seed(0)
    v = torch.zeros(600, 2)
    for step in range(1, 600):
        v[step] = (1 - v[step - 1] - (torch.rand(2, generator=generator) < 0.1).float()).abs()
    past, now = Variable("past", Binary(2)), Variable("v", Binary(2))
    torch.manual_seed(0)
    machine = rbm(now, 2, given=past)
    data = arrays("flips", v=v[1:], past=v[:-1])
    fit(contrastive_divergence(machine, optimiser=adam(0.05)), data, turns=90, batch=100, device="cpu", progress=False)
    flips = (v[1:] != v[:-1]).float().mean(0)
    entropy = -(flips * flips.log() + (1 - flips) * (1 - flips).log()).sum().item()
    found = log_likelihood(machine, {"v": v[1:], "past": v[:-1]}).mean().item()
    assert -entropy - 0.05 < found < -entropy + 0.05


def test_chains_of_no_row_are_refused():
    with pytest.raises(ValueError, match="all of it has to be given"):
        conditional(0).sample(1, {"past": torch.tensor([1.0, torch.nan, 0.0])})
