"""Sweeps of layers whose units are coupled: at temperatures side by side, and as one unit after another."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen.potentials import Bias, Coupling, Within
from deepgen.zoo.boltzmann import Machine, log_likelihood, sweep, tempered
from deepgen.zoo.boltzmann.path import Between
from pgm import Binary, Model, Variable

V, H = Variable("v", Binary(3)), Variable("h", Binary(2))
ROWS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])


def semi_restricted(seed: int) -> Machine:
    """Visible units are coupled with one another, hidden ones are not."""
    torch.manual_seed(seed)
    machine = Machine(Model(Bias(V), Bias(H), Coupling(V, H, 1.0), Within(V, 1.0)), (V,))
    for parameter in machine.model.parameters():
        torch.nn.init.normal_(parameter)
    return machine


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_means_are_visited_in_order_each_given_all_others(seed: int) -> None:
    """Beside the field made anew for each unit; units that are known stay."""
    machine = semi_restricted(seed)
    state = {"v": torch.rand(4, 3), "h": torch.rand(4, 2)}
    fixed = torch.rand(4, 3) < 0.3
    expected = state["v"].clone()
    for unit in range(3):
        mean = machine.field("v", {**state, "v": expected})[:, unit].sigmoid()
        expected[:, unit] = torch.where(fixed[:, unit], expected[:, unit], mean)
    found = sweep(machine, state, ["v"], {"v": fixed}, means=True)["v"]
    torch.testing.assert_close(found, expected.detach())


def test_chains_side_by_side_are_each_at_its_temperature() -> None:
    machine, powers = semi_restricted(0), torch.linspace(0, 1, 4)
    base = {"v": torch.randn(3), "h": torch.randn(2)}
    state = {"v": torch.rand(4, 5, 3), "h": torch.rand(4, 5, 2)}
    found = sweep(Between(machine, base, powers[:, None, None]), state, ["h", "v"], means=True)
    for number, power in enumerate(powers.tolist()):
        alone = {name: x[number] for name, x in state.items()}
        expected = sweep(Between(machine, base, power), alone, ["h", "v"], means=True)
        torch.testing.assert_close({name: x[number] for name, x in found.items()}, expected)


def test_tempered_chains_of_coupled_visible_units_have_the_gradient_of_the_likelihood() -> None:
    """Within five standard errors of fifteen steps."""
    machine = semi_restricted(1)
    parameters = list(machine.model.parameters())
    exact = torch.autograd.grad(-log_likelihood(machine, {"v": ROWS}).mean(), parameters)
    phase = tempered(machine, chains=400, temperatures=3, steps=6)
    steps = []
    for _ in range(15):
        loss = phase.objective({"v": ROWS.repeat(200, 1)}, None)["free energy gap"]
        steps.append(torch.cat([slope.flatten() for slope in torch.autograd.grad(loss, parameters)]))
    found = torch.stack(steps)
    expected = torch.cat([slope.flatten() for slope in exact]).float()
    assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / 15**0.5 + 1e-6).all()
