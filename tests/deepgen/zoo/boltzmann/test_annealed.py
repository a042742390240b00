"""log Z by annealed importance sampling beside exact sums."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from deepgen.potentials import Bias, Coupling
from deepgen.zoo.boltzmann import Machine, annealed_log_z, log_z, rbm
from deepgen.zoo.boltzmann.base import chosen
from deepgen.zoo.boltzmann.exact import draws
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


def test_annealing_finds_it():
    found = annealed_log_z(trained(), temperatures=300, chains=50)
    assert found.interval is not None
    assert found.interval[0] < MEASURED < found.interval[1]


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
