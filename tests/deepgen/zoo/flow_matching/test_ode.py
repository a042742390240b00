"""Runge-Kutta methods where the solution is known."""

from math import exp, log2

import pytest
import torch

from deepgen.zoo.flow_matching.ode import METHODS, adapted, integrated

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}


def pulled(time, x):
    """dx/dt = 2 t x, whose solution is x exp(t^2)."""
    return 2 * time * x


def arrived(method, steps):
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64).tolist()
    *_, (_, found) = integrated(pulled, torch.ones(1, dtype=torch.float64), times, method)
    return found.item()


def test_all_methods_have_an_order():
    assert set(METHODS) == set(ORDERS)


@pytest.mark.parametrize(("method", "order"), ORDERS.items())
def test_twice_as_many_steps_divide_the_error_by_two_to_the_order(method, order):
    errors = [abs(arrived(method, steps) - exp(1)) for steps in (64, 128)]
    assert abs(log2(errors[0] / errors[1]) - order) < 0.1


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_a_tolerance_is_kept_and_costs_no_more_than_it_needs(tolerance):
    *states, (time, found) = adapted(pulled, torch.ones(1, dtype=torch.float64), 0.0, 1.0, tolerance)
    steps = len(states) + 1
    assert time == 1.0
    assert abs(found.item() - exp(1)) < steps * tolerance * (1 + exp(1)) * exp(1)  # errors grow on the way by e at most
    assert steps < 4 * tolerance**-0.2  # of order 5


def test_the_way_back_ends_where_the_way_began():
    start = torch.tensor([[1.0], [-3.0]], dtype=torch.float64)
    *_, (_, there) = adapted(pulled, start, 0.0, 1.0, 1e-9)
    *_, (time, back) = adapted(pulled, there, 1.0, 0.0, 1e-9)
    assert time == 0.0
    torch.testing.assert_close(back, start, atol=1e-7, rtol=0)


def test_a_jump_ends_in_the_shortest_steps_and_not_in_none():
    *_, (time, found) = adapted(lambda t, x: torch.full_like(x, float(t > 0.5)), torch.zeros(1), 0.0, 1.0, 1e-12)
    assert time == 1.0
    assert abs(found.item() - 0.5) < 1e-3


def test_refusals():
    with pytest.raises(ValueError, match="method is 'rk5', expected one of 'euler', 'midpoint', 'heun', 'rk4'"):
        next(integrated(pulled, torch.ones(1), [0.0, 1.0], "rk5"))
    with pytest.raises(ValueError, match="tolerance is 0.0, expected a number above 0"):
        next(adapted(pulled, torch.ones(1), 0.0, 1.0, 0.0))
