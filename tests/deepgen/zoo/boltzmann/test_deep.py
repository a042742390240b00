"""Deep Boltzmann machines beside enumeration, restricted ones and Pyro."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro import poutine
from torch import Tensor

import pgm
from deepgen.data.data import Data
from deepgen.potentials import Bias
from deepgen.zoo.bits import bits
from deepgen.zoo.boltzmann import (
    Machine,
    annealed_log_z,
    dbm,
    expanded,
    likelihood,
    log_product_bound,
    log_z,
    log_z_figure,
    mean_field,
    persistent,
    rbm,
)
from deepgen.zoo.boltzmann.exact import smallest
from pgm import Binary, Variable, as_pyro

X, LABEL = Variable("x", Binary(3)), Variable("label", range(2))
ROWS = torch.tensor(list(product((0.0, 1.0), repeat=3)))  # all there are


def random_machine(seed: int, *layers: int, label: bool = False, scale: float = 1.0) -> Machine:
    """Weights and biases of a deviation."""
    torch.manual_seed(seed)
    machine = dbm(X, *layers, label=LABEL if label else None, deviation=scale)
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias, std=scale)
    return machine


def seen(machine: Machine) -> dict[str, Tensor]:
    """All values of what is seen."""
    if len(machine.visible) == 1:
        return {"x": ROWS}
    return {"x": ROWS.repeat(2, 1), "label": torch.tensor([0] * 8 + [1] * 8)}


def exact(machine: Machine) -> Tensor:
    """log p of all values of what is seen, by exact inference over single bits."""
    values = seen(machine)
    columns = bits(X, values["x"]) | ({"label": values["label"]} if "label" in values else {})
    return pgm.log_evidence(expanded(machine), given=columns).detach() - log_z(machine)


shapes = st.sampled_from([(2,), (3, 2), (2, 2, 2)])


@settings(max_examples=5)
@given(st.integers(0, 1000), shapes, st.booleans())
def test_mean_field_rises_to_a_bound_below_log_p(seed: int, layers: tuple[int, ...], label: bool) -> None:
    machine = random_machine(seed, *layers, label=label)
    found = torch.stack([log_product_bound(machine, seen(machine), rounds) for rounds in (1, 2, 5, 50)]) - log_z(
        machine
    )
    assert (found.diff(dim=0) > -1e-4).all()
    assert (found[-1] < exact(machine) + 1e-4).all()


@settings(max_examples=5)
@given(st.integers(0, 1000), st.booleans())
def test_with_one_layer_it_is_a_restricted_machine(seed: int, label: bool) -> None:
    """The same energy, log p, figure, and the same loss from the same chains."""
    deep, shallow = random_machine(seed, 3, label=label), rbm(X, 3, label=LABEL if label else None)
    shallow.model.load_state_dict(_in_order(deep, shallow))
    torch.testing.assert_close(deep.free_energy(seen(deep)), shallow.free_energy(seen(deep)))
    found = log_product_bound(deep, seen(deep)).double() - log_z(shallow)
    torch.testing.assert_close(found, exact(deep), atol=1e-5, rtol=0)
    losses = []
    for machine in (deep, shallow):
        torch.manual_seed(seed)
        losses.append(torch.stack(list(persistent(machine, chains=20).objective(seen(deep), None).values())))
    torch.testing.assert_close(*losses)


def _in_order(one: Machine, other: Machine) -> dict[str, Tensor]:
    """The state of one by the names of the other's: the term of layers with the same places."""
    layers = dict(zip((v.name for v in (*one.visible, *one.hidden)), (*other.visible, *other.hidden), strict=True))
    places = {tuple(term.scope): f"shared.{n}." for n, term in enumerate(other.model.terms)}
    return {
        f"{places[tuple(layers[v.name] for v in term.scope)]}{key}": value
        for term in one.model.terms
        for key, value in term.state_dict().items()
    }


@pytest.mark.parametrize("layers", [(2, 2), (2, 2, 2)])
def test_learning_follows_the_gradient_of_the_bound(layers: tuple[int, ...]) -> None:
    """Mean field where it has converged and chains that forget between steps: within five standard errors of 20."""
    machine = random_machine(1, *layers, scale=0.7)
    batch = {"x": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]).repeat(300, 1)}
    phase = persistent(machine, chains=600, steps=15, clamped=mean_field(50))
    parameters, found = list(machine.model.parameters()), []
    torch.manual_seed(0)
    for _ in range(20):
        loss, *_ = phase.objective(batch, None).values()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]).double())
    gradients = torch.stack(found)
    error = gradients.std(0) / 20**0.5
    assert ((gradients.mean(0) - _exact_gradient(machine, batch)).abs() < 5 * error + 1e-5).all()


def _exact_gradient(machine: Machine, batch: dict[str, Tensor]) -> Tensor:
    """The gradient of log Z - E_q score - H(q), q where mean field converges, log Z by summing all worlds."""
    layers = machine.model.variables
    sizes = [v.shape[0] for v in layers]
    worlds = torch.tensor(list(product((0.0, 1.0), repeat=sum(sizes))))
    state = dict(zip((v.name for v in layers), worlds.split(sizes, -1), strict=True))
    means, _ = mean_field(200)(machine, machine.state(batch))
    loss = machine.score(state).double().logsumexp(0) - machine.score(means).double().mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(machine.model.parameters()))]).double()


def test_figures_are_exact_or_bounds() -> None:
    rows = Data({"x": ROWS, "label": torch.arange(8) % 2}, "all rows")
    loose, tight = likelihood(random_machine(0, 3, 2, label=True), rows), likelihood(random_machine(0, 3), rows)
    assert (loose.side, tight.side) == ("lower bound", "exact")
    assert loose.name == "log p(x, label)"
    assert tight.value == pytest.approx(exact(random_machine(0, 3)).mean().item(), abs=1e-5)
    assert "mean field, 30 rounds, 8 rows of all rows; log Z exact" in loose.how


def test_annealing_draws_the_layers_with_the_fewest_states() -> None:
    """Of 784-500-1000 the middle layer, given which 1,784 units are summed; small enough, log Z is in the interval."""
    assert smallest(dbm(Variable("image", Binary(784)), 500, 1000)) == ("h1",)
    assert smallest(dbm(Variable("image", Binary(784)), 1000, 50, 1000)) == ("image", "h2")
    machine = random_machine(3, 4, 3, 2)
    found = annealed_log_z(machine, temperatures=50, progress=False)
    assert found.interval is not None
    assert found.interval[0] < log_z(machine) < found.interval[1]
    assert log_z_figure(machine).side == "exact"


def test_a_large_machine_has_a_bound_by_annealing() -> None:
    image = Variable("image", Binary(30))
    machine = dbm(image, 25, 30, deviation=0.0)
    annealed = annealed_log_z(machine, temperatures=10, progress=False)
    found = likelihood(machine, Data({"image": torch.ones(5, 30)}, "ones"), annealed)
    assert found.side == "lower bound"
    assert found.value == pytest.approx(-30 * torch.tensor(2.0).log().item(), abs=1e-3)  # nothing is coupled


@pytest.mark.parametrize("label", [False, True])
def test_pyro_has_its_density(label: bool) -> None:
    machine = random_machine(0, 2, 2, label=label)
    values = {"x": ROWS[3], "h1": torch.tensor([1.0, 0.0]), "h2": torch.tensor([1.0, 1.0])}
    if label:
        values["label"] = torch.tensor(1)
    trace = poutine.trace(as_pyro(machine.model, given=values)).get_trace()
    torch.testing.assert_close(trace.log_prob_sum().double(), machine.model.log_prob(values).double())


def test_refusals() -> None:
    with pytest.raises(ValueError, match="dbm: there are no layers of hidden units, expected one or more"):
        dbm(X)
    with pytest.raises(ValueError, match="temperature is -1, expected a number above 0"):
        dbm(X, 2, temperature=-1)
