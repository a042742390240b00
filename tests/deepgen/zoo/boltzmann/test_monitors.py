"""Monitors of machines that learn: each figure by enumeration or by hand, and what notices make of them."""

from itertools import product
from math import exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm
from deepgen import (
    Moment,
    arrays,
    dbm,
    exploding,
    fit,
    health,
    mean_field,
    monitored,
    persistent,
    pseudo_likelihood,
    rbm,
    sgd,
    symptoms,
)
from deepgen.potentials import Bias, Coupling
from deepgen.training.history import History
from deepgen.zoo.boltzmann import expanded
from pgm import Binary, Real, Variable

V = Variable("v", Binary(3))
ALL = torch.tensor(list(product((0.0, 1.0), repeat=3)))


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_pseudo_likelihood_is_that_of_exact_conditionals(seed: int) -> None:
    torch.manual_seed(seed)
    machine = rbm(V, 2, deviation=1.0)
    network, row = expanded(machine), ALL[5]
    expected = 0.0
    for bit in range(3):
        others = {f"v[{n}]": str(int(row[n])) for n in range(3) if n != bit}
        found = torch.as_tensor(pgm.infer(network, [f"v[{bit}]"], given=others)[f"v[{bit}]"])
        expected += found[int(row[bit])].log().item()
    assert pseudo_likelihood(machine, {"v": row[None]}).item() == pytest.approx(expected, abs=1e-5)


def test_one_bit_a_row_estimates_all_of_them() -> None:
    torch.manual_seed(0)
    machine = rbm(V, 2, deviation=1.0)
    found = pseudo_likelihood(machine, {"v": ALL[5].expand(4000, 3)}, 1)
    exact = pseudo_likelihood(machine, {"v": ALL[5:6]})
    assert (found.mean() - exact).abs() < 5 * found.std() / 4000**0.5


def test_health_by_hand() -> None:
    """Four hidden units: one dead, one always on, two idle at one half; every pixel is on with probability 1/2."""
    machine = rbm(V, 4, deviation=0.0)
    hidden = next(t for t in machine.model.terms if isinstance(t, Bias) and t.scope != (V,))
    coupling = next(t for t in machine.model.terms if isinstance(t, Coupling))
    with torch.no_grad():
        hidden.bias.copy_(torch.tensor([-9.0, 9.0, 0.0, 0.0]))
        coupling.weight[0, 2] = -0.5
    found = health(machine, {"v": torch.zeros(2, 3)}, {"v": torch.tensor([[1.0, 0.0, 0.0]])})
    assert found["dead"].item() == found["always on"].item() == 0.25
    assert found["largest weight"].item() == 0.5
    first = torch.tensor(-0.25).sigmoid().item()
    assert found["reconstruction error"].item() == pytest.approx((first**2 + 0.25 + 0.25) / 3)


def test_overfitting_is_the_gap_of_free_energies_in_deviations() -> None:
    torch.manual_seed(0)
    machine = rbm(V, 2, deviation=1.0)
    train, held = ALL[:6], ALL[6:]
    scores = torch.stack([machine.free_energy({"v": row[None]})[0] for row in ALL]).detach()
    expected = (scores[6:].mean() - scores[:6].mean()) / scores[:6].std()
    torch.testing.assert_close(health(machine, {"v": train}, {"v": held})["overfitting"], expected)


def test_looks_are_in_the_history_and_change_nothing() -> None:
    data = arrays("all", v=ALL)
    found = []
    for look in (False, True):
        torch.manual_seed(0)
        machine = rbm(V, 2)
        phase = persistent(machine, 10, optimiser=sgd(0.1))
        phase = monitored(phase, machine, data, data, every=2) if look else phase
        history = fit(phase, data, turns=5, batch=4, device="cpu", progress=False, record=1)
        found.append(torch.cat([p.detach().flatten() for p in machine.model.parameters()]))
    assert torch.equal(*found)
    assert len(history["persistent contrastive divergence.dead"]) == 3
    assert history["persistent contrastive divergence.overfitting"] == [0.0, 0.0, 0.0]
    machine.model.eval()
    assert "dead" not in phase.objective({"v": ALL}, Moment(0, 0, 0.0))


@pytest.mark.parametrize(
    ("figures", "begins"),
    [
        ({"dead": 0.4}, "dead units: 40% of hidden units are on in less than 1% of rows;"),
        ({"always on": 0.4}, "stuck units: 40% of hidden units are on in more than 99% of rows;"),
        ({"overfitting": 0.9}, "a gap that opens: free energies of held-out rows have risen by 0.80 standard"),
        ({"rarest swap": 0.001}, "chains that do not mix: 0.1% of swaps are accepted;"),
        ({"mean field change": 0.5}, "mean field that has not converged: in its last round a unit of each row still"),
    ],
)
def test_what_is_wrong_is_said_by_name(figures: dict[str, float], begins: str) -> None:
    good = {"dead": 0.0, "always on": 0.0, "overfitting": 0.1, "rarest swap": 0.5, "mean field change": 0.0}
    first = {"turn": 1.0, **{f"pcd.{name}": value for name, value in good.items()}}
    assert symptoms(History([first])) == {}
    wrong = {"turn": 2.0, **{f"pcd.{name}": value for name, value in figures.items()}}
    ((name, said),) = symptoms(History([first, wrong])).items()
    assert f"{name}: {said}".startswith(begins)
    assert symptoms(History([first, {f"held-out {term}": value for term, value in wrong.items()}])) == {}


def test_weights_that_explode_are_noticed_while_any_machine_learns() -> None:
    """A rate of 1,000 makes weights of hundreds in some steps; colder, the same weights say more."""
    machine = dbm(V, 2, 2)
    assert exploding(machine)(History()) == {}
    history = fit(persistent(machine, 10, optimiser=sgd(1000.0)), arrays("all", v=ALL[:2]), turns=20, batch=2, record=1)
    assert "exploding weights" in [notice.name for notice in history.notices]
    for temperature, said in (
        (0.01, {"exploding weights": "the largest is 50; lower the rate, or add decay."}),
        (1, {}),
    ):
        cold = rbm(V, 2, temperature=temperature)
        with torch.no_grad():
            next(t for t in cold.model.terms if isinstance(t, Coupling)).weight.fill_(0.5)
        assert exploding(cold)(History()) == said


def test_the_history_says_how_far_mean_field_still_moves() -> None:
    """By hand: h1 and h2, one unit each, x nothing; from 1/2 by rounds of h1 = s(4 h2 - 1), h2 = s(4 h1 - 1)."""
    x = Variable("x", Binary(1))
    machine = dbm(x, 1, 1, deviation=0.0)
    with torch.no_grad():
        for term in machine.model.terms:
            names = {v.name for v in term.scope}
            if names == {"h1", "h2"}:
                term.weight.fill_(4.0)
            elif isinstance(term, Bias) and names != {"x"}:
                term.bias.fill_(-1.0)
    sigmoid = lambda number: 1 / (1 + exp(-number))  # noqa: E731
    one, two, moves = 0.5, 0.5, []
    for _ in range(3):
        before = one, two
        one = sigmoid(4 * two - 1)
        two = sigmoid(4 * one - 1)
        moves.append(max(abs(one - before[0]), abs(two - before[1])))
    for rounds in (1, 3):
        phase, data = (
            persistent(machine, 4, clamped=mean_field(rounds), optimiser=sgd(0.0)),
            arrays("zeros", x=torch.zeros(8, 1)),
        )
        history = fit(phase, data, turns=1, batch=8, device="cpu", progress=False)
        (found,) = history["persistent contrastive divergence.mean field change"]
        assert found == pytest.approx(moves[rounds - 1], abs=1e-6)
        assert [notice.name for notice in history.notices] == ["mean field that has not converged"]


def test_refusals() -> None:
    machine, data = rbm(Variable("v", Real(2)), 2), arrays("numbers", v=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="has no visible layer of bits"):
        pseudo_likelihood(machine, {"v": torch.zeros(1, 2)})
    with pytest.raises(ValueError, match="every is 0, expected 1 or more"):
        monitored(persistent(machine), machine, data, data, every=0)
