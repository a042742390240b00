"""A product of terms with its finite variables summed, against the sum over all worlds."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import (
    ConditionalLinearGaussian,
    Deterministic,
    Energy,
    LinearGaussian,
    Model,
    Real,
    Softmax,
    Table,
    Tabular,
    Variable,
)
from pgm.engines.joint import Joint

A, B, C = Variable("a", 2), Variable("b", 3), Variable("c", 2)
MANY = Variable("many", 40)
X, Y, D = Variable("x", Real()), Variable("y", Real(2)), Variable("d", Real())
DRAWS = 4


def model_and_values(seed: int) -> tuple[Model, dict[str, Tensor]]:
    """Terms of every kind over three finite variables, with zeros in tables, and draws of the numeric ones."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    zeros = torch.tensor([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]], dtype=torch.float64)
    model = Model(
        Tabular(A, [], [0.3, 0.7]),
        Tabular(B, [A], zeros),
        ConditionalLinearGaussian(X, [B], None, random(3), random(3).square()),
        Deterministic(D, [X, A], lambda x, a: x * (a + 1)),
        LinearGaussian(Y, [D], random(1, 2), random(2), [1.0, 2.0]),
        Softmax(C, [Y, B], random(5, 2), random(2)),
        Table([A, C], [[1.0, 2.0], [0.0, 0.5]]),
        Energy([X, C], lambda x, c: (x * c).square()),
    )
    return model, {"x": random(DRAWS), "y": random(DRAWS, 2)}


def worlds(model: Model, values: dict[str, Tensor]) -> Tensor:
    """The log of the product in every world, `[draws, a, b, c]`; the value of d is looked up, not weighed."""
    found = torch.empty(DRAWS, 2, 3, 2, dtype=torch.float64)
    for a, b, c in product(range(2), range(3), range(2)):
        states = {name: torch.full((DRAWS,), state) for name, state in (("a", a), ("b", b), ("c", c))}
        found[:, a, b, c] = model.log_prob({**values, **states, "d": values["x"] * (a + 1)}).detach()
    return found


def joint_of(model: Model, more: bool = False) -> Joint:
    """The product of all terms; with more, that of a variable of 40 states, too many worlds to go through, below a."""
    certain = {"d": model.conditionals["d"]}
    terms = [t for t in model.terms if t is not certain["d"]]
    many = Tabular(MANY, [A], torch.full((2, 40), 1 / 40))
    return Joint([*terms, many] if more else terms, certain, {}, {}, [A, B, C, MANY] if more else [A, B, C])


@settings(max_examples=9)
@given(seed=st.integers(0, 10**6), more=st.booleans())
def test_the_sum_is_that_over_all_worlds(seed: int, more: bool) -> None:
    model, values = model_and_values(seed)
    expected = worlds(model, values).flatten(1).logsumexp(1)
    torch.testing.assert_close(joint_of(model, more).log_prob(values).detach(), expected)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6))
def test_probabilities_given_the_numbers_are_those_of_all_worlds(seed: int) -> None:
    model, values = model_and_values(seed)
    joint = worlds(model, values).flatten(1).softmax(1).reshape(DRAWS, 2, 3, 2)
    expected = torch.cat([joint.sum((2, 3)), joint.sum(1).mT.flatten(1)], 1)  # a, and (c, b)
    torch.testing.assert_close(joint_of(model).probabilities(values, [(A,), (C, B)]).detach(), expected)


@pytest.mark.parametrize("more", [False, True])
def test_the_gradient_is_that_of_the_sum_over_all_worlds(more: bool) -> None:
    model, values = model_and_values(1)
    values = {name: value.requires_grad_() for name, value in values.items()}
    inputs = [*values.values(), model.conditionals["x"].bias]
    states = [dict(zip("abc", world, strict=True)) for world in product(range(2), range(3), range(2))]
    logs = [
        model.log_prob({**values, "d": values["x"] * (s["a"] + 1), **{n: torch.tensor(k) for n, k in s.items()}})
        for s in states
    ]
    possible = [log for log in logs if bool(torch.isfinite(log).all())]  # logsumexp of all -inf has no gradient
    expected = torch.autograd.grad(torch.stack(possible).logsumexp(0).sum(), inputs)
    found = torch.autograd.grad(joint_of(model, more).log_prob(values).sum(), inputs)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("many", [[], [MANY]])
def test_densities_beyond_the_range_of_floats_are_summed(many: list[Variable]) -> None:
    values = {"x": torch.tensor([0.0, 300.0], dtype=torch.float64)}  # log densities of some -45,000 and -1e6
    model = Model(
        Tabular(A, [], [0.5, 0.5]),
        ConditionalLinearGaussian(X, [A], None, [-300.0, 300.0], [1.0]),
        ConditionalLinearGaussian(D, [A], None, [1400.0, -1400.0], [1.0]),
    )
    terms = [*model.terms, *(Tabular(v, [], [1 / v.size] * v.size) for v in many)]
    joint = Joint(terms, {}, {"d": torch.tensor(0.0)}, {}, [A, *many])
    logs = torch.stack([model.log_prob({**values, "d": 0.0, "a": torch.tensor([k, k])}) for k in (0, 1)])
    torch.testing.assert_close(joint.log_prob(values), logs.logsumexp(0))


def test_draws_of_finite_variables_follow_their_probabilities() -> None:
    model, values = model_and_values(5)
    joint, n = joint_of(model), 4000
    one = {name: value[:1].expand([n, *value.shape[1:]]) for name, value in values.items()}
    drawn = joint.draw(one, n, torch.Generator().manual_seed(0))
    expected = joint.probabilities({name: value[:1] for name, value in values.items()}, [(A, C)])[0].detach()
    found = torch.bincount(2 * drawn["a"] + drawn["c"], minlength=4) / n
    error = (expected * (1 - expected) / n).sqrt()
    assert bool(((found - expected).abs() <= 4 * error).all())
