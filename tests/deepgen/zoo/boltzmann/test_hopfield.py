"""Hopfield networks: the textbook's numbers, exact Boltzmann probabilities, what rules store."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm
from deepgen import Hopfield, digits, hebbian, hopfield, projection, thresholded
from deepgen.zoo.boltzmann import expanded, log_z
from pgm import Binary, Variable


def test_the_textbooks_network():
    """Patterns (-1, -1, -1, 1) and (1, 1, 1, 1)."""
    spins = torch.tensor([[-1.0, -1, -1, 1], [1, 1, 1, 1]])
    network = hopfield(Variable("x", Binary(4)), (1 + spins) / 2, self_coupling=True)
    expected = torch.zeros(4, 4)
    expected[:3, :3] = expected[3, 3] = 2 / 4
    assert torch.equal(network.weights, expected)
    shown = torch.tensor([[-1.0, -1, -1, 1], [-1, 1, 1, 1]])
    found = network.recall((1 + shown) / 2)
    assert torch.equal(2 * found.final - 1, spins)
    assert found.energies[0].tolist() == [-2.5, -0.5]
    assert found.settled.all()


@settings(max_examples=4)
@given(st.integers(0, 1000), st.sampled_from([0.5, 1.0, 4.0]))
def test_probabilities_at_a_temperature_are_those_of_the_energy(seed, temperature):
    """exp(-E / T) over all states, the machine's own numbers, and exact inference over single bits."""
    torch.manual_seed(seed)
    x = Variable("x", Binary(4))
    half = torch.randn(4, 4)
    network = Hopfield(x, half + half.T + 5 * torch.eye(4), torch.randn(4))
    machine = network.machine(temperature)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=4)))
    expected = (-network.energy(bits).double() / temperature).softmax(0)
    own = (machine.model.log_prob({"x": bits}).double() - log_z(machine)).exp()
    torch.testing.assert_close(own, expected, atol=1e-4, rtol=1e-3)
    names = tuple(f"x[{unit}]" for unit in range(4))
    joint = torch.as_tensor(pgm.infer(expanded(machine), [names])[names])
    torch.testing.assert_close(joint.flatten(), expected, atol=1e-4, rtol=1e-3)


@settings(max_examples=8)
@given(st.integers(0, 1000))
def test_one_pattern_and_its_opposite_are_the_only_fixed_points(seed):
    pattern = torch.randint(0, 2, (1, 7), generator=torch.Generator().manual_seed(seed)).float()
    network = hopfield(Variable("x", Binary(7)), pattern)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=7)))
    found = network.recall(bits, seed=seed)
    assert found.settled.all()
    expected = torch.where(((bits == pattern).sum(-1) > 3)[:, None], pattern, 1 - pattern)
    assert torch.equal(found.final, expected)


def test_the_projection_rule_keeps_digits_that_hebbs_rule_mixes_up():
    """Ten digits, alike and with few pixels on: W s = s for each, by normal equations instead of the pseudo-inverse."""
    data = thresholded(digits())
    first = torch.stack([data["image"][data["label"] == digit][0] for digit in range(10)])
    x = data.variable("image")
    mixed, kept = (hopfield(x, first, rule=rule).recall(first) for rule in (hebbian, projection))
    assert torch.equal(kept.final, first)
    assert not (mixed.final == first).flatten(1).all(1).any()
    spins = (2 * first - 1).flatten(1)
    torch.testing.assert_close(spins @ projection(spins), spins, atol=1e-5, rtol=0)
    double = spins.double()
    solved = double.T @ torch.linalg.solve(double @ double.T, double)
    torch.testing.assert_close(projection(double), solved)


def test_thresholds_hold_units_down():
    """Alone, a unit is up where its threshold is negative."""
    network = Hopfield(Variable("x", Binary(3)), torch.zeros(3, 3), torch.tensor([-1.0, 1.0, 0.0]))
    assert network.recall(torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])).final.tolist() == [[1, 0, 1], [1, 0, 0]]
    pattern = torch.tensor([[1, 0, 1]])
    pushed = hopfield(Variable("x", Binary(3)), pattern, thresholds=torch.tensor([0.0, -9.0, 0.0]))
    assert pushed.recall(pattern.float()).final[0, 1] == 1


def test_refusals():
    x, zeros = Variable("x", Binary(3)), torch.zeros(3)
    with pytest.raises(ValueError, match=r"hopfield: there are numbers of shape \(2, 4\), expected \[patterns, 3\]"):
        hopfield(x, torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"numbers of shape \(0, 3\), expected \[patterns, 3\], since 'x' is Binary"):
        hopfield(x, torch.zeros(0, 3))
    with pytest.raises(ValueError, match="'x' has a value of 0.5, expected zeros and ones"):
        hopfield(x, torch.full((1, 3), 0.5))
    with pytest.raises(ValueError, match=r"weights \[0, 2\] and \[2, 0\] are 1 and 0, expected equal ones"):
        Hopfield(x, torch.eye(3)[[2, 1, 0]].triu(), zeros)
    with pytest.raises(ValueError, match="self-coupling of -1, expected 0 or above"):
        Hopfield(x, -torch.eye(3), zeros)
    with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(2,\), expected \(3, 3\) and \(3,\)"):
        Hopfield(x, torch.eye(3), torch.zeros(2))
    with pytest.raises(ValueError, match="temperature is 0, expected a number above 0"):
        Hopfield(x, torch.eye(3), zeros).machine(0)
