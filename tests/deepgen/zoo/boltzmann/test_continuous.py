"""Continuous memories: attention, mixtures of Gaussians, and the published bound on what a step leaves."""

from math import log, pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from deepgen import ContinuousMemory
from deepgen.zoo.boltzmann import log_z
from pgm import Binary, Real, Variable

X = Variable("x", Real(2, 3))


def random_memory(seed: int, sharpness: float, patterns: int = 5) -> tuple[ContinuousMemory, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    stored = torch.randn(patterns, 2, 3, generator=generator, dtype=torch.float64)
    return ContinuousMemory(X, stored, sharpness), torch.randn(7, 2, 3, generator=generator, dtype=torch.float64)


sharp = st.sampled_from([0.1, 1.0, 5.0])


@settings(max_examples=10)
@given(st.integers(0, 1000), sharp)
def test_a_step_is_attention(seed, sharpness):
    memory, shown = random_memory(seed, sharpness)
    keys = memory.patterns.flatten(1)
    expected = scaled_dot_product_attention(shown.flatten(1), keys, keys, scale=sharpness)
    torch.testing.assert_close(memory.recall(shown).final.flatten(1), expected)
    torch.testing.assert_close(memory.associations(shown).sum(-1), torch.ones(7, dtype=torch.float64))


@settings(max_examples=10)
@given(st.integers(0, 1000), sharp)
def test_energy_never_rises_is_never_negative_and_steps_end_where_it_is_flat(seed, sharpness):
    memory, shown = random_memory(seed, sharpness)
    found = memory.recall(shown, steps=1000)
    assert (found.energies.diff(dim=0) <= 1e-9).all()
    assert (found.energies >= 0).all()
    last = found.final[found.settled].requires_grad_()
    (slope,) = torch.autograd.grad(memory.energy(last).sum(), last)
    assert (slope.flatten(1).norm(dim=1) <= 1.01e-5 * memory.patterns.flatten(1).norm(dim=1).max()).all()


@settings(max_examples=10)
@given(st.integers(0, 1000), sharp)
def test_the_slope_of_the_energy_is_what_a_step_takes_away(seed, sharpness):
    memory, shown = random_memory(seed, sharpness)
    (slope,) = torch.autograd.grad(memory.energy(shown.requires_grad_()).sum(), shown)
    torch.testing.assert_close(shown.detach() - slope, memory.step(shown.detach()))


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([1.0, 4.0, 16.0]))
def test_one_step_leaves_no_more_than_ramsauer_et_al_say(seed, sharpness):
    """Theorem 4: |step(q) - p| <= 2 (P - 1) M exp(-beta (D - 2 M |q - p|)), with D the least of p . p - p . p'."""
    memory, noise = random_memory(seed, sharpness)
    stored, shown = memory.patterns.flatten(1), (memory.patterns + 0.05 * noise[:5]).flatten(1)
    products, longest = stored @ stored.T, stored.norm(dim=1).max()
    apart = (products.diagonal()[:, None] - products + 1e9 * torch.eye(5)).min(1).values
    bound = 2 * 4 * longest * (-sharpness * (apart - 2 * longest * (shown - stored).norm(dim=1))).exp()
    left = (memory.recall(shown.reshape(-1, 2, 3)).final.flatten(1) - stored).norm(dim=1)
    assert (left <= bound + 1e-12).all()


@settings(max_examples=6)
@given(st.integers(0, 1000), st.sampled_from([0.5, 3.0]))
def test_the_machine_is_a_mixture_of_gaussians_and_its_free_energy_the_energy(seed, sharpness):
    memory, shown = random_memory(seed, sharpness)
    machine, stored = memory.machine(), memory.patterns.flatten(1)
    free = machine.free_energy({"x": shown})
    gap = free - sharpness * memory.energy(shown)
    torch.testing.assert_close(gap, gap[:1].expand(7), atol=1e-5, rtol=1e-5)
    weights = 0.5 * sharpness * stored.square().sum(-1)  # log of each Gaussian's share, unnormalised
    noise = torch.distributions.MultivariateNormal(stored[:, None], precision_matrix=sharpness * torch.eye(6).double())
    density = (weights.log_softmax(0)[:, None] + noise.log_prob(shown.flatten(1))).logsumexp(0)
    torch.testing.assert_close(-free - log_z(machine), density, atol=1e-5, rtol=1e-5)
    assert log_z(machine) == pytest.approx(weights.logsumexp(0).item() + 3 * log(2 * pi / sharpness), abs=1e-3)


def test_a_step_is_the_machines_mean_field_update():
    memory, shown = random_memory(0, 2.0)
    machine, state = memory.machine(), {"x": shown.flatten(1)}
    meant = machine.units("pattern").mean(machine.field("pattern", state))
    torch.testing.assert_close(meant, memory.associations(shown))
    back = machine.units("x").mean(machine.field("x", {"pattern": meant}))
    torch.testing.assert_close(back, memory.step(shown).flatten(1))


def test_one_step_finds_each_of_many_random_patterns():
    """1,000 patterns in 64 numbers, a third of which are missing; Hebb's rule would hold 9."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(1000, 64, generator=generator).sign()
    memory = ContinuousMemory(Variable("x", Real(64)), patterns, 1.0)
    shown = patterns * (torch.arange(64) < 43)
    found = memory.recall(shown)
    assert torch.equal(found.final.sign(), patterns)
    assert torch.equal(memory.associations(shown).argmax(-1), torch.arange(1000))


def test_refusals():
    x, patterns = Variable("x", Real(3)), torch.zeros(2, 3)
    with pytest.raises(ValueError, match="sharpness is 0.0, expected a number above 0; it is 1 / temperature"):
        ContinuousMemory(x, patterns, 0.0)
    with pytest.raises(
        ValueError, match=r"numbers of shape \(2, 4\), expected \[patterns, 3\], since 'x' is Real\(3\)"
    ):
        ContinuousMemory(x, torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"numbers of shape \(4,\), expected \[\*batch, 3\]"):
        ContinuousMemory(x, patterns).recall(torch.zeros(4))
    with pytest.raises(ValueError, match=r"'x' is Binary\(3\), expected Real numbers"):
        ContinuousMemory(Variable("x", Binary(3)), patterns)
    with pytest.raises(ValueError, match="steps is 0, expected 1 or more"):
        ContinuousMemory(x, patterns).recall(torch.zeros(3), steps=0)
