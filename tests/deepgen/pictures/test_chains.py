"""Pictures of chains beside what they are of."""

import pytest
import torch

from deepgen import boltzmann_machine, energies, geometric, ground_state
from deepgen.pictures import cooling, equilibrium
from deepgen.zoo.boltzmann.equilibrium import Equilibrium
from pgm import Binary, Variable


def test_a_picture_of_cooling_shows_all_restarts_their_mean_and_the_temperature():
    torch.manual_seed(0)
    machine = boltzmann_machine(Variable("v", Binary(4)), 2, deviation=2.0)
    found = ground_state(machine, cooling=geometric(5.0, 0.5, 20), sweeps=20, restarts=5)
    energy, temperature = cooling(found).axes
    assert len(energy.lines) == 5 + 1
    assert list(energy.lines[-1].get_ydata()) == pytest.approx(found.energies.mean(1).tolist())
    assert list(temperature.lines[0].get_ydata()) == pytest.approx(found.temperatures.tolist())


def test_shares_of_energies_and_of_the_exact_ones_both_sum_to_one():
    torch.manual_seed(0)
    exact = energies(boltzmann_machine(Variable("v", Binary(4)), 2, deviation=1.0))
    place = torch.arange(len(exact[0]))
    found = Equilibrium(exact[0][place.repeat(8, 1)], {})
    bars, memory = equilibrium(found, exact).axes
    assert sum(bar.get_height() for bar in bars.patches[:30]) == pytest.approx(1)
    assert bars.patches[-1].get_data().values.sum() == pytest.approx(1, abs=1e-5)
    assert memory.lines[-1].get_ydata()[0] == pytest.approx(1)
