"""log Z by annealed importance sampling beside exact sums."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen.data.data import Data
from deepgen.potentials import Bias, Coupling
from deepgen.zoo.boltzmann import Machine, annealed_log_z, likelihood, log_z, rbm
from deepgen.zoo.boltzmann.base import chosen, climbed
from deepgen.zoo.boltzmann.exact import draws, states
from deepgen.zoo.boltzmann.path import Path as Annealing
from pgm import Binary, Real, Variable

MEASURED = 215.13840553  # log Z of the trained machine below, by summing all 2^15 states of its hidden units


def trained() -> Machine:
    """A machine of 784 visible and 15 hidden units that has learned digits (R. Salakhutdinov's example)."""
    file = Path(os.environ.get("DEEPGEN_DATA", "")) / "rbm_784x15.npz"
    if not file.is_file():
        pytest.skip("rbm_784x15.npz is not in the folder that DEEPGEN_DATA names")
    machine, held = rbm(Variable("image", Binary(784)), 15), np.load(file)
    found = {name: torch.from_numpy(held[name]).float() for name in held.files}
    visible, hidden, weights = (machine.model.terms[n] for n in range(3))
    assert isinstance(visible, Bias)
    assert isinstance(hidden, Bias)
    assert isinstance(weights, Coupling)
    with torch.no_grad():
        for parameter, shape in ((weights.weight, (784, 15)), (visible.bias, (784,)), (hidden.bias, (15,))):
            parameter.copy_(next(x.reshape(shape) for x in found.values() if x.numel() == parameter.numel()))
    return machine


def test_a_trained_machine_has_the_log_z_that_others_have_measured():
    assert log_z(trained()) == pytest.approx(MEASURED, abs=1e-4)


def test_annealing_finds_it_when_nobody_says_where_to_begin():
    """Nearly all of it is in one state of the hidden units, of whose single ones the machine says no good."""
    found = annealed_log_z(trained(), temperatures=100, chains=50)
    assert found.interval is not None
    assert found.interval[0] < MEASURED < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.5


@settings(max_examples=6)
@given(st.integers(0, 1000), st.booleans())
def test_the_top_of_a_hill_is_above_all_states_that_differ_in_one_unit(seed, label):
    """Of the exact sums over everything else, by enumeration."""
    torch.manual_seed(seed)
    machine = rbm(Variable("x", Binary(6)), 5, label=Variable("label", range(3)) if label else None, deviation=2.0)
    machine = Machine(machine.model, machine.hidden)
    path = Annealing.of(machine, zeros(machine))
    with torch.no_grad():
        top = climbed(machine, path.begin(9), 50)
        ((block, logs),) = states(machine, path.kept)
    all_of = torch.cat([block[name] for name in path.kept], -1)
    differs = (all_of != torch.cat([top[name] for name in path.kept])).sum(-1)
    assert logs[differs == 0].item() >= logs[differs <= 1].max().item() - 1e-4


def test_states_that_chains_do_not_reach_are_found():
    """Hidden units stay off while they are off, and pay once they are on: a quick way from biases misses 10 nats."""
    torch.manual_seed(0)
    machine = rbm(Variable("x", Binary(60)), 10, deviation=2.0)
    bias = machine.model.terms[1]
    assert isinstance(bias, Bias)
    with torch.no_grad():
        bias.bias.fill_(-18.0)
        path = Annealing.of(machine, {v.name: machine.field(v.name, zeros(machine)) for v in machine.model.variables})
        missed, _ = path.walked(path.begin(50), [0.0, 0.5, 1.0], False)
    found = annealed_log_z(machine, temperatures=100, chains=50)
    assert log_z(machine) - path.log_start - missed.max() > 10
    assert found.interval is not None
    assert found.interval[0] < log_z(machine) < found.interval[1]


def zeros(machine: Machine) -> dict[str, torch.Tensor]:
    return {v.name: machine.zeros(v.name) for v in machine.model.variables}


@pytest.mark.parametrize("kind", ["bits", "label", "numbers"])
def test_weights_of_both_ways_are_unbiased(kind):
    """E(w) = Z / Z_base upwards from the base and E(1 / w) = Z_base / Z downwards from exact draws, however few the
    temperatures: within five standard errors of the mean of 20,000 chains."""
    torch.manual_seed(0)
    x = Variable("x", Real(2) if kind == "numbers" else Binary(3))
    machine = rbm(x, 2, label=Variable("label", range(3)) if kind == "label" else None, deviation=0.7)
    path, _ = chosen(machine, {}, 20, [0.0, 0.5, 1.0])
    with torch.no_grad():
        up, _ = path.walked(path.begin(20_000), [0.0, 0.3, 0.7, 1.0], False)
        down, _ = path.walked(path.at(draws(machine, path.kept, 20_000)), [1.0, 0.7, 0.3, 0.0], False)
    for logs, exact in ((up, log_z(machine) - path.log_start), (down, path.log_start - log_z(machine))):
        weights = (logs - exact).exp()
        assert abs(weights.mean() - 1) < 5 * weights.std() / 20_000**0.5


def test_it_says_when_both_ways_do_not_bracket():
    """With two chains and no temperature between, whose spread is often small by chance."""
    torch.manual_seed(0)
    machine = rbm(Variable("x", Binary(8)), 6, deviation=0.1)
    found = [annealed_log_z(machine, chains=2, temperatures=1, seed=seed, progress=False) for seed in range(30)]
    crossed = [each for each in found if "not bracketed" in each.how]
    assert 0 < len(crossed) < len(found)
    for each in crossed:
        low, high = (float(end) for end in re.findall(r"(?:there|back) (-?[0-9.]+)", each.how))
        assert low > high
        assert "not bracketed: take more temperatures" in str(each)
        assert "not bracketed" in each.json()["how"]
        ones = Data({"x": torch.ones(2, 8)}, "ones")
        assert "not bracketed" in str(likelihood(machine, ones, each, progress=False))


def test_refusals():
    machine = rbm(Variable("x", Binary(3)), 2)
    with pytest.raises(ValueError, match="chains is 1, expected 2 or more, whose spread gives the interval"):
        annealed_log_z(machine, chains=1)
    with pytest.raises(ValueError, match="temperatures is 0, expected a number of steps, or powers that rise"):
        annealed_log_z(machine, temperatures=0)
    with pytest.raises(ValueError, match="annealed_log_z: 'y' is not a variable"):
        annealed_log_z(machine, means={"y": torch.zeros(3)})
    with pytest.raises(ValueError, match="'past' is given; a machine without has one log Z"):
        annealed_log_z(rbm(Variable("x", Binary(3)), 2, given=Variable("past", Binary(1))))
