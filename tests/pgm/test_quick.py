"""Distributions of few operations beside torch's own."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, kl_divergence

from pgm.quick import LogOdds, LogScaleNormal, Together, pathwise

MAKERS: dict[str, tuple[Callable[[Tensor], Distribution], Callable[[Tensor], Distribution]]] = {
    "normal": (lambda x: LogScaleNormal(x, x / 2), lambda x: Normal(x, (x / 2).exp())),
    "bits": (LogOdds, lambda x: Bernoulli(logits=x)),
    "together": (lambda x: Together(LogScaleNormal(x, x), 1), lambda x: Independent(Normal(x, x.exp()), 1)),
}


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=10)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 3), many=st.booleans())
def test_they_say_what_torch_says(name: str, seed: int, rows: int, many: bool) -> None:
    """Densities, entropies, moments, shapes and gradients, also of what was expanded."""
    numbers = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values = torch.rand(5, rows, 4, generator=torch.Generator().manual_seed(seed + 1)).round().double()
    slopes, found = [], []
    for make in MAKERS[name]:
        leaf = numbers.clone().requires_grad_()
        made = make(leaf)
        made = made.expand([5, *made.batch_shape]) if many else made
        density = made.log_prob(values)
        slopes.append(torch.autograd.grad(density.sum(), leaf)[0])
        found.append((density, made.mean, made.variance, made.entropy(), made.batch_shape, made.event_shape))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", MAKERS)
def test_draws_have_the_mean_and_variance_of_the_law(name: str) -> None:
    n = 20_000
    made = MAKERS[name][0](torch.tensor([[-1.0, 0.5, 2.0]], dtype=torch.float64))
    torch.manual_seed(0)
    drawn = made.sample(torch.Size([n]))
    assert drawn.shape == (n, 1, 3)
    assert ((drawn.mean(0) - made.mean).abs() < 5 * (made.variance / n).sqrt()).all()
    squares = (drawn - made.mean).square()
    assert ((squares.mean(0) - made.variance).abs() < 5 * squares.std(0) / n**0.5).all()


def test_divergences_are_torchs() -> None:
    one, other = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    found = kl_divergence(LogScaleNormal(one, other), LogScaleNormal(other, one))
    torch.testing.assert_close(found, kl_divergence(Normal(one, other.exp()), Normal(other, one.exp())))


def test_a_draw_knows_its_density_along_its_gradient():
    """The value is that of `log_prob`, and so are the gradients in the parameters, through the draw."""
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(5, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)]
    found = []
    for route in (lambda made: pathwise(made)[1](), lambda made: made.log_prob(made.rsample())):
        torch.manual_seed(0)
        total = route(Together(LogScaleNormal(*parameters), 1))
        found.append([total, *torch.autograd.grad(total.square().sum(), parameters, materialize_grads=True)])
    torch.testing.assert_close(found[0], found[1])


def test_other_draws_ask_their_distribution():
    made = Independent(torch.distributions.Laplace(torch.zeros(4, 2), torch.ones(4, 2)), 1)
    value, density = pathwise(made)
    torch.testing.assert_close(density(), made.log_prob(value))
