"""Sequences drawn from templates, held to their marginals within standard errors."""

import pytest
import torch

from pgm import (
    EvidenceError,
    Gaussian,
    LinearGaussian,
    PlanError,
    Real,
    Table,
    Tabular,
    Template,
    Variable,
    before,
    log_likelihood,
    prediction,
    simulate,
    viterbi,
)

Z, X, P, U = Variable("z", ["a", "b", "c"]), Variable("x", 2), Variable("p", Real(2)), Variable("u", Real())
CHAIN = Template(
    [Tabular(Z, [], [0.5, 0.3, 0.2])],
    [
        Tabular(Z, [before(Z)], [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]]),
        Tabular(X, [Z], [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]),
    ],
)
WALK = Template(
    [Gaussian(P, [1.0, 0.0], [[1.0, 0.3], [0.3, 0.5]])],
    [LinearGaussian(P, [before(P), U], [[0.9, 0.1], [0.0, 0.5], [1.0, 0.0]], [0.1, -0.1], [0.2, 0.3])],
)


def test_frequencies_are_the_marginals() -> None:
    n = 4000
    found, exact = simulate(CHAIN, 4, n, seed=0), prediction(CHAIN, {}, 4)
    for name in ("z", "x"):
        for t in range(4):
            p = exact[name][t]
            frequency = found[name][:, t].bincount(minlength=len(p)) / n
            assert ((frequency - p).abs() < 4.5 * (p * (1 - p) / n).sqrt()).all()


def test_moments_are_those_of_the_prediction() -> None:
    n, u = 4000, torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64)
    found, exact = simulate(WALK, 3, n, {"u": u}, seed=0), prediction(WALK, {"u": u}, 3)
    assert found["p"].shape == (n, 3, 2)
    gap = (found["p"].mean(0) - exact["p"].mean).abs()
    assert (gap < 4.5 * exact["p"].std / n**0.5).all()
    ratio = found["p"].var(0) / exact["p"].variance  # standard error sqrt(2 / n)
    assert ((ratio - 1).abs() < 4.5 * (2 / n) ** 0.5).all()


def test_a_seed_repeats_and_leaves_the_global_state_alone() -> None:
    torch.manual_seed(5)
    one, after = simulate(CHAIN, 5, 3, seed=1), torch.rand(())
    torch.manual_seed(5)
    assert torch.equal(torch.rand(()), after)
    assert torch.equal(one["x"], simulate(CHAIN, 5, 3, seed=1)["x"])
    generator = torch.Generator().manual_seed(0)
    two, three = (simulate(CHAIN, 50, 3, generator=generator)["z"] for _ in range(2))
    assert not torch.equal(two, three)


def test_labels_and_names() -> None:
    found = simulate(CHAIN, 3, 2, seed=1)
    assert set(found.labels("z")[0]) <= {"a", "b", "c"}
    assert found.keys() == ("z", "x")
    assert repr(found) == "Paths(z [2, 3], x [2, 3])"


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(EvidenceError, match="simulate: 'z' is drawn, not given; inputs are none"):
        simulate(CHAIN, 3, given={"z": ["a", "b", "c"]})
    with pytest.raises(EvidenceError, match="'u' has no conditional, so it is an input; give its values"):
        simulate(WALK, 3)
    with pytest.raises(PlanError, match="steps is 0 and n 1, expected 1 or more"):
        simulate(CHAIN, 0)
    with pytest.raises(PlanError, match="has potentials"):
        simulate(Template([], [Table([before(Z), Z], torch.ones(3, 3))]), 3)


def test_paths_are_evidence_as_they_are() -> None:
    """log p(path) is the sum of the logarithms of the entries that it passes."""
    played = simulate(CHAIN, 3, 2, seed=1)
    z, x = played["z"], played["x"]
    start, change, seen = (term.factor().values.log() for term in (CHAIN.first[0], *CHAIN.later))
    expected = start[z[:, 0]] + change[z[:, :-1], z[:, 1:]].sum(1) + seen[z, x].sum(1)
    torch.testing.assert_close(log_likelihood(CHAIN, played), expected)


def test_paths_become_a_table() -> None:
    played = simulate(CHAIN, 3, 2, seed=1)
    frame = played.to_dataframe()
    assert frame.index.names == ["sequence", "t"]
    assert frame.loc[1, "z"].tolist() == played.labels("z")[1]
    u = torch.zeros(3, dtype=torch.float64)
    assert simulate(WALK, 3, 2, {"u": u}, seed=0).to_dataframe()["p"].map(len).tolist() == [2] * 6
    best = viterbi(CHAIN, {"x": [0, 1, 1, 1]}).to_dataframe()
    assert best["z"].tolist() == viterbi(CHAIN, {"x": ["0", "1", "1", "1"]}).labels("z")
    assert log_likelihood(CHAIN, best).shape == ()
