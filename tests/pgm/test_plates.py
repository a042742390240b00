"""Plates: grounding against models written out by hand, sharing of parameters, and what is refused."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from pgm import (
    BayesianNetwork,
    Gaussian,
    GraphError,
    LinearGaussian,
    Model,
    Neural,
    Plate,
    Quadratic,
    Real,
    Table,
    Tabular,
    Variable,
    d_separated,
    infer,
    normal,
)
from pgm.testing import brute_posterior

BIAS, TOSS, SIDE = Variable("bias", ["fair", "loaded"]), Variable("toss", ["heads", "tails"]), Variable("side", 2)
MEAN, X, Y = Variable("mean", Real()), Variable("x", Real()), Variable("y", Real(2))


def tosses() -> tuple[Tabular, Tabular, Tabular]:
    return (
        Tabular(BIAS, [], [0.7, 0.3]),
        Tabular(TOSS, [BIAS], [[0.5, 0.5], [0.9, 0.1]]),
        Tabular(SIDE, [TOSS], [[0.2, 0.8], [0.6, 0.4]]),
    )


def patients(copies: int = 3, visits: int = 2) -> Model:
    """A mean for all, one number a patient, one vector a visit computed by a net."""
    torch.manual_seed(0)
    return BayesianNetwork(
        Gaussian(MEAN, 0.0, 1.0),
        Plate(
            "patient",
            copies,
            LinearGaussian(X, [MEAN], [1.0], 0.5, 2.0),
            Plate(
                "visit",
                visits,
                Neural(Y, [X], lambda s: normal(torch.tanh(s.unsqueeze(-1)).expand(*s.shape, 4)), nn.Identity()),
            ),
        ),
    )


@given(st.integers(1, 4), st.lists(st.sampled_from(["heads", "tails"]), min_size=4, max_size=4))
@settings(max_examples=20)
def test_a_plate_is_its_copies_written_out(copies: int, seen: list[str]) -> None:
    bias, toss, side = tosses()
    folded = BayesianNetwork(bias, Plate("throw", copies, toss, side))
    written = [bias]
    for i in range(copies):
        t, s = Variable(f"toss[{i}]", TOSS.domain), Variable(f"side[{i}]", SIDE.domain)
        written += [Tabular(t, [BIAS], toss.table.detach()), Tabular(s, [t], side.table.detach())]
    byhand = BayesianNetwork(*written)
    assert folded.graph == byhand.graph
    given = {f"toss[{i}]": seen[i] for i in range(copies)}
    post = infer(folded, given=given)
    for name in ("bias", "side[0]"):
        assert post[name].tolist() == pytest.approx(brute_posterior(byhand, name, given=given).tolist(), rel=1e-12)


def test_bayes_rule_over_copies() -> None:
    """p(loaded | k heads of n) with odds 3/7 * (0.9 / 0.5)^k * (0.1 / 0.5)^(n - k)."""
    bias, toss, _ = tosses()
    model = BayesianNetwork(bias, Plate("throw", 10, toss))
    seen = {f"toss[{i}]": "heads" if i < 8 else "tails" for i in range(10)}
    odds = 0.3 / 0.7 * 1.8**8 * 0.2**2
    assert infer(model, ["bias"], given=seen)["bias", "loaded"].item() == pytest.approx(odds / (1 + odds), rel=1e-12)


def test_plates_inside_plates_are_named_by_both() -> None:
    model = patients()
    assert model.graph.names[:4] == ("mean", "x[0]", "y[0,0]", "y[0,1]")
    assert model.graph.parents["y[2,1]"] == ("x[2]",)
    assert len(model.terms) == 1 + 3 * (1 + 2)
    labelled = Model(Plate("site", ["ulm", "bonn"], Gaussian(X, 0.0, 1.0)))
    assert labelled.graph.names == ("x[ulm]", "x[bonn]")
    assert bool(d_separated(model, "x[0]", "y[1,0]", given="mean"))
    assert not bool(d_separated(model, "x[0]", "y[1,0]"))


def test_plates_inside_plates_are_a_dense_gaussian() -> None:
    """mean ~ N(0, 1), x[i] = mean + N(0, 2), y[i, j] = (x[i], -x[i]) + N(0, 1): what is shared adds to a covariance."""
    lines = LinearGaussian(Y, [X], [[1.0, -1.0]], [0.0, 0.0], 1.0)
    inner = Plate("visit", 2, lines)
    model = BayesianNetwork(
        Gaussian(MEAN, 0.0, 1.0), Plate("patient", 3, LinearGaussian(X, [MEAN], [1.0], 0.0, 2.0), inner)
    )
    places = [(i, j) for i in range(3) for j in range(2)]
    signs, patient = np.tile([1.0, -1.0], 6), np.repeat([i for i, _ in places], 2)
    covariance = np.outer(signs, signs) * (1 + 2 * np.equal.outer(patient, patient)) + np.eye(12)
    seen = np.random.default_rng(3).normal(size=12)
    rows = {f"y[{i},{j}]": seen[4 * i + 2 * j :][:2] for i, j in places}
    post = infer(model, ["mean", "x[1]"], given=rows)
    gain = np.linalg.solve(covariance, np.stack([signs, signs * (1 + 2 * (patient == 1))], 1))
    for name, weights, prior in zip(["mean", "x[1]"], gain.T, [1.0, 3.0], strict=True):
        assert post[name].mean.item() == pytest.approx(weights @ seen, rel=1e-11)
        assert post[name].variance.item() == pytest.approx(prior - weights @ covariance @ weights, rel=1e-11)
    expected = stats.multivariate_normal.logpdf(seen, np.zeros(12), covariance)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-11)


def test_the_density_of_copies_is_their_product() -> None:
    model = patients()
    generator = np.random.default_rng(0)
    rows = {v.name: generator.normal(size=(4, *v.shape)) for v in model.variables}
    mean, x, y = model.shared
    values = {name: torch.from_numpy(value) for name, value in rows.items()}
    expected = mean.log_prob(values["mean"])
    for i in range(3):
        expected = expected + x.log_prob(values["mean"], values[f"x[{i}]"])
        for j in range(2):
            expected = expected + y.log_prob(values[f"x[{i}]"], values[f"y[{i},{j}]"])
    torch.testing.assert_close(model.log_prob(rows), expected)


def test_potentials_in_plates_multiply() -> None:
    """What only the plate mentions is copied; a potential of outside variables alone is raised to a power."""
    a, b = Variable("a", 2), Variable("b", 3)
    pair, alone = Table([a, b], [[1, 2, 3], [4, 5, 6]]), Table([a], [0.5, 2.0])
    model = Model(Table([a], [1.0, 1.0]), Plate("n", 2, pair, alone))
    assert model.graph.names == ("a", "b[0]", "b[1]")
    expected = [1 * 0.5**2 * 6**2, 1 * 2.0**2 * 15**2]
    assert infer(model).log_evidence.item() == pytest.approx(math.log(sum(expected)))
    assert infer(model)["a"].tolist() == pytest.approx([each / sum(expected) for each in expected])


def test_gradients_of_all_copies_meet_in_the_shared_parameters() -> None:
    x = LinearGaussian(X, [MEAN], [1.0], 0.5, 2.0)
    model = BayesianNetwork(Gaussian(MEAN, 0.0, 1.0), Plate("n", 3, x))
    values = {"mean": 1.0, "x[0]": 2.0, "x[1]": 0.0, "x[2]": 5.0}
    model.log_prob(values).backward()
    assert x.bias.grad.item() == pytest.approx(sum(v - 1.5 for v in (2.0, 0.0, 5.0)) / 2)
    assert len(list(model.parameters())) == 6


@pytest.mark.parametrize("how", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_of_a_model_share_among_themselves_only(how: object) -> None:
    model = Model(Gaussian(MEAN, 0.0, 1.0), Plate("n", 2, Plate("m", 2, LinearGaussian(X, [MEAN], [1.0], 0.5, 2.0))))
    twin = how(model)
    rows = dict.fromkeys(model.graph.names, 0.3)
    before = model.log_prob(rows).item()
    with torch.no_grad():
        twin.shared[1].bias += 1
    assert [term.bias.item() for term in twin.terms[1:]] == [1.5] * 4
    assert twin.log_prob(rows).item() == pytest.approx(before - 4 * (1.5**2 - 0.5**2) / 4)
    assert model.log_prob(rows).item() == before


def test_states_of_modules_make_the_round_trip() -> None:
    model, other = (
        BayesianNetwork(Gaussian(MEAN, m, 1.0), Plate("n", 3, LinearGaussian(X, [MEAN], [m], m, 1.0)))
        for m in (2.0, 5.0)
    )
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    rows = dict.fromkeys(model.graph.names, 0.3)
    assert other.log_prob(rows).item() == model.log_prob(rows).item()
    assert sorted(model.state_dict()) == [f"shared.{i}.{name}" for i in (0, 1) for name in ("bias", "scale", "weights")]
    for assigned in (other.float(), other.double()):
        assigned.load_state_dict(model.state_dict(), assign=True)
        assert assigned.log_prob(rows).item() == model.log_prob(rows).item()
        assert {p.dtype for term in other.terms for p in term.parameters()} == {torch.float64}


def test_all_copies_move_together() -> None:
    model = patients().float()
    assert {p.dtype for term in model.terms for p in term.parameters()} == {torch.float32}
    torch.optim.SGD(model.parameters(), 0.1).zero_grad()
    model.shared[1].requires_grad_(False)
    assert not any(p.requires_grad for name in ("x[0]", "x[2]") for p in model.conditionals[name].parameters())


def test_acting_on_a_copy_leaves_the_others() -> None:
    model = patients()
    acted = model.do({"x[1]": 2.0})
    assert acted.graph.parents["x[1]"] == ()
    assert acted.graph.parents["x[0]"] == ("mean",)
    assert acted.conditionals["x[0]"].bias is model.conditionals["x[2]"].bias


NUMBER = Gaussian(X, 0.0, 1.0)
WRONG = {
    "none": (lambda: Plate("n", 0, NUMBER), "copies is 0, expected 1 or more, or labels that differ."),
    "fewer": (lambda: Plate("n", -2, NUMBER), "copies is -2, expected 1 or more, or labels that differ."),
    "twice": (
        lambda: Plate("n", ["a", "a"], NUMBER),
        "copies is ['a', 'a'], expected 1 or more, or labels that differ.",
    ),
    "text": (lambda: Plate("n", "ab", NUMBER), "copies is 'ab', expected a whole number or a list of labels."),
    "fraction": (lambda: Plate("n", 2.5, NUMBER), "copies is 2.5, expected a whole number or a list of labels."),
    "variable": (lambda: Plate("n", 2, X), "Variable('x', Real()) is no conditional, potential or plate."),
    "nothing": (lambda: Plate("n", 2), "there are no terms, expected one or more after the number of copies."),
    "child used outside": (
        lambda: Model(Plate("n", 2, NUMBER), Quadratic([X], [[1.0]])),
        "'x' has its conditional in the plate but is mentioned outside; what is outside can depend on none of the "
        "copies. Copied is nothing.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(GraphError) as caught:
        make()
    assert str(caught.value) == f"Plate(n): {text}"


def test_what_a_plate_says_of_itself() -> None:
    plate = Plate("patient", 3, Gaussian(X, 0.0, 1.0))
    assert (repr(plate), len(plate)) == ("Plate(patient x 3: Gaussian(x))", 3)
    assert Model(plate).plates == (plate,)
