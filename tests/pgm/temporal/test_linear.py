"""Kalman filters and smoothers, held to the joint Gaussian of all variables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import (
    ConditionalLinearGaussian,
    Deterministic,
    EvidenceError,
    Gaussian,
    LinearGaussian,
    PlanError,
    Real,
    Tabular,
    Template,
    Variable,
    before,
    filtering,
    infer,
    log_likelihood,
    prediction,
    smoothing,
    viterbi,
)

P, V, Y, W, U, K = (
    Variable("p", Real(2)),
    Variable("v", Real()),
    Variable("y", Real(2)),
    Variable("w", Real()),
    Variable("u", Real()),
    Variable("k", 2),
)
ROUTES = ["sequential", "parallel"]
T = 5
HIDDEN, SEEN = ("p", "v"), ("y", "w")


def random_template(seed: int) -> Template:
    """Two hidden vectors, two observed ones, one of which looks back, a numeric and a finite input."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return 0.6 * rng.normal(size=shape)

    def covariance(n: int) -> np.ndarray:
        root = draw(n, n)
        return root @ root.T + 0.3 * np.eye(n)

    return Template(
        [
            Gaussian(P, draw(2), covariance(2)),
            LinearGaussian(V, [P], draw(2), 0.1, 0.4),
            LinearGaussian(W, [V], [0.7], 0.1, 0.3),
        ],
        [
            LinearGaussian(P, [before(P), U, before(V)], draw(4, 2), draw(2), covariance(2)),
            ConditionalLinearGaussian(V, [before(V), K, P], draw(2, 3), draw(2), [0.5, 0.8]),
            LinearGaussian(Y, [P], draw(2, 2), draw(2), covariance(2)),
            LinearGaussian(W, [V, before(P)], draw(3), 0.2, 0.6),
        ],
    )


def random_data(seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed + 1)
    y, w = rng.normal(size=(T, 2)), rng.normal(size=T)
    y[rng.random((T, 2)) < 0.3], w[rng.random(T) < 0.3] = np.nan, np.nan
    found = {"y": y, "w": w, "u": rng.normal(size=T), "k": rng.integers(0, 2, T)}
    return {name: torch.from_numpy(x) for name, x in found.items()}


class Joint:
    """The joint Gaussian of an unrolled template: each variable as a mean and rows over all independent noises."""

    def __init__(self, template: Template, steps: int, data: dict[str, Tensor]) -> None:
        model = template.unroll(steps)
        terms = {name: model.conditionals[name] for name in model.graph.topological if name in model.conditionals}
        lengths = {name: term.regression().bias.shape[-1] for name, term in terms.items()}  # type: ignore[attr-defined]
        self.mean: dict[str, Tensor] = {}
        self.rows: dict[str, Tensor] = {}
        start, total = 0, sum(lengths.values())
        for name, term in terms.items():
            made, n = term.regression(), lengths[name]  # type: ignore[attr-defined]
            chosen = tuple(data[v.name.split("[")[0]][int(v.name[-2])] for v in made.finite)
            weights, mean, scale = made.weights[chosen], made.bias[chosen], made.scale[chosen]
            rows = torch.zeros(n, total, dtype=torch.float64)
            rows[:, start : start + n] = scale
            start, column = start + n, 0
            for parent in made.real:
                width = int(np.prod(parent.shape))
                block, column = weights[column : column + width].T, column + width
                if parent.name in self.mean:
                    mean, rows = mean + block @ self.mean[parent.name], rows + block @ self.rows[parent.name]
                else:
                    mean = mean + block @ data[parent.name.split("[")[0]][int(parent.name[-2])].reshape(1)
            self.mean[name], self.rows[name] = mean, rows

    def given(self, data: dict[str, Tensor], until: int, names: tuple[str, ...] = SEEN) -> "Joint":
        """Conditioned on what was seen before a step; `log_density` is that of what was seen."""
        keys = [f"{name}[{t}]" for name in names for t in range(until)]
        value = torch.cat([data[key.split("[")[0]][int(key[-2])].reshape(-1) for key in keys])
        there = ~torch.isnan(value)
        mean = torch.cat([self.mean[key] for key in keys])[there]
        rows = torch.cat([self.rows[key] for key in keys])[there]
        covariance, gap = rows @ rows.T, value[there] - mean
        solved = torch.linalg.solve(covariance, torch.cat([gap.unsqueeze(1), rows], 1))
        found = object.__new__(Joint)
        found.mean = {name: m + self.rows[name] @ rows.T @ solved[:, 0] for name, m in self.mean.items()}
        found.rows = {name: r - r @ rows.T @ solved[:, 1:] for name, r in self.rows.items()}
        log_determinant = torch.linalg.slogdet(2 * torch.pi * covariance)[1]
        found.log_density = -0.5 * (gap @ solved[:, 0] + log_determinant)  # type: ignore[attr-defined]
        return found


seeds = st.integers(0, 10**6)


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=6)
def test_smoothing_is_conditioning_of_the_joint_gaussian(seed: int, route: str) -> None:
    template, data = random_template(seed), random_data(seed)
    found, joint = smoothing(template, data, route=route), Joint(template, T, data).given(data, T)  # type: ignore[arg-type]
    torch.testing.assert_close(found.log_evidence, joint.log_density.detach())  # type: ignore[attr-defined]
    for name in HIDDEN:
        for t in range(T):
            rows = joint.rows[f"{name}[{t}]"].detach()
            torch.testing.assert_close(found[name].flat[t], joint.mean[f"{name}[{t}]"].detach())
            torch.testing.assert_close(found[name].covariance[t], rows @ rows.T)


def test_smoothing_is_inference_in_the_unrolled_network() -> None:
    template, data = random_template(7), random_data(7)
    full = {name: torch.nan_to_num(x) for name, x in data.items()}
    given = {f"{name}[{t}]": full[name][t] for name in ("y", "w") for t in range(1, T)}
    driven = {f"{name}[{t}]": full[name][t] for name in ("u", "k") for t in range(T)}
    post = infer(template.unroll(T), [f"p[{t}]" for t in range(T)], given=given | driven)
    gaps = {name: x.clone() for name, x in full.items()}
    gaps["y"][0], gaps["w"][0] = torch.nan, torch.nan
    found = smoothing(template, gaps)["p"]
    for t in range(T):
        torch.testing.assert_close(found.mean[t], post[f"p[{t}]"].mean)
        torch.testing.assert_close(found.covariance[t], post[f"p[{t}]"].covariance)


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=4)
def test_filtering_knows_the_past_only(seed: int, route: str) -> None:
    template, data = random_template(seed), random_data(seed)
    found, whole = filtering(template, data, route=route), Joint(template, T, data)  # type: ignore[arg-type]
    for t in range(T):
        joint = whole.given(data, t + 1)
        for name in HIDDEN:
            rows = joint.rows[f"{name}[{t}]"].detach()
            torch.testing.assert_close(found[name].flat[t], joint.mean[f"{name}[{t}]"].detach())
            torch.testing.assert_close(found[name].covariance[t], rows @ rows.T)


@given(seeds, st.integers(0, 3))
@settings(max_examples=6)
def test_prediction_is_about_later_steps(seed: int, seen: int) -> None:
    template, data = random_template(seed), random_data(seed)
    known = {n: x[: seen + 2] for n, x in data.items() if n in "uk"} | {
        n: x[:seen] for n, x in data.items() if n in "yw" and seen
    }
    found, joint = prediction(template, known, 2), Joint(template, seen + 2, data)
    joint = joint.given(data, seen) if seen and not torch.isnan(data["y"][:seen]).all() else joint
    for name in (*HIDDEN, *SEEN):
        for k in range(2 if name == "p" or seen else 1):
            key, place = f"{name}[{seen + k}]", k
            rows = joint.rows[key].detach()
            torch.testing.assert_close(found[name].flat[place], joint.mean[key].detach())
            torch.testing.assert_close(found[name].covariance[place], rows @ rows.T)


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=4)
def test_the_gradient_is_that_of_the_joint_gaussian(seed: int, route: str) -> None:
    template, data = random_template(seed), random_data(seed)
    parameters = [p for p in template.parameters() if p.numel()]
    joint = Joint(template, T, data).given(data, T)
    mine = torch.autograd.grad(log_likelihood(template, data, route=route), parameters, allow_unused=True)  # type: ignore[arg-type]
    theirs = torch.autograd.grad(joint.log_density, parameters, allow_unused=True)  # type: ignore[attr-defined]
    for x, y in zip(mine, theirs, strict=True):
        zero = torch.zeros(())
        torch.testing.assert_close(zero if x is None else x.sum(), zero if y is None else y.sum(), check_dtype=False)
        torch.testing.assert_close(zero if x is None else x.norm(), zero if y is None else y.norm(), check_dtype=False)


def test_the_most_probable_path_is_the_smoothed_means() -> None:
    template, data = random_template(1), random_data(1)
    data = {name: torch.nan_to_num(x) for name, x in data.items()}
    found, means = viterbi(template, data), smoothing(template, data)
    torch.testing.assert_close(found["p"], means["p"].mean)
    at_the_path = template.unroll(T).log_prob(
        {f"{name}[{t}]": x[t] for name, x in (data | dict(found)).items() for t in range(T)}
    )
    torch.testing.assert_close(found.log_prob, at_the_path.detach())


def test_sequences_of_different_lengths_are_answered_each_on_its_own() -> None:
    template, (one, two) = random_template(2), (random_data(2), random_data(3))
    short = {name: x[:3] for name, x in two.items()}
    both = {name: [one[name], short[name]] for name in one}
    for route in ROUTES:
        found, filtered = smoothing(template, both, route=route), filtering(template, both, route=route)  # type: ignore[arg-type]
        alone = smoothing(template, short)
        torch.testing.assert_close(found.log_evidence[1], alone.log_evidence)
        torch.testing.assert_close(found["p"].mean[1, :3], alone["p"].mean)
        torch.testing.assert_close(found["v"].variance[1, :3], alone["v"].variance)
        torch.testing.assert_close(filtered["v"].mean[1, :3], filtering(template, short)["v"].mean)
        assert torch.isnan(found["p"].mean[1, 3:]).all()
    ahead = {name: x if name in "yw" else [torch.cat([row, row[:1]]) for row in x] for name, x in both.items()}
    single = {name: x if name in "yw" else torch.cat([x, x[:1]]) for name, x in short.items()}
    torch.testing.assert_close(prediction(template, ahead, 1)["y"].mean[1], prediction(template, single, 1)["y"].mean)


def local_level(q: float, r: float) -> Template:
    walk = LinearGaussian(V, [before(V)], [1.0], 0.0, q)
    return Template([Gaussian(V, 0.0, 1.0)], [walk, LinearGaussian(W, [V], [1.0], 0.0, r)])


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("r", [1.0, 1e-9])
def test_ten_thousand_steps_reach_the_steady_state(route: str, r: float) -> None:
    """The filtered variance of a random walk seen through noise solves P = (P + q) r / (P + q + r)."""
    q = 0.5
    data = torch.randn(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = filtering(local_level(q, r), {"w": data}, route=route)  # type: ignore[arg-type]
    before_seeing = (q + np.sqrt(q * q + 4 * q * r)) / 2
    expected = before_seeing * r / (before_seeing + r)
    torch.testing.assert_close(found["v"].variance[-1].item(), expected, rtol=1e-6, atol=0)
    assert bool((found["v"].variance > 0).all())


def test_certain_motion_and_exact_observations_are_no_trouble() -> None:
    """A point that moves with constant velocity, seen exactly twice, is known for ever."""
    move = LinearGaussian(P, [before(P)], [[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0], 0.0)
    seen = LinearGaussian(W, [P], [1.0, 0.0], 0.0, 0.0)
    template = Template([Gaussian(P, [0.0, 0.0], np.eye(2))], [move, seen])
    found = smoothing(template, {"w": [1.0, 1.5, np.nan, 2.5]})
    torch.testing.assert_close(found["p"].mean, torch.tensor([[1.0, 0.5], [1.5, 0.5], [2.0, 0.5], [2.5, 0.5]]).double())
    torch.testing.assert_close(found["p"].covariance, torch.zeros(4, 2, 2).double(), atol=1e-12, rtol=0)
    # p(w0, w1): two exact looks at N(0, I) through a matrix of determinant 1; the rest is certain
    assert found.log_evidence.item() == pytest.approx(-0.5 * (1.0 + 0.25) - np.log(2 * np.pi))
    assert log_likelihood(template, {"w": [1.0, 1.5, 2.0, 9.0]}).item() == -np.inf


def test_a_gap_in_what_the_next_step_looks_back_at_is_part_of_the_state() -> None:
    """An autoregression with a missing value: p(x0, x2) of x_t = x_t-1 / 2 + noise."""
    template = Template([Gaussian(V, 0.0, 1.0)], [LinearGaussian(V, [before(V)], [0.5], 0.0, 1.0)])
    found = log_likelihood(template, {"v": [0.3, np.nan, -0.4]}).item()
    expected = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.25], [0.25, 1.3125]]))
    assert found == pytest.approx(expected.log_prob(torch.tensor([0.3, -0.4])).item(), rel=1e-6)
    ahead = prediction(template, {"v": [0.3, np.nan, -0.4]}, 1)["v"]
    assert (ahead.mean.item(), ahead.variance.item()) == pytest.approx((-0.2, 1.0))


def test_terms_apart_from_the_state_are_counted() -> None:
    """A finite chain that is fully seen, beside a walk that is hidden."""
    change = Tabular(K, [before(K)], [[0.7, 0.3], [0.2, 0.8]])
    both = Template(
        [*local_level(0.5, 1.0).first[:1], Tabular(K, [], [0.6, 0.4])], [*local_level(0.5, 1.0).later, change]
    )
    w = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64)
    found = log_likelihood(both, {"w": w, "k": ["0", "1", "1"]})
    alone = log_likelihood(local_level(0.5, 1.0), {"w": w})
    assert (found - alone).item() == pytest.approx(np.log(0.6 * 0.3 * 0.8))


def test_what_is_not_linear_gaussian_is_refused_by_name() -> None:
    bent = Template(
        [Gaussian(V, 0.0, 1.0)], [LinearGaussian(V, [before(V)], [1.0], 0.0, 1.0), Deterministic(W, [V], torch.sin)]
    )
    with pytest.raises(
        PlanError, match=r"'v' is hidden and numeric, and Deterministic\(w \| v\) is not linear-Gaussian"
    ):
        smoothing(bent, {"w": [0.1, 0.2]})
    with pytest.raises(EvidenceError, match="the input 'u' has a missing value"):
        smoothing(random_template(0), random_data(0) | {"u": torch.full((T,), torch.nan)})
