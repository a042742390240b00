"""Chains beside the exact distribution of energies, and chains that have not mixed."""

import pytest
import torch
from torch import Tensor

import pgm
from deepgen.potentials import Bias, Within
from deepgen.zoo.boltzmann import Equilibrium, Machine, boltzmann_machine, energies, equilibrium, expanded
from pgm import Binary, Model, Variable

V = Variable("v", Binary(3))


def small() -> Machine:
    torch.manual_seed(0)
    return boltzmann_machine(V, 2, deviation=1.0)


def magnet(coupling: float, units: int = 6) -> Machine:
    """All on or all off: two modes that are alike."""
    v = Variable("v", Binary(units))
    within, bias = Within(v), Bias(v)
    with torch.no_grad():
        within.upper.fill_(coupling)
        bias.bias.fill_(-coupling * (units - 1) / 2)
    return Machine(Model(bias, within), (v,))


def test_energies_of_all_states_are_minus_log_prob():
    machine = small()
    found, p = energies(machine)
    everything = pgm.infer(expanded(machine), [])
    assert torch.logsumexp(-found, 0).item() == pytest.approx(everything.log_evidence.item(), abs=1e-12)
    assert p.sum().item() == pytest.approx(1, abs=1e-12)


def test_chains_in_equilibrium_have_the_exact_histogram_of_energies():
    """Shares of energies in eight bins, within five standard errors by the effective draws of the share itself."""
    machine = small()
    found = equilibrium(machine, chains=50, sweeps=200, burn=50)
    assert found.reached
    levels, p = energies(machine)
    edges = levels.quantile(torch.linspace(0, 1, 9).double()[1:-1])
    exact = torch.zeros(8).double().index_add(0, torch.bucketize(levels, edges), p)
    inside = torch.nn.functional.one_hot(torch.bucketize(found.energies, edges), 8).float()  # [chains, sweeps, bins]
    by_chain = inside.mean(1)
    error = by_chain.std(0) / 50**0.5
    assert ((by_chain.mean(0) - exact).abs() < 5 * error + 1e-6).all()


def test_effective_draws_give_the_error_of_the_mean_energy():
    machine = small()
    found = equilibrium(machine, chains=20, sweeps=300, burn=50)
    levels, p = energies(machine)
    error = found.energies.std() / found.effective_samples["energy"].sqrt()
    assert abs(found.energies.mean() - (levels * p).sum()) < 5 * error
    assert found.autocorrelation[0].item() == pytest.approx(1)
    assert found.autocorrelation.shape == (150,)


def test_chains_that_are_stuck_in_two_modes_are_not_in_equilibrium():
    found = equilibrium(magnet(4.0), chains=10, sweeps=50, burn=10)
    assert not found.reached
    assert found.r_hat["v"].max() > 2
    assert "chains disagree about v[" in found.verdict
    assert equilibrium(magnet(0.3), chains=10, sweeps=300, burn=10).reached


def test_chains_that_move_slowly_say_little():
    steps = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    found = Equilibrium(steps, {"v": torch.ones(2, 40, 1)})
    assert found.r_hat["v"].tolist() == [1.0]
    assert "perhaps in equilibrium: energy moves so slowly" in repr(found)


def test_what_is_known_is_not_drawn():
    found = equilibrium(small(), {"v": torch.tensor([1.0, 0.0, 1.0])}, chains=4, sweeps=20, burn=2)
    assert set(found.activities) == {"h"}


class Interrupted(Within):
    """Ctrl-C at the 30th field."""

    count = 0

    def field(self, place: int, *others: Tensor) -> Tensor:
        self.count += 1
        if self.count == 30:
            raise KeyboardInterrupt
        return super().field(place, *others)


def test_ctrl_c_keeps_the_sweeps_so_far():
    machine = Machine(Model(Bias(V), Interrupted(V)), (V,))
    found = equilibrium(machine, chains=2, sweeps=100, burn=5)
    assert found.interrupted
    assert found.energies.shape == (2, 29 - 5)
    assert found.activities["v"].shape == (2, 24, 3)


def test_refusals():
    with pytest.raises(ValueError, match="1 chains of 3 sweeps, expected 2 or more of 4 or more"):
        equilibrium(small(), chains=1, sweeps=3)
