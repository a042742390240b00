"""What counts as known beforehand is what enumeration says whatever the tables are."""

from math import inf

import torch

from pgm.approximate.unseen import least_effective, unsure, unsure_jointly, widened
from pgm.fields.field import Field, Group
from pgm.fields.testing import worlds


def field(seed: int) -> Field:
    """A pair, a variable alone, one with a single state left that is linked, and an impossible state."""
    logs = torch.randn(1, 2, 2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    unary = torch.tensor([[0.0, 1.0, 0.0, -inf, 2.0, -inf, 0.0, 0.5, -0.5]], dtype=torch.float64)
    return Field(torch.tensor([2, 3, 2, 2]), unary, (Group(torch.tensor([[0, 1], [2, 1]]), logs),))


def test_states_that_are_sure_do_not_depend_on_tables() -> None:
    """Over twenty drawn tables the marginals of those that are unsure vary, and of no others."""
    open_, each = unsure(field(0)), torch.stack([worlds(field(seed)).marginals for seed in range(20)])
    assert torch.equal(each.std(0) > 1e-12, open_)
    joints = torch.stack([worlds(field(seed)).joint((0, 2)) for seed in range(20)])
    possible = ~field(0).unary.isneginf()
    assert torch.equal(joints.std(0) > 1e-12, unsure_jointly(possible, field(0), (0, 2)))
    assert not bool(unsure_jointly(possible, field(0), (2,)).any())


def test_errors_grow_by_one_effective_draw() -> None:
    """A fair coin seen 400 times has an error of 1/40, which makes 400 draws of it: 0.025 and 1/400 in squares."""
    p, error = torch.tensor([[0.5, 0.5, 1.0]]), torch.tensor([[0.025, 0.025, 0.0]])
    least = least_effective(p, error, 1000)
    torch.testing.assert_close(least, torch.tensor([400.0]))
    found = widened(error, least, torch.tensor([[True, False, True]]))
    torch.testing.assert_close(found, torch.tensor([[(0.025**2 + 400.0**-2) ** 0.5, 0.025, 1 / 400]]))
    assert least_effective(p, error * 0, 1000).tolist() == [1000.0]
