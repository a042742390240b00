"""What tests of games share."""

from collections.abc import Callable, Sequence

import pytest
import torch

from deepgen.training.phase import Batch, Make, Moment, Phase, adam


@pytest.fixture
def turns_without_waiting() -> Callable[..., None]:
    """Two turns of all phases on a GPU, of which the second may not wait for it once; all parameters stay finite."""

    def play(phases: Sequence[Phase], batch: Batch, make: Make | None = None) -> None:
        for phase in phases:
            for module in phase.modules.values():
                module.cuda()
        players = [(phase, (make or adam(1e-3))(phase.parameters())) for phase in phases]
        try:
            for turn in range(2):
                torch.cuda.set_sync_debug_mode("error" if turn else "default")
                for phase, optimiser in players:
                    phase.objective(batch, Moment(turn, turn, 0.0))["loss"].mean().backward()
                    optimiser.step()
                    optimiser.zero_grad()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert all(p.isfinite().all() for phase in phases for p in phase.parameters())

    return play
