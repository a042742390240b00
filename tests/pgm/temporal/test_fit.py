"""Learning from sequences, held to learning from the unrolled network and to counting."""

import numpy as np
import pytest
import torch

from pgm import (
    ConditionalLinearGaussian,
    Dirichlet,
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
    fit,
    fit_sequences,
    log_likelihood,
    simulate,
)
from pgm.gaussians import GaussianConditional
from pgm.learn.statistics import Scatter
from pgm.temporal.expected import linear_statistics
from pgm.temporal.sequences import read_sequences

Z, M, X, Y, P, U = (
    Variable("z", 2),
    Variable("m", 2),
    Variable("x", 3),
    Variable("y", Real(2)),
    Variable("p", Real(2)),
    Variable("u", Real()),
)


def mixture_chain(seed: int) -> Template:
    """Emissions that are mixtures, tables and regressions at once."""
    rng = np.random.default_rng(seed)
    return Template(
        [Tabular(Z, [], rng.dirichlet([2, 2]))],
        [
            Tabular(Z, [before(Z)], rng.dirichlet([2, 2], 2)),
            Tabular(M, [Z], rng.dirichlet([2, 2], 2)),
            Tabular(X, [Z, M], rng.dirichlet([1, 1, 1], (2, 2))),
            ConditionalLinearGaussian(Y, [M], None, rng.normal(size=(2, 2)), rng.uniform(0.5, 1.5, (2, 2))),
        ],
    )


def motion(seed: int) -> Template:
    """A driven linear dynamical system."""
    rng = np.random.default_rng(seed)
    return Template(
        [Gaussian(P, [0.0, 0.0], np.eye(2))],
        [
            LinearGaussian(P, [before(P), U], 0.4 * rng.normal(size=(3, 2)), [0.0, 0.1], 0.5 * np.eye(2)),
            LinearGaussian(Y, [P], rng.normal(size=(2, 2)), [0.0, 0.0], [0.4, 0.6]),
        ],
    )


def columns(data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The columns of the unrolled model: one row a sequence."""
    return {f"{name}[{t}]": x[:, t] for name, x in data.items() for t in range(x.shape[1])}


def test_hidden_states_are_learned_as_in_the_unrolled_network() -> None:
    start, steps = mixture_chain(0), 3
    drawn = simulate(mixture_chain(1), steps, 12, seed=2)
    data = {name: drawn[name] for name in ("x", "y")}
    mine = fit_sequences(start, data, iterations=3, tolerance=0.0)
    theirs = fit(start.unroll(steps), columns(data), iterations=3, tolerance=0.0)
    assert mine.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-12)
    assert mine.history == pytest.approx(theirs.history, rel=1e-12)
    same = {tuple(v.name for v in term.scope): term for term in theirs.model.terms}
    for term in mine.template.later:
        names = tuple(f"{v.name[:-5]}[1]" if "[t-1]" in v.name else f"{v.name}[2]" for v in term.scope)
        for one, two in zip(term.parameters(), same[names].parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-10)


def expected_log_prob(term: GaussianConditional, part: Scatter) -> torch.Tensor:
    """The expectation of the log density of all steps, from the moments of regressors and child."""
    made, n = term.regression(), term.regression().bias.shape[-1]
    lift = torch.cat([-made.weights.mT, torch.eye(n).double()], -1)
    gap = lift @ part.mean - made.bias
    squares = lift @ part.scatter @ lift.mT + part.weight * torch.outer(gap, gap)
    covariance = made.scale @ made.scale.mT
    log_determinant = torch.linalg.slogdet(2 * torch.pi * covariance)[1]
    return -0.5 * (torch.linalg.solve(covariance, squares).trace() + part.weight * log_determinant)


def test_expected_moments_have_the_slope_of_the_likelihood() -> None:
    """Fisher's identity: the gradient of log p(seen) is that of the expected log p(seen, hidden)."""
    template, steps = motion(0), 6
    u = torch.randn(4, steps, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = simulate(motion(1), steps, 4, {"u": u}, seed=1)["y"].clone()
    y[2, 1], y[3, 0, 1] = torch.nan, torch.nan
    data = read_sequences(template, {"y": y, "u": u}, [6, 6, 3, 1], "test")
    terms = [*template.first[:1], *template.later]
    parts, totals = linear_statistics(template, data, terms)
    torch.testing.assert_close(totals, log_likelihood(template, {"y": y, "u": u}, [6, 6, 3, 1]).detach())
    parameters = [p for term in terms for p in term.parameters() if p.numel()]
    expected = torch.autograd.grad(log_likelihood(template, {"y": y, "u": u}, [6, 6, 3, 1]).sum(), parameters)
    total = torch.stack([expected_log_prob(term, parts[id(term._parameters)]) for term in terms]).sum()  # type: ignore[arg-type]
    for mine, theirs in zip(torch.autograd.grad(total, parameters), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-8)


def test_linear_dynamics_are_learned_without_a_step_down() -> None:
    y = simulate(motion(1), 30, 3, {"u": torch.zeros(30)}, seed=1)["y"].clone()
    y[0, 3], y[1, 5, 0] = torch.nan, torch.nan
    data = {"y": y, "u": torch.zeros(30, dtype=torch.float64)}
    found = fit_sequences(motion(0), data, iterations=30, tolerance=0.0)
    assert all(late >= early for early, late in zip(found.history, found.history[1:], strict=False))
    assert found.log_likelihood == pytest.approx(log_likelihood(found.template, data).sum().item())
    assert found.log_likelihood > log_likelihood(motion(1), data).sum().item()  # better than what drew the data


def test_a_gap_in_an_emission_does_not_count() -> None:
    data = {
        "z": ["0", "0", "1", "1"],
        "y": [[1.0, 2.0], [np.nan, np.nan], [3.0, 5.0], [5.0, 5.0]],
        "m": ["0"] * 4,
        "x": [None] * 4,
    }
    emission = fit_sequences(mixture_chain(0), data, iterations=1, tolerance=0.0).template.later[3]
    torch.testing.assert_close(emission.bias[0].detach(), torch.tensor([3.0, 4.0]).double())


def test_where_learning_from_gaps_ends_learning_in_the_unrolled_network_stays() -> None:
    """A gap sums to one in each step here, and is filled in expectation there: two ways up the same likelihood."""
    drawn = simulate(mixture_chain(1), 4, 15, seed=2)
    x, y, lost = (
        drawn["x"].clone(),
        drawn["y"].clone(),
        torch.rand(2, 15, 4, generator=torch.Generator().manual_seed(0)),
    )
    x[lost[0] < 0.3], y[lost[1] < 0.3] = -1, torch.nan
    found = fit_sequences(mixture_chain(0), {"x": x, "y": y}, iterations=3000, tolerance=1e-11)
    there = fit(found.template.unroll(4), columns({"x": x, "y": y}), iterations=1, tolerance=0.0)
    assert found.converged
    assert there.log_likelihood == pytest.approx(found.log_likelihood, rel=1e-9)


def alike() -> Template:
    """Two states that nothing tells apart."""
    emission = ConditionalLinearGaussian(Y, [Z], None, np.zeros((2, 2)), np.ones((2, 2)))
    return Template([Tabular(Z, [], [0.5, 0.5])], [Tabular(Z, [before(Z)], [[0.5, 0.5]] * 2), emission])


def test_states_that_start_alike_are_told_apart() -> None:
    """Without a random start they would be one Gaussian for ever."""
    y = torch.randn(2, 40, 2, generator=torch.Generator().manual_seed(0)).double()
    y[:, 20:] += 6.0
    found = fit_sequences(alike(), {"y": y})
    rows = y.flatten(0, 1)
    one = torch.distributions.Normal(rows.mean(0), rows.std(0, correction=0)).log_prob(rows).sum().item()
    assert found.log_likelihood > one + 50
    gap = (found.template.later[1].get_parameter("bias").diff(dim=0)).abs().detach()
    torch.testing.assert_close(gap, torch.full((1, 2), 6.0).double(), atol=1.2, rtol=0)  # four standard errors


def test_the_best_of_several_starts_is_kept() -> None:
    drawn, told = simulate(mixture_chain(1), 8, 6, seed=3), list[tuple[int, float]]()
    data = {"x": drawn["x"], "y": drawn["y"]}
    one = fit_sequences(mixture_chain(0), data, iterations=5)
    best = fit_sequences(
        mixture_chain(0), data, restarts=4, iterations=5, seed=1, progress=lambda n, best: told.append((n, best))
    )
    assert best.log_likelihood >= one.log_likelihood
    assert log_likelihood(best.template, data).sum().item() == pytest.approx(best.log_likelihood)
    assert [n for n, _ in told] == list(range(1, len(told) + 1))
    assert [height for _, height in told] == sorted(height for _, height in told)
    assert told[-1][1] == best.history[-1]


def test_an_interruption_keeps_the_best_so_far() -> None:
    def stop(iterations: int, _: float) -> None:
        if iterations == 3:
            raise KeyboardInterrupt

    data = {"x": simulate(mixture_chain(1), 8, 6, seed=3)["x"]}
    found = fit_sequences(mixture_chain(0), data, progress=stop)
    assert (found.iterations, found.converged, found.stopped) == (3, False, "interrupted")
    assert log_likelihood(found.template, data).sum().item() == pytest.approx(found.log_likelihood)


def test_a_state_that_shrinks_to_one_step_is_refused() -> None:
    rows = [[0.0, 0.0], [5.0, 5.0], [0.1, 0.2], [-0.2, 0.1]]
    start = alike()
    with torch.no_grad():
        start.later[1].get_parameter("bias").copy_(torch.tensor([[0.0, 0.0], [5.0, 5.0]]))
    with pytest.raises(
        EvidenceError,
        match=r"the likelihood has no bound: the covariance of ConditionalLinearGaussian\(y\) shrank to 0",
    ):
        fit_sequences(start, {"y": rows})


def test_one_step_alone_is_learned_by_factor_analysis() -> None:
    """Sequences of one step never move: what is learned is the unrolled network of one step."""
    y = torch.randn(30, 1, 2, generator=torch.Generator().manual_seed(0)).double()
    still = Template(
        [Gaussian(P, [0.0, 0.0], np.eye(2))],
        [
            LinearGaussian(P, [before(P)], np.eye(2), [0.0, 0.0], np.eye(2)),
            LinearGaussian(Y, [P], np.eye(2), [0.0, 0.0], [0.4, 0.6]),
        ],
    )
    found = fit_sequences(still, {"y": y}, iterations=5, tolerance=0.0)
    same = fit(still.unroll(1), {"y[0]": y[:, 0]}, iterations=5, tolerance=0.0)
    assert found.history == pytest.approx(same.history, rel=1e-10)


def test_single_precision_is_learned_in_double() -> None:
    data = {"x": simulate(mixture_chain(1), 8, 6, seed=3)["x"]}
    found = fit_sequences(mixture_chain(0).float(), data, iterations=20)
    same = fit_sequences(mixture_chain(0), data, iterations=20)
    assert {p.dtype for p in found.template.parameters() if p.is_floating_point()} == {torch.float32}
    assert found.log_likelihood == pytest.approx(same.log_likelihood, rel=1e-5)  # of where they start


def test_complete_data_are_counted_in_one_iteration() -> None:
    z = torch.tensor([[0, 0, 1, 1], [1, 0, 0, -1]])
    change = Tabular(Z, [before(Z)], [[0.5, 0.5], [0.5, 0.5]])
    found = fit_sequences(Template([Tabular(Z, [], [0.5, 0.5])], [change]), {"z": z}, lengths=[4, 3])
    assert found.converged
    assert found.iterations == 2  # one that counts, one that sees that nothing changes
    torch.testing.assert_close(
        found.template.later[0].table.detach(), torch.tensor([[2 / 3, 1 / 3], [0.5, 0.5]]).double()
    )
    assert torch.equal(change.table.detach(), torch.full((2, 2), 0.5).double())  # the given one is as it was
    smoothed = fit_sequences(Template([Tabular(Z, [], [0.5, 0.5])], [change]), {"z": z}, [4, 3], prior=Dirichlet(1.0))
    torch.testing.assert_close(
        smoothed.template.later[0].table.detach(), torch.tensor([[3 / 5, 2 / 5], [0.5, 0.5]]).double()
    )


def test_the_record_says_how_it_went() -> None:
    found = fit_sequences(mixture_chain(0), {"x": [["0", "2", "1"]]}, iterations=1, tolerance=0.0)
    assert repr(found) == f"FittedTemplate(log-likelihood {found.log_likelihood:.4f}, 1 iteration, not converged)"


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(PlanError, match="has potentials; follow the gradient"):
        fit_sequences(Template([], [Table([before(Z), Z], torch.ones(2, 2))]), {"z": [0, 1]})
    fixed = Tabular(Z, [before(Z)], [[1, 0], [0, 1]])
    fixed.table.requires_grad_(False)
    start = Tabular(Z, [], [1, 0])
    start.table.requires_grad_(False)
    with pytest.raises(PlanError, match="no conditional has a closed form"):
        fit_sequences(Template([start], [fixed]), {"z": ["0", "0"]})
    with pytest.raises(PlanError, match="restarts is 0 and iterations 500, expected 1 or more of both"):
        fit_sequences(mixture_chain(0), {"x": [0, 1]}, restarts=0)
    with pytest.raises(EvidenceError, match="has probability 0"):
        fit_sequences(
            Template([Tabular(Z, [], [1, 0])], [Tabular(Z, [before(Z)], [[1, 0], [0, 1]])]), {"z": ["1", "1"]}
        )
