"""Simulated annealing against enumeration, on fields small enough that failing has a known, small probability."""

import pytest
import torch

from pgm import MarkovNetwork, SimulatedAnnealing, Table, Variable, grid, mpe
from pgm.approximate.search.moves import CompiledMoves
from pgm.errors import PlanError
from pgm.fields.field import Field
from pgm.fields.testing import random_field, worlds


def frustrated(seed: int, side: int) -> Field:
    generator = torch.Generator().manual_seed(seed)
    links = torch.randn(2, side, side, 1, 1, generator=generator).double()
    return grid(torch.zeros(side, side, 2).double(), links * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))


@pytest.mark.parametrize("seed", range(8))
def test_small_frustrated_grids_are_solved(seed: int) -> None:
    """At temperature 3 a chain forgets where it began, and 20 chains are independent: all miss only if each does.

    Had a single chain no more than one chance in two, 20 would miss once in a million."""
    field = frustrated(seed, 4)
    found = SimulatedAnnealing(sweeps=300, chains=20, seed=seed).search(field)
    best = worlds(field).logs.max(1).values
    torch.testing.assert_close(field.log_weight(found.states), best)
    assert bool((found.bound >= best - 1e-9).all())


def test_rows_and_wide_factors_are_solved_side_by_side() -> None:
    field = random_field(4, variables=5, rows=3, trains=1, zeros=0.2)
    found = SimulatedAnnealing(sweeps=100, chains=20).search(field)
    torch.testing.assert_close(field.log_weight(found.states), worlds(field).logs.max(1).values)


def test_one_seed_is_one_answer() -> None:
    field = frustrated(0, 12)
    first, again = (SimulatedAnnealing(sweeps=20, chains=1, seed=3).search(field).states for _ in range(2))
    assert torch.equal(first, again)
    other = SimulatedAnnealing(sweeps=20, chains=1, seed=4).search(field).states
    assert not torch.equal(first, other)


def test_slower_cooling_is_better_on_average() -> None:
    """20 large grids each: a difference of means many standard errors above 0."""
    fields = [frustrated(seed, 12) for seed in range(10)]
    fast, slow = (
        torch.stack([f.log_weight(SimulatedAnnealing(sweeps=n, chains=1).search(f).states)[0] for f in fields])
        for n in (5, 200)
    )
    gain = slow - fast
    assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5


def test_ctrl_c_finishes_from_where_the_chains_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls = CompiledMoves.visit, iter(range(1000))

    def interrupted(self: CompiledMoves, states: torch.Tensor, temperature: float = 0.0) -> torch.Tensor:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return plain(self, states, temperature)

    monkeypatch.setattr(CompiledMoves, "visit", interrupted)
    field = frustrated(0, 4)
    found = SimulatedAnnealing().search(field)
    assert found.diagnostics["interrupted"] == [True]
    assert found.diagnostics["iterations"] == [4]
    near = (worlds(field).states != found.states[:, None]).sum(-1) <= 1
    torch.testing.assert_close(
        worlds(field).logs.masked_fill(~near, -torch.inf).amax(1), field.log_weight(found.states)
    )


def test_models_are_explained() -> None:
    a, b, c = Variable("a"), Variable("b", 3), Variable("c")
    model = MarkovNetwork(Table([a, b], [[1.0, 5.0, 2.0], [4.0, 1.0, 3.0]]), Table([b, c], [[1, 2], [2, 1], [9, 1]]))
    found = mpe(model, given={"a": ["0", "1", None]}, engine=SimulatedAnnealing(sweeps=50))
    torch.testing.assert_close(found.log_prob.exp()[:, 0], torch.tensor([18.0, 27.0, 27.0]).double())
    assert found.diagnostics["iterations"] == [50] * 3


@pytest.mark.gpu
def test_it_works_where_the_field_is() -> None:
    field = frustrated(0, 4)
    found = SimulatedAnnealing(sweeps=300, chains=20).search(field.to("cuda"))
    assert field.log_weight(found.states.cpu()).item() == pytest.approx(worlds(field).logs.max().item())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sweeps": 0}, "sweeps is 0"),
        ({"chains": 0}, "chains is 0"),
        ({"start": 1.0, "end": 2.0}, r"temperatures fall from 1\.0 to 2\.0"),
        ({"end": 0.0}, r"temperatures fall from 3\.0 to 0\.0"),
    ],
)
def test_options_are_checked(options: dict, text: str) -> None:
    with pytest.raises(PlanError, match=f"SimulatedAnnealing: {text}"):
        SimulatedAnnealing(**options)
