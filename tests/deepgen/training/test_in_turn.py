"""Phases that follow one another learn what each would learn alone."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.data import arrays
from deepgen.training.fit import fit
from deepgen.training.in_turn import in_turn
from deepgen.training.phase import Phase, adam
from deepgen.training.schedules import linear

DATA = arrays("a line", x=torch.linspace(-1, 1, 8)[:, None])


def lines() -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    return nn.Linear(1, 1), nn.Linear(1, 1)


def phase(name: str, line: nn.Linear, **options: object) -> Phase:
    def objective(batch: dict[str, Tensor], moment: object) -> Tensor:
        return (line(batch["x"]) - 3).square().mean(-1)

    return Phase(name, {name: line}, objective, **options)  # type: ignore[arg-type]


def test_each_learns_for_its_steps_on_its_own_schedule() -> None:
    """All rows are in every batch, so that two fits of 6 and 4 steps find what one of 10 does."""
    options, apart, together = {"optimiser": adam(0.1), "rate": linear(1.0, 0.0, 6)}, lines(), lines()
    for name, line, steps in zip(("one", "two"), apart, (6, 4), strict=True):
        fit(phase(name, line, **options), DATA, turns=steps, batch=8, device="cpu", progress=False)
    one, two = (phase(name, line, **options) for name, line in zip(("one", "two"), together, strict=True))
    fit(in_turn("both", (one, 6), (two, 4)), DATA, turns=10, batch=8, device="cpu", progress=False)
    for first, second in zip(apart, together, strict=True):
        torch.testing.assert_close(first.state_dict(), second.state_dict())


def test_refusals() -> None:
    first, second = lines()
    with pytest.raises(ValueError, match=r"in_turn: 'both' has 0 phases, expected one or more of 1 step or more"):
        in_turn("both")
    with pytest.raises(ValueError, match="expected one or more of 1 step or more"):
        in_turn("both", (phase("one", first), 0))
    with pytest.raises(ValueError, match="have different optimisers, clips or steps; make one"):
        in_turn("both", (phase("one", first), 1), (phase("two", second, clip=1.0), 1))
    with pytest.raises(ValueError, match="has two modules called 'one'; give each a name of its own"):
        in_turn("both", (phase("one", first), 1), (phase("one", second), 1))
