"""Small machines: two exact routes, enumeration, and the textbook's numbers."""

from itertools import product
from math import exp, log, log1p

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pgm
from deepgen.potentials import Bias, Coupling, Within
from deepgen.zoo.boltzmann import (
    Machine,
    annealed_log_z,
    contrastive_divergence,
    expanded,
    log_likelihood,
    log_z,
    persistent,
    rbm,
    sweep,
)
from deepgen.zoo.boltzmann.exact import MOST
from pgm import Binary, Model, PlanError, Real, Variable

V, H, LABEL = Variable("v", Binary(3)), Variable("h", Binary(2)), Variable("label", range(3))


def random_machine(seed: int, *, label: bool = False, within: bool = False, temperature: float = 1.0) -> Machine:
    """Weights and biases of about 1, centres too."""
    torch.manual_seed(seed)
    machine = rbm(V, 2, label=LABEL if label else None, deviation=1.0, temperature=temperature)
    terms = [*machine.model.terms, *([Within(V, 1.0, temperature), Within(H, 1.0, temperature)] if within else [])]
    for term in terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
        if isinstance(term, Coupling):
            term.centre.uniform_(), term.other_centre.uniform_()
    return Machine(Model(*terms), machine.visible)


def worlds(machine: Machine) -> dict[str, Tensor]:
    """All values of all layers, one row each."""
    layers = machine.model.variables
    choices = [range(v.size) if v.finite else product((0.0, 1.0), repeat=v.domain.length) for v in layers]
    rows = list(product(*choices))
    columns = zip(layers, zip(*rows, strict=True), strict=True)
    return {v.name: torch.tensor(column, dtype=torch.long if v.finite else torch.float32) for v, column in columns}


@settings(max_examples=12)
@given(st.integers(0, 1000), st.booleans(), st.booleans(), st.sampled_from([0.5, 1.0, 3.0]))
def test_enumeration_the_model_of_bits_and_sums_of_layers_agree(seed, label, within, temperature):
    machine = random_machine(seed, label=label, within=within, temperature=temperature)
    brute = machine.model.log_prob(worlds(machine)).double().logsumexp(0).item()
    assert log_z(machine) == pytest.approx(brute, abs=1e-4)
    assert pgm.infer(expanded(machine), []).log_evidence.item() == pytest.approx(log_z(machine), abs=1e-9)


@settings(max_examples=12)
@given(st.integers(0, 1000), st.booleans())
def test_free_energy_sums_the_hidden_layer_out(seed, label):
    machine = random_machine(seed, label=label)
    everything = worlds(machine)
    seen = {v.name: everything[v.name] for v in machine.visible}
    scores = machine.model.log_prob(everything)
    same = torch.ones(len(scores), len(scores), dtype=torch.bool)
    for column in seen.values():
        flat = column.reshape(len(scores), -1)
        same &= (flat[:, None] == flat).all(-1)
    expected = torch.where(same, scores, -torch.inf).logsumexp(1)
    torch.testing.assert_close(-machine.free_energy(seen), expected, atol=1e-4, rtol=1e-4)


def test_the_textbooks_machine():
    """Weights v1 h1 = 2, v2 h2 = 1, h1 h2 = -1 and no biases: p(v) of 11, 10, 01, 00 as Hinton's lecture 12a (2012)
    prints it, with its third digit cut rather than rounded."""
    v, h = Variable("v", Binary(2)), Variable("h", Binary(2))
    pairs, among = Coupling(v, h), Within(h)
    with torch.no_grad():
        pairs.weight.copy_(torch.diag(torch.tensor([2.0, 1.0])))
        among.upper.fill_(-1.0)
    joint = pgm.infer(expanded(Machine(Model(pairs, among), (v,))), [("v[0]", "v[1]")])["v[0]", "v[1]"]
    expected = torch.tensor([[0.084, 0.144], [0.305, 0.466]], dtype=torch.float64)
    torch.testing.assert_close(torch.as_tensor(joint), expected, atol=1e-3, rtol=0)
    e = torch.tensor(1.0, dtype=torch.float64).exp()
    by_hand = torch.stack([torch.stack([3 + 1 / e, 3 + e]), torch.stack([2 + e**2 + e, 1 + 2 * e**2 + e])])
    torch.testing.assert_close(torch.as_tensor(joint), by_hand / by_hand.sum())


def test_gaussian_visible_units_sum_to_a_mixture():
    """p(v) of a machine with real visible units is a mixture of Gaussians, one of each state of the hidden ones."""
    torch.manual_seed(0)
    v = Variable("v", Real(1))
    machine = rbm(v, 2, deviation=1.0)
    points = torch.linspace(-12, 12, 4001)[:, None]
    density = (-machine.free_energy({"v": points}).double() - log_z(machine)).exp()
    assert torch.trapezoid(density, points[:, 0].double()).item() == pytest.approx(1, abs=1e-5)
    assert log_z(machine) == pytest.approx(_mixture(machine), abs=1e-5)


def _mixture(machine: Machine) -> float:
    weight = next(t.weight for t in machine.model.terms if isinstance(t, Coupling))[0].double()
    states = torch.tensor(list(product((0.0, 1.0), repeat=2)), dtype=torch.float64)
    means = states @ weight
    return (0.5 * means.square() + 0.5 * log(2 * torch.pi)).logsumexp(0).item()


@pytest.mark.parametrize("within", [False, True])
def test_sweeps_leave_the_distribution_as_it_is(within):
    """From exact draws, shares of all 32 worlds after two sweeps: within five standard errors."""
    machine, rows = random_machine(4, within=within), 20_000
    everything = worlds(machine)
    p = machine.model.log_prob(everything).double().softmax(0)
    begun = torch.multinomial(p, rows, replacement=True, generator=torch.Generator().manual_seed(0))
    state = {name: column[begun] for name, column in machine.state(everything).items()}
    torch.manual_seed(1)
    for _ in range(2):
        state = sweep(machine, state, ["h", "v"])
    bits = torch.cat([state["v"], state["h"]], -1).long()
    place = (bits * 2 ** torch.arange(4, -1, -1)).sum(-1)
    found = torch.bincount(place, minlength=32) / rows
    assert ((found - p).abs() <= 5 * (p * (1 - p) / rows).sqrt() + 1e-12).all()


def test_units_that_are_fixed_stay():
    machine = random_machine(0, within=True)
    state = {"v": torch.ones(500, 3), "h": torch.zeros(500, 2)}
    fixed = {"v": torch.tensor([1, 0, 0]), "h": torch.tensor([0, 1])}
    found = sweep(machine, state, ["h", "v"], fixed)
    assert bool((found["v"][:, 0] == 1).all())
    assert bool((found["h"][:, 1] == 0).all())
    assert 0 < found["v"][:, 1].mean() < 1


@pytest.mark.parametrize("learn", [contrastive_divergence, persistent])
def test_dreams_of_the_machine_itself_give_the_gradient_of_the_likelihood(learn):
    """After many sweeps E(F(data) - F(dreams)) has the gradient of -log p(data), within five standard errors."""
    machine = random_machine(2)
    data = {"v": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])}
    batch = {"v": data["v"].repeat(500, 1)}
    phase = learn(machine, steps=30, **({"chains": 1000} if learn is persistent else {}))
    parameters = list(machine.model.parameters())
    torch.manual_seed(0)
    draws = []
    for _ in range(20):
        (loss,) = phase.objective(batch, None).values()
        draws.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]).double())
    found = torch.stack(draws)
    everything = worlds(machine)
    exact = machine.model.log_prob(everything).logsumexp(0) + machine.free_energy(data).mean()
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(exact, parameters)]).double()
    error = found.std(0) / 20**0.5
    assert ((found.mean(0) - expected).abs() < 5 * error + 1e-6).all()


def test_refusals():
    with pytest.raises(ValueError, match="temperature is 0.0, expected a number above 0"):
        rbm(V, 2, temperature=0.0)
    with pytest.raises(ValueError, match=r"Within\(v\): 'v' is Real\(2\), expected Binary"):
        Within(Variable("v", Real(2)))
    with pytest.raises(ValueError, match=r"units of 'h' are coupled with one another"):
        random_machine(0, within=True).free_energy({"v": torch.ones(1, 3)})
    big = rbm(Variable("v", Binary(784)), MOST + 1)
    with pytest.raises(ValueError, match=f"h have {MOST + 1} bits, too many to look at all states"):
        log_z(big)
    conditional = rbm(V, 2, given=Variable("past", Binary(2)))
    with pytest.raises(ValueError, match="log_z: 'past' is always given, and no value of it is here"):
        log_z(conditional)
    with pytest.raises(ValueError, match="log_likelihood: 'past' is always given"):
        log_likelihood(conditional, {"v": torch.ones(1, 3)})
    with pytest.raises(ValueError, match="expected Binary or a variable with states"):
        expanded(rbm(Variable("v", Real(2)), 2))
    with pytest.raises(ValueError, match="steps is 0, expected 1 sweep or more"):
        contrastive_divergence(random_machine(0), steps=0)
    assert log(2) < log_z(rbm(V, 2))


def test_a_machine_of_independent_units_has_a_closed_form_and_nothing_to_anneal() -> None:
    v = Variable("v", Binary(3))
    bias = Bias(v)
    bias.bias.data = torch.tensor([0.5, -1.0, 2.0])
    machine = Machine(Model(bias), (v,))
    assert log_z(machine) == pytest.approx(sum(log1p(exp(b)) for b in (0.5, -1.0, 2.0)), abs=1e-6)
    with pytest.raises(PlanError, match=r"annealed_log_z: all units are independent, there is nothing to anneal"):
        annealed_log_z(machine)


def test_evidence_in_double_precision_is_taken_as_the_machines_own() -> None:
    machine, v = rbm(Variable("v", Binary(3)), 2, deviation=1.0), torch.tensor([[1.0, 0.0, 1.0]])
    torch.testing.assert_close(log_likelihood(machine, {"v": v.double()}), log_likelihood(machine, {"v": v}))


def test_what_differs_with_what_is_given_has_no_one_expansion() -> None:
    machine = rbm(Variable("v", Binary(3)), 2, given=Variable("past", Binary(2)))
    with pytest.raises(PlanError, match=r"expanded: 'past' is given, and the machine differs with what it is"):
        expanded(machine)
