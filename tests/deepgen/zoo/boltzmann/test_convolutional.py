"""Convolutional machines beside dense ones of unrolled filters, and pooled ones beside enumeration."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pgm
from deepgen import contrastive_divergence
from deepgen.potentials import Bias, Convolved, Coupling
from deepgen.zoo.boltzmann import Machine, convolutional_rbm, expanded, log_z, rbm, sweep
from deepgen.zoo.boltzmann.exact import draws
from pgm import Binary, Real, Variable

X = Variable("x", Binary(3, 4))


def random_machine(seed: int, x: Variable = X, filters: int = 2, pooling: int = 1, temperature: float = 1.0) -> Machine:
    torch.manual_seed(seed)
    machine = convolutional_rbm(x, filters, 2, pooling=pooling, deviation=1.0, temperature=temperature)
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
    return machine


def unrolled(machine: Machine) -> Machine:
    """A dense machine: weights by sliding each filter by hand, biases written out."""
    x, h = machine.model["x"], machine.model["h"]
    convolved = next(term for term in machine.model.terms if isinstance(term, Convolved))
    channels, (maps, height, width) = (x.shape[0] if len(x.shape) == 3 else 1), h.shape
    whole = torch.zeros(channels, x.shape[-2], x.shape[-1], maps, height, width)
    rows, columns = convolved.filters.shape[2:]
    for k in range(maps):
        for y in range(height):
            for z in range(width):
                whole[:, y : y + rows, z : z + columns, k, y, z] = convolved.filters[k].detach()
    dense = rbm(x, h.domain.length, temperature=convolved.temperature)
    biases = {repr(term): term.bias.detach() for term in machine.model.terms if isinstance(term, Bias)}
    with torch.no_grad():
        for term in dense.model.terms:
            if isinstance(term, Coupling):
                term.weight.copy_(whole.flatten(0, 2).flatten(1))
            if isinstance(term, Bias):
                term.bias.copy_(biases[repr(term)].repeat_interleave(term.bias.numel() // biases[repr(term)].numel()))
    return dense


@settings(max_examples=5)
@given(
    st.integers(0, 1000),
    st.sampled_from([X, Variable("x", Binary(2, 3, 3)), Variable("x", Real(3, 4))]),
    st.sampled_from([0.5, 1.0]),
)
def test_it_is_the_dense_machine_of_unrolled_filters(seed, x, temperature):
    machine = random_machine(seed, x, temperature=temperature)
    dense = unrolled(machine)
    values = {"x": torch.rand(5, *x.shape).round()}
    torch.testing.assert_close(machine.free_energy(values), dense.free_energy(values), atol=1e-4, rtol=1e-4)
    state = machine.state(values) | {"h": torch.rand(5, machine.model["h"].domain.length).round()}
    torch.testing.assert_close(machine.score(state), dense.score(state), atol=1e-4, rtol=1e-4)
    for name in ("x", "h"):
        torch.testing.assert_close(machine.field(name, state), dense.field(name, state), atol=1e-4, rtol=1e-4)
    assert log_z(machine) == pytest.approx(log_z(dense), abs=1e-6)


def test_gradients_of_filters_are_sums_over_places():
    machine = random_machine(0)
    dense = unrolled(machine)
    values = {"x": torch.rand(4, 3, 4).round()}
    for each in (machine, dense):
        each.free_energy(values).sum().backward()
    slid = next(term.filters.grad for term in machine.model.terms if isinstance(term, Convolved))
    flat = next(term.weight.grad for term in dense.model.terms if isinstance(term, Coupling))
    whole = flat.reshape(3, 4, 2, 2, 3)  # [row, column, map, y, x]
    by_hand = sum(whole[y : y + 2, z : z + 2, :, y, z] for y in range(2) for z in range(3)).permute(2, 0, 1)
    torch.testing.assert_close(slid[:, 0], by_hand, atol=1e-5, rtol=1e-5)


def pooled(seed: int) -> Machine:
    return random_machine(seed, Variable("x", Binary(3, 3)), filters=2, pooling=2)


@settings(max_examples=3)
@given(st.integers(0, 1000))
def test_a_pooled_machine_is_the_network_of_bits_with_at_most_one_of_each_block(seed):
    machine = pooled(seed)
    network = expanded(machine)
    assert log_z(machine) == pytest.approx(pgm.infer(network, []).log_evidence.item(), abs=1e-6)
    seen = {f"x[{place}]": "1" if place % 2 else "0" for place in range(9)}
    exact = pgm.infer(network, [f"h[{place}]" for place in range(8)], given=seen)
    field = machine.field("h", {"x": torch.tensor([[float(place % 2) for place in range(9)]])})
    found = machine.units("h").mean(field)[0]
    torch.testing.assert_close(
        found.double(), torch.stack([exact[f"h[{k}]"][1] for k in range(8)]), atol=1e-5, rtol=1e-4
    )
    free = -machine.free_energy({"x": torch.tensor([[[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]])}).item()
    evidence = pgm.log_evidence(network, given=seen).item()
    assert free == pytest.approx(evidence, abs=1e-4)


def test_sweeps_of_pooled_units_leave_the_distribution_as_it_is():
    """From exact draws, means after two sweeps are those of the exact draws, within five standard errors."""
    machine, rows = pooled(1), 10_000
    torch.manual_seed(0)
    state: dict[str, Tensor] = draws(machine, ["x"], rows)
    state["h"] = torch.zeros(rows, 8)
    for _ in range(2):
        state = sweep(machine, state, ["h", "x"])
    assert state["h"].reshape(rows, 2, 4).sum(-1).unique().tolist() == [0, 1]
    network = pgm.infer(expanded(machine), [f"h[{k}]" for k in range(8)])
    p = torch.stack([network[f"h[{k}]"][1] for k in range(8)])
    assert ((state["h"].mean(0) - p).abs() < 5 * (p * (1 - p) / rows).sqrt()).all()


def test_units_begin_where_their_mean_is():
    units = pooled(0).units("h")
    field = torch.randn(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(units.field_of(units.mean(field)), field, atol=1e-5, rtol=1e-4)


def test_it_learns_and_is_drawn_as_any_machine():
    machine = convolutional_rbm(Variable("image", Binary(8, 8)), 4, 3, pooling=2)
    phase = contrastive_divergence(machine)
    batch = {"image": torch.rand(10, 8, 8, generator=torch.Generator().manual_seed(0)).round()}
    loss = sum(term.mean() for term in phase.objective(batch, None).values())
    loss.backward()
    assert all(parameter.grad is not None for parameter in machine.model.parameters())
    assert machine.sample(3, burn=2, seed=0)["image"].shape == (3, 8, 8)


def test_refusals():
    with pytest.raises(ValueError, match=r"size is 9, expected at most the sides of 'image', \(8, 8\)"):
        convolutional_rbm(Variable("image", Binary(8, 8)), 4, 9)
    with pytest.raises(
        ValueError, match=r"the shape is \(4, 5, 5\), expected \(maps, height, width\) in blocks of side 2"
    ):
        convolutional_rbm(Variable("image", Binary(8, 8)), 4, 4, pooling=2)
    with pytest.raises(ValueError, match=r"maps of shape \(1, 3, 3\) are larger than the image, \(2, 2\)"):
        Convolved(Variable("a", Binary(2, 2)), Variable("b", Binary(1, 3, 3)))
    with pytest.raises(ValueError, match=r"expected \(height, width\) or \(channels, height, width\)"):
        Convolved(Variable("a", Binary(4)), Variable("b", Binary(1, 3, 3)))
    known = {"h": torch.tensor([1.0] + [torch.nan] * 7).reshape(2, 2, 2)}
    with pytest.raises(ValueError, match="units of 'h' are drawn together"):
        pooled(0).sample(1, known)
