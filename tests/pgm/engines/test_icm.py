"""Iterated conditional modes: local optima, and what they end in, by the weights of joint states."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import ICM, MarkovNetwork, NoisyOr, Table, Tabular, Variable, grid, mpe
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.fields.testing import random_field, worlds
from pgm.model import BayesianNetwork
from pgm.testing import random_case


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, 1))
@settings(max_examples=9)
def test_no_change_of_one_variable_is_better(seed: int, rows: int, trains: int) -> None:
    field = random_field(seed, variables=5, rows=rows, trains=trains)
    found = ICM().search(field)
    weight, best = field.log_weight(found.states), worlds(field).logs.max(1).values
    near = (worlds(field).states != found.states[:, None]).sum(-1) <= 1  # [rows, worlds]
    torch.testing.assert_close(worlds(field).logs.masked_fill(~near, -torch.inf).amax(1), weight)
    assert bool((found.bound >= best - 1e-9).all())
    torch.testing.assert_close(torch.tensor(found.diagnostics["gap"]).double(), found.bound - weight)


def test_more_restarts_are_never_worse() -> None:
    """Restarts with one seed begin with the same states, so that each is one of more to choose from."""
    generator = torch.Generator().manual_seed(1)
    signs = torch.randn(2, 8, 8, 1, 1, generator=generator).double() * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    field = grid(torch.zeros(8, 8, 2).double(), 2 * signs)
    weights = [field.log_weight(ICM(restarts=n).search(field).states).item() for n in (0, 3, 10, 30)]
    assert weights == sorted(weights)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_explanations_weigh_what_they_say(seed: int) -> None:
    model, seen, _ = random_case(seed, "bayesian")
    expected, found = mpe(model, given=seen), mpe(model, given=seen, engine=ICM())
    torch.testing.assert_close(model.log_prob(found.assignment()).detach(), found.log_prob[0])
    assert found.log_prob[0] <= expected.log_prob[0] + 1e-9 <= found.bound + 2e-9


def test_constraints_are_kept() -> None:
    """Colouring a ring of ten with three colours: hardly any random start is possible, every end is."""
    xs = [Variable(f"x{k}", 3) for k in range(10)]
    differ = [[0.0, 1, 1], [1, 0.0, 1], [1, 1, 0.0]]
    ring = MarkovNetwork(*(Table([xs[k], xs[(k + 1) % 10]], differ) for k in range(10)))
    assert mpe(ring, engine=ICM()).log_prob.item() == 0.0


def test_causes_too_many_for_a_bound_leave_that_of_a_probability() -> None:
    xs = [Variable(f"x{k}") for k in range(30)]
    model = BayesianNetwork(*(Tabular(x, [], [0.9, 0.1]) for x in xs), NoisyOr(Variable("on"), xs, [0.5] * 30))
    found = mpe(model, given={"on": 1}, engine=ICM())
    torch.testing.assert_close(found.log_prob.exp(), torch.tensor([0.9**29 * 0.1 * 0.5]).double())  # one cause
    assert found.bound.item() == 0.0  # that of any probability


def test_impossible_evidence_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="probability 0"):
        mpe(model, given={"b": "1"}, engine=ICM())


def test_nothing_possible_found_is_said_so() -> None:
    differ = [[0.0, 1.0], [1.0, 0.0]]
    a, b, c = (Variable(name) for name in "abc")
    model = MarkovNetwork(Table([a, b], differ), Table([b, c], differ), Table([a, c], differ))
    with pytest.warns(ConvergenceWarning, match="ICM: found no joint states of positive probability in 1 of 1 rows"):
        mpe(model, engine=ICM())


@pytest.mark.gpu
def test_it_works_where_the_field_is() -> None:
    field = random_field(1, variables=8, tree=True)
    found = ICM().search(field.to("cuda"))
    torch.testing.assert_close(field.log_weight(found.states.cpu()), field.log_weight(ICM().search(field).states))


@pytest.mark.parametrize(
    ("options", "text"), [({"restarts": -1}, "restarts is -1"), ({"iterations": 0}, "iterations is 0")]
)
def test_options_are_checked(options: dict, text: str) -> None:
    with pytest.raises(PlanError, match=f"ICM: {text}"):
        ICM(**options)
