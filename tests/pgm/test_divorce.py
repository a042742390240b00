"""Wide causes and counts answer exactly without their tables, and as their tables do."""

from math import comb, log, prod
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Cardinality,
    ConditionalLinearGaussian,
    MarkovNetwork,
    Model,
    NoisyAnd,
    NoisyMax,
    NoisyOr,
    Parity,
    PlanError,
    Real,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    plan_for,
    sample,
    save,
)
from pgm.divorce import divorced
from pgm.errors import FileError
from pgm.terms import Local


def tabled(model: Model) -> Model:
    """The same model with plain tables, which no chain replaces."""
    terms: list[Local] = []
    for term in model.terms:
        values = term.factor().values.detach()
        directed = term.scope[-1].name in model.conditionals and term in model.conditionals.values()
        terms.append(Tabular(term.scope[-1], term.scope[:-1], values) if directed else Table(term.scope, values))
    return Model(*terms, variables=model.variables)


def wide_model(seed: int, width: int) -> Model:
    """Causes that share parents listed in any order, a count and a parity check, some of the numbers zero."""
    rng = np.random.default_rng(seed)
    xs = [Variable(f"x{k}", 2) for k in range(width)]
    roots: list[Local] = [Tabular(x, [], rng.dirichlet([2.0, 1.0])) for x in xs]
    any_, all_, level = Variable("any"), Variable("all"), Variable("level", ["none", "some", "much"])
    strengths = rng.uniform(0, 1, (2, width)) * (rng.random((2, width)) < 0.8)
    effects = list(rng.dirichlet(np.ones(3), (width, 2)))
    shuffled = [[xs[k] for k in rng.permutation(width)] for _ in range(3)]
    roots += [
        NoisyOr(any_, shuffled[0], strengths[0], leak=rng.choice([0.0, 0.1])),
        NoisyAnd(all_, shuffled[1], strengths[1], leak=rng.choice([0.0, 0.1])),
        NoisyMax(level, shuffled[2], effects, leak=[0.8, 0.2, 0.0]),
        Parity(shuffled[0], odd=bool(rng.random() < 0.5)),
        Cardinality(xs, rng.uniform(0.1, 1, 3)),
    ]
    return Model(*(roots[k] for k in rng.permutation(len(roots))), variables=[xs[0], level])


SEEN = [{}, {"any": "0"}, {"any": "1"}, {"all": "1", "level": "none"}, {"any": "0", "all": "0", "x1": "1"}]
CASES = (st.integers(0, 10_000), st.integers(5, 7), st.sampled_from(SEEN))


def with_chains(model: Model) -> Model:
    """The model, which is to use chains wherever these are smaller than tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pgm.model.WIDE", 16)
        assert model.wide
    return model


def pair(seed: int, width: int) -> tuple[Model, Model]:
    """A model with chains, and the same with tables."""
    model = with_chains(wide_model(seed, width))
    other = tabled(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pgm.model.WIDE", 2**20)
        assert not other.wide
    return model, other


@given(*CASES)
@settings(max_examples=6)
def test_answers_are_those_of_the_tables(seed: int, width: int, seen: dict[str, str]) -> None:
    model, other = pair(seed, width)
    expected, found = (infer(each, given=seen, impossible="nan") for each in (other, model))
    assert found.variables == model.variables
    torch.testing.assert_close(found.log_evidence, expected.log_evidence)
    for name in model.graph.names:
        torch.testing.assert_close(found[name], expected[name], equal_nan=True)
    joint = ("x0", "any", "x2")
    torch.testing.assert_close(
        infer(model, [joint], given={"level": "none"}, impossible="nan")[joint],
        infer(other, [joint], given={"level": "none"}, impossible="nan")[joint],
        equal_nan=True,
    )


@given(*CASES)
@settings(max_examples=6)
def test_best_states_are_those_of_the_tables(seed: int, width: int, seen: dict[str, str]) -> None:
    model, other = pair(seed, width)
    seen = seen if torch.isfinite(log_evidence(other, given=seen)) else {}
    for targets in (None, ["x0", "x1", "any"]):
        expected, found = (mpe(each, targets, given=seen, k=2) for each in (other, model))
        torch.testing.assert_close(found.log_prob, expected.log_prob)
        assert found.variables == expected.variables
    best = mpe(model, given=seen)
    torch.testing.assert_close(model.log_prob(best.assignment()), best.log_prob[0])


@given(st.integers(0, 10_000), st.integers(5, 7))
@settings(max_examples=5)
def test_rows_with_and_without_effects_and_with_missing_cells(seed: int, width: int) -> None:
    model, other = pair(seed, width)
    rows = {"any": [0, 1, 1, -1], "level": [0, 2, 0, 1]}
    seen = {name: torch.tensor(states) for name, states in rows.items()}
    expected, found = (infer(each, given=seen, impossible="nan") for each in (other, model))
    torch.testing.assert_close(found.log_evidence, expected.log_evidence)
    torch.testing.assert_close(found["x2"], expected["x2"], equal_nan=True)


def slopes(model: Model, seen: dict[str, torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The sum of the log evidence of rows, and its gradient in each parameter."""
    total = log_evidence(model, given=seen).sum()
    return total, list(torch.autograd.grad(total, list(model.parameters())))


@given(st.integers(0, 10_000), st.integers(5, 7))
@settings(max_examples=5)
def test_gradients_are_those_through_the_tables(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    xs, on, level = [Variable(f"x{k}") for k in range(width)], Variable("on"), Variable("level", 3)
    shuffled = [xs[k] for k in rng.permutation(width)]
    terms: list[Local] = [Tabular(x, [], rng.dirichlet([2.0, 1.0])) for x in xs]
    terms += [
        NoisyOr(on, shuffled, rng.uniform(0.1, 0.9, width), 0.1),
        NoisyMax(level, xs, list(rng.dirichlet(np.ones(3), (width, 2))), [0.7, 0.2, 0.1]),
        Cardinality(shuffled, rng.uniform(0.1, 1, 3)),
    ]
    seen = {"on": torch.tensor([0, 1, 1]), "level": torch.tensor([0, 0, 2])}
    total, found = slopes(with_chains(Model(*terms)), seen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pgm.model.WIDE", 2**20)
        plain = Model(*terms)
        assert not plain.wide
        expected_total, expected = slopes(plain, seen)
    torch.testing.assert_close(total, expected_total)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_changed_parameters_are_taken_up() -> None:
    xs, on = [Variable(f"x{k}") for k in range(20)], Variable("on")
    cause = NoisyOr(on, xs, [0.5] * 20, 0.0)
    model = BayesianNetwork(*(Tabular(x, [], [0.9, 0.1]) for x in xs), cause)
    for strength in (0.5, 0.2, 0.0, 1.0):
        with torch.no_grad():
            cause.strengths.fill_(strength)
        assert infer(model, ["on"])["on", "1"].item() == pytest.approx(1 - (1 - 0.1 * strength) ** 20, abs=1e-14)


def many_causes(count: int) -> tuple[BayesianNetwork, np.ndarray, np.ndarray]:
    """One effect of many independent causes, their probabilities, and their strengths."""
    rng = np.random.default_rng(0)
    prior, strengths = rng.uniform(0, 0.02, count), rng.uniform(0, 1, count)
    xs = [Variable(f"x{k}") for k in range(count)]
    roots = [Tabular(x, [], [1 - p, p]) for x, p in zip(xs, prior, strict=True)]
    return BayesianNetwork(*roots, NoisyOr(Variable("on"), xs, strengths, leak=0.01)), prior, strengths


def test_five_hundred_causes_against_the_closed_form() -> None:
    model, prior, strengths = many_causes(500)
    off = 0.99 * np.prod(1 - prior * strengths)
    found = infer(model, given={"on": ["1", "0"]})
    np.testing.assert_allclose(found.log_evidence.exp().numpy(), [1 - off, off], rtol=1e-12)
    absent = prior * (1 - strengths) / (1 - prior * strengths)  # p(cause | effect absent)
    present = (prior - absent * off) / (1 - off)  # by total probability
    causes = np.stack([found[f"x{k}"][:, 1].numpy() for k in range(500)], 1)
    np.testing.assert_allclose(causes, [present, absent], rtol=1e-9)


def test_absent_effects_are_easy() -> None:
    """Posteriors given absent effects alone are independent, however the causes are shared."""
    rng = np.random.default_rng(1)
    prior = rng.uniform(0, 0.1, 100)
    diseases = [Variable(f"d{k}") for k in range(100)]
    terms: list[Local] = [Tabular(d, [], [1 - p, p]) for d, p in zip(diseases, prior, strict=True)]
    odds = prior / (1 - prior)
    for number in range(60):
        chosen, strengths = rng.choice(100, 25, replace=False), rng.uniform(0, 1, 25)
        terms.append(NoisyOr(Variable(f"f{number}"), [diseases[k] for k in chosen], strengths, 0.05))
        odds[chosen] *= 1 - strengths
    found = infer(BayesianNetwork(*terms), given={f"f{number}": "0" for number in range(60)})
    ill = [found[f"d{k}", "1"].item() for k in range(100)]
    np.testing.assert_allclose(ill, odds / (1 + odds), rtol=1e-9)
    best = mpe(BayesianNetwork(*terms), given={f"f{number}": "0" for number in range(60)})
    assert list(best.assignment().values())[:100] == ["1" if p > 1 else "0" for p in odds]


def test_present_effects_cost_two_states_each() -> None:
    """The sum over subsets of the present effects, with signs, is quickscore's (Heckerman, 1990)."""
    rng = np.random.default_rng(2)
    prior = rng.uniform(0.01, 0.1, 40)
    diseases = [Variable(f"d{k}") for k in range(40)]
    strengths = rng.uniform(0, 0.9, (6, 40)) * (rng.random((6, 40)) < 0.5)
    terms: list[Local] = [Tabular(d, [], [1 - p, p]) for d, p in zip(diseases, prior, strict=True)]
    for number, row in enumerate(strengths):
        chosen = rng.permutation(np.flatnonzero(row))
        terms.append(NoisyOr(Variable(f"f{number}"), [diseases[k] for k in chosen], row[chosen], 0.02))
    total = 0.0
    for subset in range(2**6):
        absent = [number for number in range(6) if subset >> number & 1]
        weights = np.prod(1 - strengths[absent], axis=0)
        total += (-1) ** len(absent) * 0.98 ** len(absent) * np.prod(1 - prior + prior * weights)
    found = log_evidence(BayesianNetwork(*terms), given={f"f{number}": "1" for number in range(6)})
    assert found.item() == pytest.approx(log(total), abs=1e-8)


def test_a_hundred_bits_with_a_parity_check_and_a_count() -> None:
    rng = np.random.default_rng(3)
    bits, on = [Variable(f"b{k}") for k in range(100)], rng.uniform(0.01, 0.99, 100)
    roots = [Table([bit], [1 - p, p]) for bit, p in zip(bits, on, strict=True)]
    even = MarkovNetwork(*roots, Parity(bits))
    assert log_evidence(even).exp().item() == pytest.approx((1 + np.prod(1 - 2 * on)) / 2, rel=1e-12)
    best = mpe(even)
    likely = [str(int(p > 0.5)) for p in on]
    flips = sum(a != b for a, b in zip(best.assignment().values(), likely, strict=True))
    assert flips == sum(label == "1" for label in likely) % 2  # at most one bit changes sides, the least sure one
    few = MarkovNetwork(*(Table([bit], [1.0, 1.0]) for bit in bits), Cardinality(bits, [0, 0, 0, 1, 0]))
    assert log_evidence(few).item() == pytest.approx(log(comb(100, 3)), abs=1e-10)
    assert infer(few, ["b7"])["b7", "1"].item() == pytest.approx(0.03, abs=1e-12)


def test_samples_and_log_prob_of_five_hundred_causes() -> None:
    model, _, strengths = many_causes(500)
    drawn = sample(model, 4000, given={"on": "1"}, seed=0)
    exact = infer(model, given={"on": "1"})
    for name in ("x0", "x250"):
        p = exact[name, "1"].item()
        assert drawn[name].double().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / 4000) ** 0.5)
    assert len(sample(model, 10, seed=0)) == 10
    labels = {f"x{k}": str(int(k < 3)) for k in range(500)}
    roots = sum(model.conditionals[name].log_prob(torch.tensor(int(label))).item() for name, label in labels.items())
    expected = roots + log(0.99 * prod(1 - strengths[:3]))
    assert model.log_prob({**labels, "on": "0"}).item() == pytest.approx(expected, abs=1e-9)


def test_helpers_are_told_from_variables_of_the_same_name() -> None:
    xs = [Variable(f"x{k}") for k in range(7)]
    on, odd = Variable("on"), Variable("NoisyOr(on) after x0")
    model = BayesianNetwork(*(Tabular(x, [], [0.5, 0.5]) for x in (*xs, odd)), NoisyOr(on, xs, [0.5] * 7))
    names = divorced(model).graph.names
    assert names[:9] == model.graph.names
    assert names[9] == "NoisyOr(on) after x0'"
    assert infer(model, ["on"])["on", "0"].item() == pytest.approx(0.75**7, abs=1e-14)


def test_plans_and_reprs_stay_short() -> None:
    model, _, _ = many_causes(500)
    plan = plan_for(model, given=["on"])
    assert plan.operations < 2**15
    assert "NoisyOr(on) after x" in str(plan)
    assert repr(model.conditionals["on"]) == (
        "NoisyOr(on | x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 and 488 more)"
    )


def test_what_needs_the_table_says_so(tmp_path: Path) -> None:
    model, _, _ = many_causes(30)
    with pytest.raises(PlanError, match=r"NoisyOr\(on\): its table would have 2\^31 numbers, expected at most 2\^26"):
        model.factors()
    for suffix in (".bif", ".xml", ".uai", ".net"):
        with pytest.raises(FileError, match=r"would be a table of 2\^31 numbers, expected at most 2\^24"):
            save(model, tmp_path / f"wide{suffix}")
    assert not list(tmp_path.iterdir())


def test_wide_causes_beside_numbers() -> None:
    """A number depends on an effect of many causes: a mixture of two Gaussians, weighed by the closed form."""
    effects, prior, strengths = many_causes(100)
    height = Variable("height", Real())
    seen = ConditionalLinearGaussian(height, [effects["on"]], None, [0.0, 2.0], [1.0])
    model = BayesianNetwork(*effects.terms, seen)
    off = 0.99 * np.prod(1 - prior * strengths)
    weights = np.array([off, 1 - off]) * np.exp(-0.5 * (1.5 - np.array([0.0, 2.0])) ** 2) / np.sqrt(2 * np.pi)
    found = infer(model, ["on"], given={"height": 1.5})
    np.testing.assert_allclose(found["on"].numpy(), weights / weights.sum(), rtol=1e-10)
    assert found.log_evidence.item() == pytest.approx(log(weights.sum()), abs=1e-10)
    assert infer(model, ["height"])["height"].mean.item() == pytest.approx(2 * (1 - off), abs=1e-10)
    total = log_evidence(model, given={"height": 1.5})
    assert total.item() == pytest.approx(log(weights.sum()), abs=1e-10)
