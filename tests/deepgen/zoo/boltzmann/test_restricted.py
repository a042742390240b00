"""Restricted machines: gradients of every way to learn, units of every kind, labels, what is missing."""

from collections.abc import Callable
from itertools import product
from math import lgamma

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import pgm
from deepgen import (
    Machine,
    Phase,
    adam,
    arrays,
    completed,
    contrastive_divergence,
    discriminative,
    fast_persistent,
    fit,
    label_log_prob,
    log_likelihood,
    log_z,
    persistent,
    rbm,
    recentre,
    sgd,
    sparse,
    tempered,
)
from deepgen.potentials import Bias, Coupling, Total, Width
from deepgen.potentials.linear import count
from deepgen.zoo.boltzmann import expanded, sweep
from deepgen.zoo.boltzmann.fast import Fast
from deepgen.zoo.boltzmann.tempering import swapped
from pgm import Binary, Count, Model, OneHot, Real, Variable

V, LABEL = Variable("v", Binary(3)), Variable("label", range(3))
RATINGS, WORDS, NUMBERS = Variable("v", OneHot(3, 2)), Variable("v", Count(3)), Variable("v", Real(2))
ROWS = {
    "bits": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
    "ratings": torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]]),
    "counts": torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]),
    "numbers": torch.tensor([[0.5, -1.0], [1.5, 0.3]]),
}


def shaken(machine: Machine, seed: int) -> Machine:
    """Biases and widths drawn anew, centres too."""
    torch.manual_seed(seed)
    for term in machine.model.terms:
        if isinstance(term, Bias):
            torch.nn.init.normal_(term.bias)
        if isinstance(term, Coupling) and not isinstance(term.scope[0].domain, OneHot):
            term.centre.uniform_(), term.other_centre.uniform_()
        if isinstance(term, Width):
            torch.nn.init.uniform_(term.log_deviation, -0.3, 0.1)
    return machine


def of_kind(kind: str, seed: int = 0) -> Machine:
    """A machine with two hidden units that sees what the rows of that kind are."""
    torch.manual_seed(seed)
    x = {"bits": V, "ratings": RATINGS, "counts": WORDS, "numbers": NUMBERS}[kind]
    return shaken(rbm(x, 2, deviation=0.7, learned_widths=True, total=3 if kind == "counts" else None), seed)


def slopes(loss: Tensor, machine: Machine) -> Tensor:
    """The gradient in all parameters, end to end."""
    parameters = [p for p in machine.model.parameters() if p.requires_grad]
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, materialize_grads=True)]).double()


WAYS = {
    "contrastive": (contrastive_divergence, {"steps": 15}),
    "persistent": (persistent, {"steps": 15, "chains": 400}),
    "fast": (fast_persistent, {"steps": 15, "chains": 400, "fast_rate": 0.0}),
    "tempered": (tempered, {"steps": 6, "chains": 400, "temperatures": 3}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ROWS)
def test_every_way_has_the_gradient_of_the_likelihood(way: str, kind: str) -> None:
    """After many sweeps, for every kind of units; widths too. Within five standard errors of fifteen steps."""
    machine, rows = of_kind(kind), ROWS[kind]
    expected = slopes(-log_likelihood(machine, {"v": rows}).mean(), machine)
    learn, options = WAYS[way]
    phase: Phase = learn(machine, **options)
    batch = {"v": rows.repeat_interleave(200, 0)}
    torch.manual_seed(1)
    found = torch.stack([slopes(phase.objective(batch, None)["free energy gap"], machine) for _ in range(15)])
    assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / 15**0.5 + 1e-6).all()


@settings(max_examples=6)
@given(st.integers(0, 1000), st.floats(0, 1), st.booleans(), st.sampled_from([1.0, 2.0]))
def test_moving_centres_changes_no_probability(seed: int, share: float, label: bool, temperature: float) -> None:
    machine = shaken(rbm(V, 2, label=LABEL if label else None, deviation=1.0, temperature=temperature), seed)
    seen = {"v": torch.tensor(list(product((0.0, 1.0), repeat=3))), "label": torch.arange(8) % 3}
    seen = {v.name: seen[v.name] for v in machine.visible}
    before = log_likelihood(machine, seen).detach()
    recentre(machine, {"v": torch.rand(3), "h": torch.rand(2), "label": torch.rand(3)}, share)
    torch.testing.assert_close(log_likelihood(machine, seen).detach(), before, atol=1e-5, rtol=1e-5)


def test_a_machine_begins_at_the_mean_of_the_data() -> None:
    machine = rbm(V, 2, deviation=0.0, mean=torch.tensor([0.2, 0.5, 0.9]))
    found = pgm.infer(expanded(machine), [f"v[{n}]" for n in range(3)])
    assert [found[f"v[{n}]"][1].item() for n in range(3)] == pytest.approx([0.2, 0.5, 0.9], abs=1e-6)


def test_centred_gradients_are_covariances() -> None:
    """With centres at the means of the data the gradient of a weight is a difference of covariances, by enumeration."""
    machine, rows = of_kind("bits"), ROWS["bits"]
    phase = contrastive_divergence(machine, centring=1.0)
    phase.objective({"v": rows}, None)
    (coupling,) = (term for term in machine.model.terms if isinstance(term, Coupling))
    torch.testing.assert_close(coupling.centre, rows.mean(0))
    _, fields = machine.summed(machine.state({"v": rows}), ["h"])
    h = fields["h"].sigmoid()
    coupling.other_centre = h.detach().mean(0)
    (found,) = torch.autograd.grad(machine.free_energy({"v": rows}).mean(), [coupling.weight])
    h = machine.summed(machine.state({"v": rows}), ["h"])[1]["h"].sigmoid()
    expected = -((rows - coupling.centre).T @ (h - coupling.other_centre)) / 2
    torch.testing.assert_close(found, expected)


def test_centres_move_while_gradients_are_taken_where_they_were() -> None:
    """The step along a gradient is that of the centres before; the machine does not notice that they move."""
    moving, resting = of_kind("bits"), of_kind("bits")
    found = []
    for machine, share in ((moving, 0.5), (resting, 0.0)):
        torch.manual_seed(0)
        found.append(
            slopes(
                contrastive_divergence(machine, centring=share).objective({"v": ROWS["bits"]}, None)["free energy gap"],
                machine,
            )
        )
    torch.testing.assert_close(*found)
    torch.testing.assert_close(
        log_likelihood(moving, {"v": ROWS["bits"]}), log_likelihood(resting, {"v": ROWS["bits"]}), atol=1e-5, rtol=1e-5
    )


def test_looking_at_rows_leaves_centres_chains_and_fast_weights_as_they_are() -> None:
    machine = of_kind("bits")
    for learn in (persistent, fast_persistent, tempered):
        phase = learn(machine, chains=5, centring=0.5)
        held = {name: module.state_dict() for name, module in phase.modules.items()}
        before = {(name, key): x.clone() for name, state in held.items() for key, x in state.items()}
        machine.model.eval()
        phase.objective({"v": ROWS["bits"]}, None)
        machine.model.train()
        assert all(torch.equal(x, held[name][key]) for (name, key), x in before.items())


def test_fast_weights_follow_gradients_and_fade() -> None:
    machine = of_kind("bits")
    phase = fast_persistent(machine, chains=50, fast_rate=0.1, fast_decay=0.5)
    fast = phase.modules["fast"]
    assert isinstance(fast, Fast)
    first = slopes(phase.objective({"v": ROWS["bits"]}, None)["free energy gap"], machine).float()
    torch.testing.assert_close(torch.cat([x.flatten() for x in fast.buffers()]), -0.1 * first)
    second = slopes(phase.objective({"v": ROWS["bits"]}, None)["free energy gap"], machine).float()
    torch.testing.assert_close(torch.cat([x.flatten() for x in fast.buffers()]), -0.05 * first - 0.1 * second)


def test_swaps_leave_every_temperature_as_it_is() -> None:
    """From exact draws at three temperatures, shares of all 32 states after swaps: within five standard errors."""
    machine, rows, powers = of_kind("bits", 3), 20_000, torch.tensor([0.0, 0.5, 1.0])
    states = torch.tensor(list(product((0.0, 1.0), repeat=5)))
    scores = machine.linear({"v": states[:, :3], "h": states[:, 3:]}).detach().double()
    p = (powers[:, None] * scores).softmax(-1)
    torch.manual_seed(0)
    begun = states[torch.multinomial(p, rows, replacement=True)]
    found, shares = swapped(machine, {"v": begun[..., :3], "h": begun[..., 3:]}, powers)
    place = (torch.cat([found["v"], found["h"]], -1) * 2 ** torch.arange(4, -1, -1)).sum(-1).long()
    counted = torch.stack([torch.bincount(row, minlength=32) for row in place]) / rows
    assert ((counted - p).abs() <= 5 * (p * (1 - p) / rows).sqrt() + 1e-12).all()
    gains = 0.5 * (scores[:, None] - scores[None]).double()
    expected = torch.stack([(p[n][:, None] * p[n + 1] * gains.exp().clamp(max=1)).sum() for n in (0, 1)])
    assert (shares[0] - expected[0]).abs() < 5 * (expected[0] / rows) ** 0.5
    assert 0 < shares[1] < 1


def test_sparsity_costs_what_it_says() -> None:
    machine = of_kind("bits")
    hidden = machine.summed(machine.state({"v": ROWS["bits"]}), ["h"])[1]["h"].sigmoid()
    terms = contrastive_divergence(machine, penalty=sparse(0.2, 3.0)).objective({"v": ROWS["bits"]}, None)
    assert list(terms) == ["loss", "free energy gap", "penalty"]
    torch.testing.assert_close(terms["penalty"], 3 * (hidden.mean(0) - 0.2).square().sum())
    torch.testing.assert_close(terms["loss"], terms["free energy gap"] + terms["penalty"])


def test_sparsity_makes_units_rare() -> None:
    torch.manual_seed(0)
    data = arrays("noise", v=(torch.rand(200, 3) < 0.5).float())
    shares = []
    for penalty in (None, sparse(0.05, 20.0)):
        machine = of_kind("bits")
        fit(
            contrastive_divergence(machine, penalty=penalty, optimiser=adam(0.1)),
            data,
            turns=40,
            batch=50,
            device="cpu",
        )
        shares.append(machine.summed(machine.state({"v": data["v"]}), ["h"])[1]["h"].sigmoid().mean().item())
    assert shares[1] < 0.12 < shares[0]


def as_single(machine: Machine) -> Machine:
    """A machine of choices side by side with a finite variable for each."""
    coupling = next(t for t in machine.model.terms if isinstance(t, Coupling))
    bias = next(t for t in machine.model.terms if isinstance(t, Bias) and t.scope == (RATINGS,))
    films = [Variable(f"film{n}", 2) for n in range(3)]
    h = machine.model["h"]
    terms: list[Bias | Coupling] = [t for t in machine.model.terms if isinstance(t, Bias) and t.scope == (h,)]
    for n, film in enumerate(films):
        terms += [Bias(film), Coupling(film, h)]
        with torch.no_grad():
            terms[-2].bias.copy_(bias.bias[2 * n : 2 * n + 2])
            terms[-1].weight.copy_(coupling.weight[2 * n : 2 * n + 2])
    return Machine(Model(*terms), tuple(films))


def test_choices_side_by_side_are_variables_with_states() -> None:
    machine = of_kind("ratings")
    single, rows = as_single(machine), ROWS["ratings"]
    seen = {f"film{n}": rows[:, n].argmax(-1) for n in range(3)}
    torch.testing.assert_close(machine.free_energy({"v": rows}), single.free_energy(seen))
    assert log_z(machine) == pytest.approx(log_z(single), abs=1e-6)


def test_a_missing_rating_is_guessed_as_exact_inference_does() -> None:
    """One film not seen (zeros), one to be guessed, in ten chains: within five standard errors of their mean."""
    machine = of_kind("ratings", 2)
    single = as_single(machine)
    without = Machine(
        Model(*(t for t in single.model.terms if all(v.name != "film2" for v in t.scope))), single.visible[:2]
    )
    exact = pgm.infer(expanded(without), ["film1"], given={"film0": "1"})["film1"]
    known = torch.tensor([[0.0, 1.0], [torch.nan, torch.nan], [0.0, 0.0]])
    found = completed(machine, {"v": known}, sweeps=150, rows=10)["v"]
    assert torch.equal(found[:, [0, 2]], known[[0, 2]].expand(10, 2, 2))
    error = found[:, 1, 1].std() / 10**0.5
    assert abs(found[:, 1, 1].mean() - exact[1].item()) < 5 * error


def test_absent_choices_stay_absent_and_say_nothing() -> None:
    machine = of_kind("ratings")
    rows = torch.tensor([[[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]])
    bias = next(t for t in machine.model.terms if isinstance(t, Bias) and t.scope == (RATINGS,))
    loss = contrastive_divergence(machine).objective({"v": rows.expand(50, 3, 2)}, None)["free energy gap"]
    (found,) = torch.autograd.grad(loss, [bias.bias])
    assert bool((found[2:] == 0).all())
    assert bool((found[:2] != 0).any())


def test_counts_sum_to_their_total_and_weigh_as_many_ways() -> None:
    machine = of_kind("counts")
    every = [row for row in product(range(4), repeat=3) if sum(row) == 3]
    rows, ways = torch.tensor(every).float(), [lgamma(4) - sum(lgamma(n + 1) for n in row) for row in every]
    torch.testing.assert_close(Total(WORDS, 3).log_prob(rows), torch.tensor(ways))
    brute = (-machine.free_energy({"v": rows})).double().logsumexp(0).item()
    assert brute == pytest.approx(log_z(machine), abs=1e-5)
    assert bool((machine.units("v").draw(torch.randn(50, 3)).sum(-1) == 3).all())


def of_length(machine: Machine, total: int) -> Machine:
    found = rbm(WORDS, count(machine.hidden[0]), total=total)
    found.model.load_state_dict(machine.model.state_dict())
    return found


def test_documents_of_different_lengths_keep_them_and_are_drawn_as_by_a_machine_of_that_length() -> None:
    """Shares of all documents of 1 and of 3 words after Gibbs sweeps of both together, beside exact probabilities:
    within five standard errors of a share."""
    free, rows = shaken(rbm(WORDS, 2, deviation=0.7), 5), 6000
    begun = torch.tensor([[0.0, 0.0, 1.0], [0.0, 3.0, 0.0]]).repeat(rows, 1)
    torch.manual_seed(0)
    state = {"v": begun}
    for _ in range(20):
        state = sweep(free, state, ["h", "v"])
    assert torch.equal(state["v"].sum(-1), begun.sum(-1))
    for total, found in ((1, state["v"][::2]), (3, state["v"][1::2])):
        fixed = of_length(free, total)
        every = torch.tensor([row for row in product(range(4), repeat=3) if sum(row) == total]).float()
        p = (-fixed.free_energy({"v": every}).double() - log_z(fixed)).exp()
        torch.testing.assert_close(fixed.free_energy({"v": every}), free.free_energy({"v": every}))
        shares = (found[:, None] == every).all(-1).double().mean(0)
        assert ((shares - p).abs() < 5 * (p * (1 - p) / rows).sqrt()).all()


def test_documents_of_different_lengths_have_the_gradient_of_each_given_its_length() -> None:
    """That of a machine of each length with the same parameters. Within five standard errors of fifteen steps."""
    machine, rows = shaken(rbm(WORDS, 2, deviation=0.7), 0), torch.tensor([[0.0, 1.0, 0.0], [3.0, 0.0, 1.0]])
    each = [(of_length(machine, total), row) for total, row in zip((1, 4), rows, strict=True)]
    expected = sum(slopes(-log_likelihood(one, {"v": row[None]}).mean() / 2, one) for one, row in each)
    phase, batch = contrastive_divergence(machine, 15), {"v": rows.repeat_interleave(200, 0)}
    torch.manual_seed(1)
    found = torch.stack([slopes(phase.objective(batch, None)["free energy gap"], machine) for _ in range(15)])
    assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / 15**0.5 + 1e-6).all()


@settings(max_examples=6)
@given(st.integers(0, 1000))
def test_labels_given_pixels_are_those_of_exact_inference(seed: int) -> None:
    machine = shaken(rbm(V, 2, label=LABEL, deviation=1.0), seed)
    found = label_log_prob(machine, LABEL, {"v": torch.tensor([[1.0, 0.0, 1.0]])}).double().exp()
    exact = pgm.infer(expanded(machine), ["label"], given={"v[0]": "1", "v[1]": "0", "v[2]": "1"})["label"]
    torch.testing.assert_close(found[0], torch.as_tensor(exact), atol=1e-5, rtol=1e-5)


def test_a_machine_learns_to_tell_labels() -> None:
    rows = torch.tensor(list(product((0.0, 1.0), repeat=3)))
    data = arrays("parity of two", v=rows, label=(rows[:, 0] != rows[:, 1]).long())
    label = Variable("label", 2)
    torch.manual_seed(0)
    machine = rbm(V, 4, label=label, deviation=0.5)
    hybrid = (contrastive_divergence(machine, optimiser=sgd(0.01)), discriminative(machine, label, optimiser=adam(0.2)))
    fit(hybrid, data, turns=80, batch=8, device="cpu", progress=False)
    assert torch.equal(label_log_prob(machine, label, {"v": rows}).argmax(-1), data["label"])


def test_weights_decay_and_biases_do_not() -> None:
    weight, bias = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    optimiser = sgd(0.5, momentum=0.9, decay=0.1)([weight, bias])
    weight.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimiser.step()
    torch.testing.assert_close(weight.data, torch.full((2, 2), 0.95))
    torch.testing.assert_close(bias.data, torch.ones(2))


PART = torch.tensor([[0.0, torch.nan], [1.0, 0.0], [0.0, 0.0]])
REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        lambda: persistent(rbm(WORDS, 2)),
        r"each row has its own total, which is not known here; give the machine a total",
    ),
    (lambda: log_z(rbm(WORDS, 2)), r"each row has its own total"),
    (lambda: rbm(V, 2, total=3), r"'v' is Binary\(3\), expected Count, numbers of things"),
    (lambda: rbm(V, 2, mean=torch.zeros(4)), r"mean has shape \(4,\), expected \(3,\), that of 'v'"),
    (lambda: Total(WORDS, 0), "total is 0, expected 1 or more"),
    (lambda: tempered(of_kind("bits"), temperatures=1), "temperatures is 1, expected 2 or more"),
    (lambda: tempered(rbm(V, 2, given=Variable("u", Real(2)))), "tempered: u is given, and chains are of no row"),
    (lambda: label_log_prob(of_kind("bits"), LABEL, {}), "is no visible variable of Machine"),
    (lambda: completed(of_kind("bits"), {}, sweeps=0), "sweeps is 0 and burn is 100, expected 1, 1 and 0"),
    (lambda: completed(of_kind("ratings"), {"v": PART}), "a choice of 'v' is partly missing"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
