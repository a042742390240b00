"""Pretraining of deep Boltzmann machines: what halves say beside what the whole says, by fields and by enumeration."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pgm
from deepgen.data.data import Data
from deepgen.potentials import Bias, Coupling
from deepgen.training.fit import fit
from deepgen.training.in_turn import in_turn
from deepgen.training.phase import adam
from deepgen.zoo.bits import bits
from deepgen.zoo.boltzmann import (
    Machine,
    boltzmann_machine,
    dbm,
    exact_likelihood,
    expanded,
    log_likelihood,
    mean_field,
    persistent,
    pretraining,
)
from deepgen.zoo.boltzmann.pretraining import restricted_stages
from pgm import Binary, Variable

X, LABEL = Variable("x", Binary(3)), Variable("label", range(2))
ROWS = torch.tensor(list(product((0.0, 1.0), repeat=3)))


def scrambled(seed: int, *layers: int, label: bool = False) -> tuple[Machine, dict[str, Tensor]]:
    """A machine with biases, and centres that all couplings of a layer agree on."""
    torch.manual_seed(seed)
    machine = dbm(X, *layers, label=LABEL if label else None, deviation=1.0)
    centres = {v.name: torch.rand_like(machine.zeros(v.name)) for v in machine.model.variables}
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
        if isinstance(term, Coupling):
            term.centre.copy_(centres[term.scope[0].name])
            term.other_centre.copy_(centres[term.scope[1].name])
    return machine, centres


@settings(max_examples=3)
@given(st.integers(0, 1000), st.sampled_from([(2,), (2, 3), (2, 3, 2)]), st.booleans())
def test_a_layer_hears_twice_from_the_side_it_has_where_the_whole_has_two(seed, layers, label):
    """Field by field: what the machine says while one side is at its centre, and that again where one is missing."""
    machine, centres = scrambled(seed, *layers, label=label)
    state = {name: torch.rand_like(centre).round() for name, centre in centres.items()}
    twice = state | {f"{name} again": x for name, x in state.items()}
    chain = ["x", *(v.name for v in machine.hidden)]
    for number, stage in enumerate(restricted_stages(machine)):
        below, over = chain[number : number + 2]
        told = machine.field(over, {**centres, below: state[below]})
        missing = over != chain[-1]
        expected = 2 * told - machine.field(over, centres) if missing else machine.field(over, state)
        torch.testing.assert_close(stage.field(over, twice), expected)
        told = machine.field(below, {**centres, over: state[over]})
        expected = 2 * told - machine.field(below, centres) if number else told
        torch.testing.assert_close(stage.field(below, twice), expected)
    if label:
        torch.testing.assert_close(stage.field("label", twice), machine.field("label", state))


@settings(max_examples=2)
@given(st.integers(0, 1000), st.booleans())
def test_the_whole_is_the_geometric_mean_of_what_both_halves_say_of_the_layer_between(seed, label):
    """p(h1) of two layers, by exact inference over single bits."""
    machine, _ = scrambled(seed, 3, 2, label=label)
    h1 = bits(machine.model["h1"], ROWS)
    both = torch.stack([pgm.log_evidence(expanded(stage), given=h1) for stage in restricted_stages(machine)])
    whole = pgm.log_evidence(expanded(machine), given=h1)
    torch.testing.assert_close(whole.log_softmax(0), both.mean(0).log_softmax(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("label", [False, True])
def test_exact_pretraining_raises_the_exact_log_likelihood_of_the_whole(label):
    """Halves learn by exact gradients; the whole, which is neither, goes most of the way that there is to go."""
    torch.manual_seed(0)
    machine = dbm(X, 3, 3, label=LABEL if label else None, mean=torch.tensor([0.75, 0.5, 0.25]))
    rows = {"x": ROWS[[0, 4, 6, 7]], **({"label": torch.tensor([0, 0, 1, 1])} if label else {})}
    before = log_likelihood(machine, rows).mean()
    for phase in pretraining(machine, exact_likelihood, optimiser=adam(0.1)):
        fit(phase, Data(rows), turns=40, batch=4, device="cpu", progress=False)
    best = -torch.tensor(4.0).log()  # of four rows
    assert (before + best) / 2 < log_likelihood(machine, rows).mean() < best


def test_a_phase_moves_a_layer_of_the_machine_and_leaves_those_below():
    machine, _ = scrambled(0, 3, 2, 2)
    before = [parameter.clone() for parameter in machine.model.parameters()]
    fit(pretraining(machine, chains=4)[1], Data({"x": ROWS}), turns=2, batch=8, device="cpu", progress=False)
    moved = {
        repr(term)
        for term in machine.model.terms
        for parameter in term.parameters()
        if not any(torch.equal(parameter, old) for old in before)
    }
    assert moved == {"Bias(h2)", "Coupling(h1, h2)"}


def test_all_learn_in_turn_and_a_run_goes_on_to_the_bit(tmp_path):
    def run(out, *turns):
        torch.manual_seed(0)
        machine = dbm(X, 3, 2)
        parts = [(phase, 4) for phase in pretraining(machine, chains=4)]
        phase = in_turn("all", *parts, (persistent(machine, 4, clamped=mean_field(2), centring=0.1), 4))
        for number, end in enumerate(turns):
            fit(phase, Data({"x": ROWS}), turns=end, batch=8, out=out, resume=number > 0, device="cpu", progress=False)
        return [x.clone() for module in phase.modules.values() for x in module.state_dict().values()]

    whole, parts = run(tmp_path / "whole", 12), run(tmp_path / "parts", 3, 7, 12)
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_refusals():
    with pytest.raises(
        ValueError, match=r"pretraining: Machine\(x explained by h\) is not of layers in a row, .* dbm\("
    ):
        pretraining(boltzmann_machine(X, 2))
    with pytest.raises(ValueError, match=r"mean has shape \(2,\), expected \(3,\), that of 'x'"):
        dbm(X, 2, 2, mean=torch.zeros(2))
    with pytest.raises(ValueError, match="recentre: couplings share their weights, .*; leave centring at 0"):
        pretraining(dbm(X, 2, 2), chains=2, centring=0.1)[0].objective({"x": ROWS}, None)
