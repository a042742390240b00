"""Boltzmann machines on a GPU: what is not drawn equals the CPU's, what is drawn stays there and learns there."""

from collections.abc import Callable

import pytest
import torch

from deepgen import arrays, fit
from deepgen.zoo.boltzmann import (
    Chains,
    Machine,
    annealed_log_z,
    boltzmann_machine,
    contrastive_divergence,
    convolutional_rbm,
    dbm,
    fast_persistent,
    log_z,
    persistent,
    rbm,
    sweep,
    tempered,
)
from pgm import Binary, Real, Variable

pytestmark = pytest.mark.gpu
X, LABEL = Variable("x", Binary(6)), Variable("label", range(3))
MACHINES: dict[str, Callable[[], Machine]] = {
    "bits": lambda: rbm(X, 4, label=LABEL, deviation=0.5),
    "numbers": lambda: rbm(Variable("x", Real(6)), 4, label=LABEL, deviation=0.5),
    "coupled": lambda: boltzmann_machine(X, 4, label=LABEL, deviation=0.5),
    "deep": lambda: dbm(X, 4, 3, label=LABEL),
    "convolutional": lambda: convolutional_rbm(Variable("x", Binary(6, 6)), 2, 3, pooling=2),
}
LEARN = {"contrastive": contrastive_divergence, "persistent": persistent, "fast": fast_persistent, "tempered": tempered}


def seen(machine: Machine, rows: int = 20) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    x = machine.model["x"]
    values = {"x": torch.bernoulli(torch.full((rows, *x.shape), 0.4)), "label": torch.arange(rows) % 3}
    return {v.name: values[v.name] for v in machine.visible}


@pytest.mark.parametrize("kind", MACHINES)
def test_means_and_scores_are_those_of_the_cpu(kind: str) -> None:
    torch.manual_seed(0)
    machine, found = MACHINES[kind](), []
    for device in ("cpu", "cuda"):
        machine.model.to(device)
        state = machine.state({name: x.to(device) for name, x in seen(machine).items()})
        state |= {v.name: machine.zeros(v.name).expand(20, -1) for v in machine.hidden}
        state = sweep(machine, state, [v.name for v in (*machine.hidden, *machine.visible)], means=True)
        assert all(x.device.type == device for x in state.values())
        found.append({"score": machine.score(state).detach().cpu(), **{name: x.cpu() for name, x in state.items()}})
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", MACHINES)
def test_persistent_chains_stay_and_move_there(kind: str) -> None:
    machine = MACHINES[kind]()
    phase = persistent(machine, 10)
    chains = phase.modules["chains"]
    assert isinstance(chains, Chains)
    before = {name: x.clone() for name, x in chains.state.items()}
    history = fit(phase, arrays("noise", **seen(machine)), turns=5, batch=10, device="cuda", progress=False)
    assert len(history.rows) > 0
    assert all(x.device.type == "cuda" and bool(x.isfinite().all()) for x in chains.state.values())
    assert any(not torch.equal(x.cpu(), before[name]) for name, x in chains.state.items())
    assert all(bool(p.isfinite().all()) for p in machine.model.parameters())


@pytest.mark.parametrize("way", LEARN)
def test_every_way_to_learn_lowers_free_energies_of_the_data_there(way: str) -> None:
    """One pattern in all rows: after learning it is likelier than its opposite, which was as likely before."""
    torch.manual_seed(0)
    machine, pattern = rbm(X, 4), torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    fit(LEARN[way](machine), arrays("one", x=pattern.expand(50, 6)), turns=100, batch=50, device="cuda", progress=False)
    free = machine.free_energy({"x": torch.stack([pattern, 1 - pattern]).to("cuda")})
    assert free[0] < free[1]


def test_annealing_there_finds_log_z() -> None:
    torch.manual_seed(0)
    machine = rbm(X, 4, deviation=1.0)
    machine.model.to("cuda")
    low, high = annealed_log_z(machine, temperatures=200, progress=False).interval or (0.0, 0.0)
    assert low - 0.1 < log_z(machine) < high + 0.1


def test_coupled_units_are_drawn_there_with_what_is_known() -> None:
    machine = boltzmann_machine(X, 4)
    machine.model.to("cuda")
    half = torch.tensor([1.0, 1.0, 0.0, *[torch.nan] * 3], device="cuda")
    drawn = machine.sample(7, {"x": half}, burn=5, progress=False)
    assert drawn["h"].device.type == "cuda"
    assert torch.equal(drawn["x"][:, :3], half[:3].expand(7, 3))
