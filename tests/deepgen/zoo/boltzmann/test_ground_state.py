"""Annealing beside enumeration."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm
from deepgen import geometric, linear, logarithmic
from deepgen.zoo.boltzmann import boltzmann_machine, energies, expanded, ground_state
from pgm import Binary, Real, Variable

V, LABEL = Variable("v", Binary(5)), Variable("label", range(3))
WAYS = {"geometric": geometric(5.0, 0.1, 60), "linear": linear(5.0, 0.1, 60), "logarithmic": logarithmic(3.0)}


@settings(max_examples=3)
@given(st.integers(0, 1000), st.sampled_from(list(WAYS)), st.booleans())
def test_small_machines_come_down_to_the_least_of_all_energies(seed, way, label):
    torch.manual_seed(seed)
    machine = boltzmann_machine(V, 3, label=LABEL if label else None, deviation=2.0)
    found = ground_state(machine, cooling=WAYS[way], sweeps=60, restarts=30, seed=seed)
    assert found.energy == pytest.approx(energies(machine)[0].min().item(), abs=1e-4)
    state = {name: value[None] for name, value in found.values.items()}
    assert -machine.model.log_prob(state).item() == pytest.approx(found.energy, abs=1e-4)
    assert 0 < found.share <= 1


def test_with_units_known_it_is_the_most_probable_explanation():
    torch.manual_seed(0)
    machine = boltzmann_machine(V, 3, deviation=2.0)
    seen = torch.tensor([1.0, 0.0, torch.nan, torch.nan, 1.0])
    found = ground_state(machine, {"v": seen}, cooling=geometric(5.0, 0.1, 60), sweeps=60)
    best = pgm.mpe(expanded(machine), given={"v[0]": "1", "v[1]": "0", "v[4]": "1"}).assignment()
    bits = {f"{name}[{place}]": str(int(bit)) for name in ("v", "h") for place, bit in enumerate(found.values[name])}
    assert bits == {"v[0]": "1", "v[1]": "0", "v[4]": "1", **best}


def test_a_hot_chain_has_the_distribution_of_that_temperature():
    """At temperature 2 throughout, mean energies are those of p^(1/2), within five standard errors."""
    torch.manual_seed(0)
    machine = boltzmann_machine(V, 2, deviation=1.0)
    found = ground_state(machine, cooling=lambda step: 2.0, sweeps=40, restarts=2000)
    levels, _ = energies(machine)
    expected = ((-levels / 2).softmax(0) * levels).sum()
    last = found.energies[-1]
    assert abs(last.mean() - expected) < 5 * last.std() / 2000**0.5


def test_it_says_how_it_went():
    torch.manual_seed(0)
    machine = boltzmann_machine(V, 2)
    found = ground_state(machine, cooling=geometric(4.0, 1.0, 3), sweeps=4, restarts=7)
    assert found.temperatures.tolist() == pytest.approx([4.0, 4 ** (2 / 3), 4 ** (1 / 3), 1.0])
    assert found.energies.shape == (4, 7)
    assert "7 restarts of 4 sweeps from temperature 4 to 1)" in repr(found)


def test_refusals():
    machine = boltzmann_machine(V, 2)
    with pytest.raises(ValueError, match="the temperature of sweep 2 is 0.0, expected one above 0"):
        ground_state(machine, cooling=linear(1.0, 0.0, 2), sweeps=10)
    with pytest.raises(ValueError, match="0 sweeps of 50 restarts, expected 1 or more of both"):
        ground_state(machine, sweeps=0)
    with pytest.raises(ValueError, match=r"'x' is Real\(2\), expected bits or states"):
        ground_state(boltzmann_machine(Variable("x", Real(2)), 2))
    with pytest.raises(ValueError, match="geometric: 0.0 is given, expected numbers above 0"):
        geometric(1.0, 0.0, 5)
    with pytest.raises(ValueError, match="logarithmic: -1.0 is given, expected numbers above 0"):
        logarithmic(-1.0)
