"""Annealed importance sampling against enumeration, exact inference, and a Boltzmann machine of known log Z."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import (
    AIS,
    BayesianNetwork,
    ConvergenceWarning,
    EvidenceError,
    Field,
    Group,
    LoopyBP,
    NoisyOr,
    PlanError,
    ShapeError,
    Tabular,
    Variable,
    grid,
    infer,
    log_evidence,
)
from pgm.approximate.annealed.exactly import exact_states
from pgm.approximate.annealed.path import Tempered
from pgm.fields.answers import Solved
from pgm.fields.testing import random_field, worlds
from pgm.testing import random_case

DATA = os.environ.get("DEEPGEN_DATA", "")
RUNS = 100
rough = pytest.mark.filterwarnings("ignore::pgm.ConvergenceWarning")  # few chains and steps, on purpose
QUIET = AIS(chains=20, temperatures=5, sweeps=1, tolerance=np.inf, progress=False)


def repeated(field: Field, runs: int = RUNS) -> Field:
    """One row many times: as many independent runs at once."""
    assert field.constant is not None
    return replace(field, unary=field.unary.expand(runs, -1), constant=field.constant.expand(runs))


def noted(found: Solved, name: str) -> Tensor:
    return torch.tensor(found.diagnostics[name], dtype=torch.float64)


def at_most(values: Tensor, bound: float, errors: float = 4.0) -> bool:
    """Whether a mean is at most a bound, within 4 of its standard errors."""
    return bool(values.mean() <= bound + errors * values.std() / len(values) ** 0.5)


def near(values: Tensor, truth: float) -> bool:
    """Whether a mean is a truth, within 4 of its standard errors."""
    return at_most(values, truth) and at_most(-values, -truth)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]), st.integers(0, 1))
@settings(max_examples=5)
def test_weights_are_unbiased_with_zeros_and_wide_factors(seed: int, zeros: float, trains: int) -> None:
    """5,000 chains with few temperatures: the mean weight is Z within 4 of its standard errors."""
    field = random_field(seed, variables=5, rows=2, zeros=zeros, trains=trains)
    found = replace(QUIET, chains=5_000, reverse=False).solve(field)
    off = (noted(found, "log_evidence_forward") - worlds(field).log_z).exp() - 1
    assert (off.abs() < 4.5 * noted(found, "log_evidence_error")).all()


@pytest.mark.parametrize("base", ["uniform", "marginals", "probabilities"])
def test_weights_are_unbiased_from_any_base(base: str) -> None:
    field = random_field(6, variables=5, zeros=0.1, trains=1)
    probabilities = torch.rand(field.unary.shape[1], generator=torch.Generator().manual_seed(0))
    bases = {"uniform": "uniform", "marginals": Enumerated(), "probabilities": probabilities}
    found = replace(QUIET, chains=5_000, reverse=False, base=bases[base]).solve(field)  # type: ignore[arg-type]
    off = (noted(found, "log_evidence_forward") - worlds(field).log_z).exp() - 1
    assert (off.abs() < 4 * noted(found, "log_evidence_error")).all()


class Enumerated:
    """An engine that a base distribution can come from."""

    def solve(self, field: Field) -> Solved:
        all_ = worlds(field)
        return Solved(all_.marginals, all_.log_z, all_.joint)


@rough
def test_the_way_back_is_unbiased_from_exact_samples() -> None:
    """The mean of exp(-reverse) over 100 runs is 1 / Z."""
    field = random_field(3, variables=5)
    found = QUIET.solve(repeated(field))
    assert set(found.diagnostics["reverse_from"]) == {"exact"}
    assert near((worlds(field).log_z - noted(found, "log_evidence_reverse")).exp(), 1.0)


@rough
@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_the_truth_lies_between_the_two_on_average(zeros: float) -> None:
    field = random_field(8, variables=6, zeros=zeros, strength=1.5)
    found, truth = replace(QUIET, chains=3).solve(repeated(field)), worlds(field).log_z.item()
    forward, back = noted(found, "log_evidence_forward"), noted(found, "log_evidence_reverse")
    assert at_most(forward, truth)
    assert at_most(-back, -truth)


@rough
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """At least 95% of 100 runs, less 4 standard errors of such a share."""
    field = random_field(5, variables=6, zeros=0.1)
    found, truth = QUIET.solve(repeated(field)), worlds(field).log_z.item()
    inside = (noted(found, "interval_low") <= truth) & (truth <= noted(found, "interval_high"))
    assert inside.double().mean() > 0.95 - 4 * (0.95 * 0.05 / RUNS) ** 0.5


@rough
def test_errors_of_probabilities_are_as_large_as_they_say() -> None:
    """Over 200 runs the mean of (estimate - truth)^2 is that of the stated variances, within a factor of 1.3.

    Errors of probabilities near 0 and 1 are larger, for what no chain came by.
    """
    field = random_field(11, variables=5, zeros=0.1)
    found, all_ = replace(QUIET, chains=100, temperatures=20, sweeps=3).solve(repeated(field, 200)), worlds(field)
    assert found.errors is not None
    assert found.joint_errors is not None
    for mean, error, truth in [
        (found.marginals, found.errors, all_.marginals),
        (found.joint((0, 3)), found.joint_errors((0, 3)), all_.joint((0, 3))),
    ]:
        uncertain = (truth[0] > 0.01) & (truth[0] < 0.99)
        ratio = ((mean - truth) ** 2).mean(0)[uncertain] / (error**2).mean(0)[uncertain]
        middling = (truth[0][uncertain] > 0.2) & (truth[0][uncertain] < 0.8)
        assert (ratio[middling] > 1 / 1.3).all()
        assert (ratio < 1.3).all()


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=5)
def test_answers_about_models_are_near_exact_ones(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    engine = AIS(chains=500, temperatures=50, sweeps=20, tolerance=np.inf, progress=False)
    found = infer(model, given=seen, likelihood=likelihood, engine=engine)
    expected = infer(model, given=seen, likelihood=likelihood)
    error = found.diagnostics.get("log_evidence_error", 0.0)
    assert abs(found.log_evidence - expected.log_evidence) <= 5 * error + 1e-9
    for name in model.graph.names:
        off = (found[name] - expected[name]).abs()
        assert (off <= 5 * found.standard_error(name) + 1e-9).all()


def test_a_field_without_variables_is_its_constant() -> None:
    empty = Field(torch.zeros(0, dtype=torch.long), torch.zeros(2, 0), constant=torch.tensor([1.5, -2.0]))
    assert AIS().solve(empty).log_evidence.tolist() == [1.5, -2.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nats", [690.0, 2000.0])
def test_numbers_that_would_underflow_come_back(dtype: torch.dtype, nats: float) -> None:
    """A state of weight e^-nats whose factor gives it back: log Z is that of two spins with a slight pull."""
    unary = torch.tensor([[-nats, 0.0, 0.0, -1.0]], dtype=torch.float64)
    pair = Group(torch.tensor([[0, 1]]), torch.tensor([[[[nats, nats], [0.0, -0.5]]]], dtype=torch.float64))
    field = Field(torch.tensor([2, 2]), unary, (pair,))
    found = AIS(chains=200, temperatures=50, dtype=dtype, base="uniform", progress=False).solve(field)
    assert exact_states(field.to(dtype=dtype), 3, [0], 0) is None  # its tables would have zeros instead
    error = 5 * found.diagnostics["log_evidence_error"][0] + nats * torch.finfo(dtype).eps * 100
    assert abs(float(found.log_evidence) - float(worlds(field).log_z)) < error


def test_causes_of_a_wide_noisy_or() -> None:
    causes = [Variable(f"c{k}") for k in range(12)]
    child = Variable("child")
    model = BayesianNetwork(
        *(Tabular(cause, [], [0.8, 0.2]) for cause in causes), NoisyOr(child, causes, [0.5] * 12, leak=0.0)
    )
    found = infer(model, given={"child": ["1", "0"]}, engine=AIS(chains=400, temperatures=100, progress=False))
    expected = infer(model, given={"child": ["1", "0"]})
    assert found.diagnostics["converged"] == [True, True]
    assert ((found.log_evidence - expected.log_evidence).abs() < 0.05).all()
    assert ((found["c0"] - expected["c0"]).abs() <= 5 * found.standard_error("c0") + 1e-9).all()


def test_a_base_by_name() -> None:
    model, seen, _ = random_case(7, "markov")
    names = [name for name in model.graph.names if name not in seen]
    base = {name: np.full(model[name].size, 1 / model[name].size) for name in names}
    plain = AIS(chains=1000, temperatures=20, progress=False)
    one = infer(model, given=seen, engine=replace(plain, base=base))
    two = infer(model, given=seen, engine=replace(plain, base="uniform"))
    assert one.log_evidence == pytest.approx(two.log_evidence.item(), abs=1e-9)


def test_evidence_known_to_be_impossible_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="AIS: the evidence {'b': '1'} has probability 0"):
        infer(model, ["a"], given={"b": "1"}, engine=QUIET)
    found = infer(model, ["a"], given={"b": ["1", "0"]}, engine=QUIET, impossible="nan")
    assert found["a"][0].isnan().all()
    assert found.log_evidence.tolist() == [-np.inf, pytest.approx(0.0)]


def test_what_cannot_be_known_to_be_impossible_is_no_number() -> None:
    """Three variables of two states that all differ."""
    differ = torch.tensor([[-torch.inf, 0.0], [0.0, -torch.inf]])[None, None]
    field = Field(torch.tensor([2, 2, 2]), torch.zeros(1, 6), (Group(torch.tensor([[0, 1], [1, 2], [0, 2]]), differ),))
    with pytest.warns(ConvergenceWarning, match="row 0: all chains ended in impossible states"):
        found = QUIET.solve(field)
    assert found.log_evidence.isnan().all()
    assert found.marginals.isnan().all()
    assert found.diagnostics["converged"] == [False]


def test_too_few_temperatures_are_told() -> None:
    with pytest.warns(
        ConvergenceWarning, match="AIS: 1 of 1 rows did not settle; row 0: the way up says .* effective chains"
    ):
        found = AIS(chains=10, temperatures=2).solve(random_field(0, variables=12, strength=4.0))
    assert found.diagnostics["converged"] == [False]


def test_ctrl_c_jumps_to_the_end_and_stays_unbiased(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, calls = Tempered.moved, iter([None] * 3 + [KeyboardInterrupt])

    def interrupted(*args: object) -> object:
        if next(calls, None):
            raise KeyboardInterrupt
        return moved(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Tempered, "moved", interrupted)
    field = random_field(5, variables=5)
    found = replace(QUIET, chains=5_000, temperatures=10, reverse=False).solve(field)
    assert found.diagnostics["interrupted"] == [True]
    off = (found.log_evidence - worlds(field).log_z).exp() - 1
    assert (off.abs() < 4 * noted(found, "log_evidence_error")).all()


def test_seeds_reproduce_and_single_precision_is_near() -> None:
    field = random_field(2, variables=5, trains=1)
    one, same = QUIET.solve(field), QUIET.solve(field)
    assert torch.equal(one.log_evidence, same.log_evidence)
    assert torch.equal(one.marginals, same.marginals)
    other = replace(QUIET, seed=1).solve(field)
    assert not torch.equal(one.log_evidence, other.log_evidence)
    single = replace(QUIET, chains=2000, dtype=torch.float32).solve(field)
    assert single.log_evidence.dtype == torch.float32
    off = (single.log_evidence - worlds(field).log_z).abs()
    assert (off < 4 * noted(single, "log_evidence_error") + 1e-4).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"chains": 1}, "AIS: chains is 1, expected 2 or more."),
        ({"sweeps": 0}, "AIS: sweeps is 0, expected 1 or more."),
        ({"temperatures": 0}, "AIS: temperatures is 0, expected a number of steps, or powers that rise from 0 to 1."),
        ({"temperatures": [0.5, 1.0]}, "AIS: temperatures is"),
        ({"base": "flat"}, "AIS: base is 'flat', expected 'beliefs', 'unary', 'uniform', probabilities, or an engine"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], text: str) -> None:
    with pytest.raises(PlanError, match=text.replace("(", r"\(")):
        AIS(**options)  # type: ignore[arg-type]


def test_bases_that_do_not_fit_are_named() -> None:
    field = grid(torch.zeros(2, 2, 2), torch.zeros(2, 2))
    with pytest.raises(ShapeError, match=r"AIS: base has shape \(3,\), expected \(8,\) or \(1, 8\)"):
        AIS(base=torch.ones(3)).solve(field)
    with pytest.raises(ShapeError, match=r"AIS: base of 'x' has shape \(3,\), expected \(2,\), one a state."):
        AIS(base={"x": [0.2, 0.3, 0.5]}).solve(replace(field, names=tuple("xyzw")))


def test_models_without_unknowns_need_no_chains() -> None:
    rain = Variable("rain")
    model = BayesianNetwork(Tabular(rain, [], [0.25, 0.75]))
    assert log_evidence(model, given={"rain": "1"}, engine=QUIET).exp().item() == pytest.approx(0.75)


@pytest.mark.skipif(not DATA, reason="DEEPGEN_DATA is not set")
def test_a_trained_boltzmann_machine_of_known_log_z() -> None:
    """784 visible and 15 hidden units; log Z by enumeration of the hidden ones. The base is the data's mean image."""
    known = 215.138405525317
    with np.load(Path(DATA) / "rbm_784x15.npz") as file, np.load(Path(DATA) / "mnist_static_binary.npz") as images:
        field = machine(*(torch.from_numpy(file[name]) for name in ("weights", "visible_bias", "hidden_bias")))
        mean = torch.from_numpy(np.unpackbits(images["train"], axis=1)[:, :784].mean(0)).clamp(0.02, 0.98)
    on = torch.cat([mean, torch.full((15,), 0.5)])
    base = torch.stack([1 - on, on], 1).flatten()
    found = AIS(chains=100, temperatures=600, base=base, tolerance=3.0, sweeps=20, progress=False).solve(field)
    assert found.diagnostics["interval_low"][0] <= known <= found.diagnostics["interval_high"][0]
    assert abs(found.log_evidence.item() - known) < 0.5


@pytest.mark.skipif(not DATA, reason="DEEPGEN_DATA is not set")
def test_the_same_machine_as_anyone_would_ask() -> None:
    """Defaults, in fewer steps."""
    with np.load(Path(DATA) / "rbm_784x15.npz") as file:
        field = machine(*(torch.from_numpy(file[name]) for name in ("weights", "visible_bias", "hidden_bias")))
    found = AIS(temperatures=300, progress=False).solve(field)
    assert found.diagnostics["interval_low"][0] <= 215.138405525317 <= found.diagnostics["interval_high"][0]
    assert abs(found.log_evidence.item() - 215.138405525317) < 0.5


@pytest.mark.skipif(not DATA, reason="DEEPGEN_DATA is not set")
def test_the_same_machine_from_what_loopy_belief_propagation_says_of_it() -> None:
    with np.load(Path(DATA) / "rbm_784x15.npz") as file:
        field = machine(*(torch.from_numpy(file[name]) for name in ("weights", "visible_bias", "hidden_bias")))
    engine = AIS(chains=50, temperatures=100, base=LoopyBP(), sweeps=5, reverse=False, progress=False)
    found = engine.solve(field)
    assert found.diagnostics["effective_samples"][0] > 40
    assert abs(found.log_evidence.item() - 215.138405525317) < 4 * found.diagnostics["log_evidence_error"][0]


def machine(weights: Tensor, visible: Tensor, hidden: Tensor) -> Field:
    """A restricted Boltzmann machine as a field of pairs."""
    tables = torch.zeros(1, weights.numel(), 2, 2, dtype=torch.float64)
    tables[0, :, 1, 1] = weights.flatten()
    pairs = torch.cartesian_prod(torch.arange(len(visible)), len(visible) + torch.arange(len(hidden)))
    on = torch.cat([visible, hidden])
    unary = torch.stack([torch.zeros_like(on), on], 1).reshape(1, -1)
    return Field(torch.full((len(on),), 2), unary, (Group(pairs, tables),))


@pytest.mark.gpu
def test_it_works_where_it_is_told_to() -> None:
    field = random_field(5, variables=5, trains=1)
    found = AIS(chains=2000, temperatures=50, device="cuda").solve(field)
    off = (found.log_evidence.cpu() - worlds(field).log_z).abs()
    assert (off < 4 * noted(found, "log_evidence_error")).all()
