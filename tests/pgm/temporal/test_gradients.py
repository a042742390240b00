"""Answers about sequences have the slopes that differences of answers have."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import (
    ConditionalLinearGaussian,
    Gaussian,
    LinearGaussian,
    Real,
    Tabular,
    Template,
    Variable,
    before,
    filtering,
    log_likelihood,
    prediction,
    smoothing,
    viterbi,
)
from pgm.moments import Moments
from pgm.temporal import chain as chains
from pgm.temporal.beliefs import Beliefs
from pgm.temporal.chain import Chain

Z, M, W, X = Variable("z", 3), Variable("m", 2), Variable("w", 2), Variable("x", Real(2))
P, V, Y = Variable("p", Real(2)), Variable("v", Real()), Variable("y", Real(2))
ROUTES, T, STEP = ["sequential", "parallel"], 4, 1e-5
QUESTIONS: list[Callable[..., Beliefs]] = [filtering, smoothing, lambda t, d, **rest: prediction(t, d, 2, **rest)]


def states_seen_through_mixtures(seed: int) -> tuple[Template, dict[str, Tensor]]:
    """Two chains, one of which never goes back, and a mixture for each emission; data with a gap."""
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.ones(3), 3)
    move[1:, 0] = 0.0
    template = Template(
        [Tabular(Z, [], rng.dirichlet(np.ones(3))), Tabular(W, [], rng.dirichlet(np.ones(2)))],
        [
            Tabular(Z, [before(Z)], move / move.sum(1, keepdims=True)),
            Tabular(W, [before(W), Z], rng.dirichlet(np.ones(2), (2, 3))),
            Tabular(M, [Z], rng.dirichlet(np.ones(2), 3)),
            ConditionalLinearGaussian(X, [M, W], None, rng.normal(size=(2, 2, 2)), rng.uniform(0.5, 1.5, (2, 2, 2))),
        ],
    )
    x = torch.from_numpy(rng.normal(size=(2, T, 2)))
    x[1, 2] = torch.nan
    return template, {"x": x}


def numbers_seen_through_noise(seed: int) -> tuple[Template, dict[str, Tensor]]:
    """A vector and a number that drives it; data with a gap."""
    rng = np.random.default_rng(seed)
    template = Template(
        [Gaussian(P, rng.normal(size=2), np.eye(2)), Gaussian(V, 0.3, 0.7)],
        [
            LinearGaussian(
                P, [before(P), before(V)], 0.5 * rng.normal(size=(3, 2)), rng.normal(size=2), 0.4 * np.eye(2)
            ),
            LinearGaussian(V, [before(V)], [0.8], 0.1, 0.5),
            LinearGaussian(Y, [P], rng.normal(size=(2, 2)), rng.normal(size=2), 0.6 * np.eye(2)),
        ],
    )
    y = torch.from_numpy(rng.normal(size=(2, T, 2)))
    y[1, 2] = torch.nan
    return template, {"y": y}


def number_of(found: Beliefs, seed: int) -> Tensor:
    """All that was answered, as one number with random weights."""
    generator = torch.Generator().manual_seed(seed)
    parts = [found.log_evidence]
    for marginal in found.marginals.values():
        parts += [marginal.flat, marginal.covariance] if isinstance(marginal, Moments) else [marginal]
    known = [torch.nan_to_num(part) for part in parts]
    return sum((x * torch.randn(x.shape, generator=generator, dtype=x.dtype)).sum() for x in known)  # type: ignore[return-value]


def directions(template: Template, seed: int) -> list[tuple[Tensor, Tensor]]:
    """For each parameter a way to move that keeps the sums of probabilities, and zeros."""
    generator, found = torch.Generator().manual_seed(seed), list[tuple[Tensor, Tensor]]()
    for term in template.shared:
        for parameter in term.parameters():
            way = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            if isinstance(term, Tabular):
                there = (parameter > 0).to(way)
                way = there * (way - (way * there).sum(-1, keepdim=True) / there.sum(-1, keepdim=True))
            found.append((parameter, way))
    return found


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("made", [states_seen_through_mixtures, numbers_seen_through_noise])
@given(st.integers(0, 10**6), st.sampled_from(ROUTES))
@settings(max_examples=3)
def test_the_slope_is_that_of_small_differences(
    made: Callable[[int], tuple[Template, dict[str, Tensor]]], question: Callable[..., Beliefs], seed: int, route: str
) -> None:
    template, data = made(seed)
    (name, values), ways = data.popitem(), directions(template, seed)
    ways.append((values.requires_grad_(), torch.randn(values.shape, dtype=values.dtype)))
    ends = [(parameter.detach().clone(), way) for parameter, way in ways]

    def answer(shift: float) -> Tensor:
        with torch.no_grad():
            for (parameter, _), (start, way) in zip(ways, ends, strict=True):
                parameter.copy_(start + shift * way)
        return number_of(question(template, {name: values}, route=route), seed)

    expected = (answer(STEP).item() - answer(-STEP).item()) / (2 * STEP)
    slopes = torch.autograd.grad(answer(0.0), [parameter for parameter, _ in ways], allow_unused=True)
    moved = zip(slopes, ways, strict=True)
    found = sum(float((slope * way).nan_to_num().sum()) for slope, (_, way) in moved if slope is not None)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)  # differences of order STEP ** 2


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("answer", [chains.filtered, chains.smoothed])
@pytest.mark.parametrize("shared", [False, True])
def test_the_slopes_of_chains_are_right_in_every_weight(
    answer: Callable[[Chain, bool], tuple[Tensor, Tensor]], parallel: bool, shared: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 2), (1, 1, 2, 2) if shared else (2, 2, 2, 2), (2, 2, 2)]
    weights = [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]
    chain = Chain(weights[0], weights[1], weights[2], torch.tensor([3, 2]), 3)
    assert torch.autograd.gradcheck(lambda *w: answer(chain.made_of(w), parallel), weights)
    assert torch.autograd.gradgradcheck(lambda *w: answer(chain.made_of(w), parallel), weights)
    assert torch.autograd.gradgradcheck(lambda *w: chains.log_total(chain.made_of(w), parallel), weights)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("answer", [chains.filtered, chains.smoothed])
def test_rows_that_underflow_have_slopes_as_well(
    answer: Callable[[Chain, bool], tuple[Tensor, Tensor]], parallel: bool
) -> None:
    """The first row holds exp(-1000) beside 1 where paths may not mix; the second shares its steps."""
    stay = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]], dtype=torch.float64)[None, None]
    seen = torch.tensor([[[0.0, -1000.0], [-1000.0, 0.0], [0.5, 0.0]], [[0.3, 0.0]] * 3], dtype=torch.float64)
    initial = torch.zeros(2, 2, dtype=torch.float64)
    lengths = torch.tensor([4, 4])
    assert torch.autograd.gradcheck(
        lambda initial, seen: answer(Chain(initial, stay, seen, lengths, 4), parallel),
        [initial.requires_grad_(), seen.requires_grad_()],
    )


@pytest.mark.parametrize("made", [states_seen_through_mixtures, numbers_seen_through_noise])
def test_the_weight_of_the_best_path_has_a_slope(made: Callable[[int], tuple[Template, dict[str, Tensor]]]) -> None:
    """It is that of the log probability of the path: the path itself is the best, or does not move."""
    template, data = made(1)
    parameters = [parameter for parameter in template.parameters() if parameter.numel()]
    found = viterbi(template, data)
    assert found.log_prob is not None
    path = {name: found[name].detach() for name in found}
    slopes = torch.autograd.grad(found.log_prob.sum(), parameters, allow_unused=True)
    expected = torch.autograd.grad(log_likelihood(template, data | path).sum(), parameters, allow_unused=True)
    for mine, theirs in zip(slopes, expected, strict=True):
        zero = torch.zeros(())
        torch.testing.assert_close(
            zero if mine is None else mine, zero if theirs is None else theirs, check_dtype=False
        )


def test_ten_thousand_steps_carry_a_graph_that_is_walked_only_if_asked_for() -> None:
    template, _ = numbers_seen_through_noise(0)
    y = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = smoothing(template, {"y": y})["p"].mean
    with torch.no_grad():
        without = smoothing(template, {"y": y})["p"].mean
    assert not without.requires_grad
    torch.testing.assert_close(mean.detach(), without, rtol=0, atol=0)
    bias = template.later[2].get_parameter("bias")
    (slope,) = torch.autograd.grad(mean[:, 0].sum(), bias)
    with torch.no_grad():
        bias += STEP * torch.tensor([1.0, 0.0])
        up = smoothing(template, {"y": y})["p"].mean[:, 0].sum()
        bias -= 2 * STEP * torch.tensor([1.0, 0.0])
        down = smoothing(template, {"y": y})["p"].mean[:, 0].sum()
    assert slope[0].item() == pytest.approx((up - down).item() / (2 * STEP), rel=1e-6)
