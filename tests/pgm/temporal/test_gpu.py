"""Questions on a GPU, held to the CPU."""

import copy

import pytest
import torch

from pgm import (
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

Z, W, X, P, Y = (Variable("z", 3), Variable("w", 2), Variable("x", 2), Variable("p", Real(2)), Variable("y", Real()))
CHAIN = Template(
    [Tabular(Z, [], [0.5, 0.3, 0.2])],
    [
        Tabular(Z, [before(Z)], [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]]),
        Tabular(W, [Z], [[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]]),
        Tabular(X, [W], [[0.9, 0.1], [0.1, 0.9]]),
    ],
)
WALK = Template(
    [Gaussian(P, [1.0, 0.0], [[1.0, 0.3], [0.3, 0.5]])],
    [
        LinearGaussian(P, [before(P)], [[0.9, 0.1], [0.0, 0.5]], [0.1, -0.1], [0.2, 0.3]),
        LinearGaussian(Y, [P], [1.0, 0.5], 0.0, 0.4),
    ],
)
SYMBOLS = torch.randint(-1, 2, (4, 50), generator=torch.Generator().manual_seed(0))
NUMBERS = torch.randn(4, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.gpu
@pytest.mark.parametrize("route", ["auto", "sequential", "parallel"])
@pytest.mark.parametrize(("template", "data"), [(CHAIN, {"x": SYMBOLS}), (WALK, {"y": NUMBERS})])
def test_answers_are_those_of_the_cpu(template: Template, data: dict[str, torch.Tensor], route: str) -> None:
    there, lengths = copy.deepcopy(template).cuda(), [50, 30, 7, 1]
    mine, theirs = (log_likelihood(t, data, lengths, route).sum() for t in (there, template))  # type: ignore[arg-type]
    torch.testing.assert_close(mine.cpu(), theirs)
    mine.backward()
    theirs.backward()
    for one, two in zip(there.parameters(), template.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None)
        torch.testing.assert_close(one.grad if one.grad is None else one.grad.cpu(), two.grad)
    for question in (smoothing, filtering):
        ours, expected = question(there, data, lengths, route), question(template, data, lengths)  # type: ignore[arg-type]
        name = next(iter(expected))
        pairs = [(x[name] if x[name].__class__ is torch.Tensor else x[name].mean) for x in (ours, expected)]
        torch.testing.assert_close(pairs[0].cpu(), pairs[1], equal_nan=True)
    torch.testing.assert_close(viterbi(there, data)[name].cpu(), viterbi(template, data)[name])
    ahead = [prediction(t, data, 2, lengths)[name] for t in (there, template)]
    pairs = [x if x.__class__ is torch.Tensor else x.mean for x in ahead]
    torch.testing.assert_close(pairs[0].cpu(), pairs[1])
