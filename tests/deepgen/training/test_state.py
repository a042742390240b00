"""Everything that training depends on is kept: buffers, dropout, shared parameters, schedules, two phases."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.data import arrays
from deepgen.training import checkpoint
from deepgen.training.fit import fit
from deepgen.training.phase import Batch, Moment, Phase, adam
from deepgen.training.schedules import cosine

OPTIONS = {"batch": 8, "every": 4, "record": 3, "device": "cpu", "seed": 2}


class Codes(nn.Module):
    """A codebook that an objective moves, not a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("book", torch.linspace(-1, 1, 4)[:, None])
        self.register_buffer("scratch", torch.zeros(3), persistent=False)


class Game:
    """Two players, who may share a layer: one with batch norm and dropout, one with a codebook."""

    def __init__(self, seed: int, shared: bool = True) -> None:
        torch.manual_seed(seed)
        first = nn.Linear(2, 3)
        self.model = nn.Sequential(first, nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
        self.guide = nn.Sequential(first if shared else nn.Linear(2, 3), nn.Linear(3, 1), Codes())

    def first(self, batch: Batch, moment: Moment) -> Tensor:
        return (self.model(batch["x"]) - batch["x"].sum(-1, keepdim=True)).square().mean(-1)

    def second(self, batch: Batch, moment: Moment) -> Tensor:
        found, book = self.guide[:2](batch["x"]), self.guide[2].book
        with torch.no_grad():
            book.lerp_(found.mean(), 0.1)
        return (found - book.T).square().amin(-1)

    def phases(self) -> list[Phase]:
        sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9)  # noqa: E731
        one = Phase("one", {"model": self.model}, self.first, 2, adam(1e-2), cosine(20, 3), clip=0.5)
        return [one, Phase("two", {"guide": self.guide}, self.second, 1, sgd, cosine(10))]


def points() -> Tensor:
    return torch.randn(48, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("accumulate", "shared"), [(1, True), (2, False)])
def test_a_resumed_run_has_every_tensor_of_the_run_that_never_stopped(
    tmp_path: Path, accumulate: int, shared: bool
) -> None:
    options = {**OPTIONS, "average": 0.9, "accumulate": accumulate}
    data = arrays("points", x=points())
    fit(Game(0, shared).phases(), data, turns=10, out=tmp_path / "whole", **options)
    fit(Game(0, shared).phases(), data, turns=5, out=tmp_path / "parts", **options)
    fit(Game(9, shared).phases(), data, turns=10, out=tmp_path / "parts", resume=True, **options)
    whole, parts = (checkpoint.read(tmp_path / name) for name in ("whole", "parts"))
    assert whole.tensors.keys() == parts.tensors.keys()
    assert [name for name in whole.tensors if not torch.equal(whole.tensors[name], parts.tensors[name])] == []
    assert {"module.model.1.running_mean", "module.model.1.num_batches_tracked", "module.guide.2.book"} <= {
        *whole.tensors
    }
    assert "module.guide.2.scratch" not in whole.tensors
    assert torch.equal(whole.tensors["module.model.0.weight"], whole.tensors["module.guide.0.weight"]) == shared


def test_shared_parameters_stay_one(tmp_path: Path) -> None:
    game = Game(0)
    fit(game.phases(), arrays("points", x=points()), turns=2, average=0.5, **OPTIONS)
    assert game.model[0].weight is game.guide[0].weight


def test_any_optimiser_learns() -> None:
    """Each of them brings the mean square of a linear map of ones down."""
    for make in (torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam):
        line = nn.Linear(3, 1)
        phase = Phase(
            "fit",
            {"line": line},
            lambda batch, moment, line=line: line(batch["x"]).square().mean(-1),
            optimiser=lambda parameters, make=make: make(parameters, lr=0.01),
        )
        history = fit(phase, arrays("ones", x=torch.ones(8, 3)), turns=20, batch=8, device="cpu", record=1)
        assert history["fit.loss"][-1] < history["fit.loss"][0]
