"""Max-product with decimation: trees by enumeration, codes and networks by exact inference."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Field, MarkovNetwork, MaxProduct, Parity, Table, Variable, grid, mpe
from pgm.approximate.messages.passing import Passing
from pgm.approximate.messages.settle import Settled
from pgm.engines.decimation import leading
from pgm.engines.loopy import LoopyBP
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.fields.testing import random_field, worlds
from pgm.testing import random_case


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=7)
def test_trees_are_solved(seed: int, rows: int) -> None:
    field = random_field(seed, variables=7, rows=rows, tree=True)
    found, best = MaxProduct().search(field), worlds(field).logs.max(1).values
    torch.testing.assert_close(field.log_weight(found.states), best)
    assert found.diagnostics["converged"] == [True] * rows


@pytest.mark.filterwarnings("ignore::pgm.errors.ConvergenceWarning")  # with loops messages need not settle
@given(st.integers(0, 10_000), st.integers(1, 2), st.sampled_from([0.0, 0.3]))
@settings(max_examples=7)
def test_the_bound_is_above_the_best_and_states_are_local_optima(seed: int, rows: int, zeros: float) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=zeros)
    found, all_ = MaxProduct(iterations=50).search(field), worlds(field)
    near = (all_.states != found.states[:, None]).sum(-1) <= 1  # [rows, worlds]
    torch.testing.assert_close(all_.logs.masked_fill(~near, -torch.inf).amax(1), field.log_weight(found.states))
    assert bool((found.bound >= all_.logs.max(1).values - 1e-9).all())


def test_ties_are_broken_one_by_one() -> None:
    """A ring whose neighbours want to differ: both ways around weigh 8 links of 1."""
    field = grid(torch.zeros(3, 3, 2).double(), 1 - torch.eye(2).double())
    found = MaxProduct(share=1.0).search(field)
    assert field.log_weight(found.states).item() == 12.0  # all links of a 3 x 3 grid


def test_a_long_code_is_corrected() -> None:
    """A check of even parity over all 20 bits, wider than any table: the one unlikely bit must flip, or the least
    certain of the others."""
    bits = [Variable(f"b{k}") for k in range(20)]
    off = torch.linspace(0.95, 0.6, 20).double()
    noise = [
        Table([bit], torch.stack([1 - p, p] if k == 3 else [p, 1 - p]))
        for k, (bit, p) in enumerate(zip(bits, off, strict=True))
    ]
    found = mpe(MarkovNetwork(*noise, Parity(bits)), engine=MaxProduct())
    assert [k for k, state in enumerate(found.states[0].tolist()) if state] == [3, 19]


def test_models_are_explained_in_rows() -> None:
    model, seen, _ = random_case(5, "bayesian")
    rows = {name: [label, None] for name, label in seen.items()}
    expected, found = mpe(model, given=rows).log_prob, mpe(model, given=rows, engine=MaxProduct())
    assert bool((found.log_prob <= expected + 1e-9).all())
    assert bool((found.bound >= expected[:, 0] - 1e-9).all())


def test_the_lead_is_that_of_the_best_state_over_the_second() -> None:
    field = Field(torch.tensor([2, 3]), torch.zeros(2, 5))
    marginals = torch.tensor([[0.3, 0.7, 0.5, 0.1, 0.4], [0.5, 0.5, 0.0, 0.0, 1.0]])
    states, lead = leading(field, marginals)
    assert states.tolist() == [[1, 0], [0, 2]]
    torch.testing.assert_close(lead, torch.tensor([[0.4, 0.1], [0.0, 1.0]]))


def test_contradictory_evidence_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    model = MarkovNetwork(Table([a, b], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="MaxProduct: the evidence {'b': '1'} has probability 0"):
        mpe(model, given={"b": "1"}, engine=MaxProduct())


def test_messages_that_do_not_settle_are_said_so() -> None:
    field = random_field(3, variables=8, strength=3.0)
    with pytest.warns(
        ConvergenceWarning, match="MaxProduct: messages had not settled when .* in 1 of 1 rows. Use more"
    ):
        found = MaxProduct(iterations=1).search(field)
    assert found.diagnostics["converged"] == [False]


def test_ctrl_c_keeps_what_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls = LoopyBP.settle, iter(range(100))

    def interrupted(self: LoopyBP, field: Field, start: torch.Tensor | None = None) -> tuple[Passing, Settled]:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return plain(self, field, start)

    monkeypatch.setattr(LoopyBP, "settle", interrupted)
    field = random_field(1, variables=8, tree=True)
    found = MaxProduct(share=0.1).search(field)
    assert found.diagnostics["interrupted"] == [True]
    assert found.bound.item() >= worlds(field).logs.max().item() - 1e-9


@pytest.mark.gpu
def test_it_works_where_the_field_is() -> None:
    field = random_field(1, variables=8, tree=True)
    found = MaxProduct().search(field.to("cuda"))
    torch.testing.assert_close(
        field.log_weight(found.states.cpu()), field.log_weight(MaxProduct().search(field).states)
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"share": 0.0}, r"share is 0\.0"),
        ({"damping": 1.0}, r"damping is 1\.0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"tolerance": -1.0}, r"tolerance is -1\.0"),
    ],
)
def test_options_are_checked(options: dict, text: str) -> None:
    with pytest.raises(PlanError, match=f"MaxProduct: {text}"):
        MaxProduct(**options)
