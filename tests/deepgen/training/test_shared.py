"""Parameters that two modules of a phase have in common, as the model and the guide of a ladder do."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.data import Data, arrays
from deepgen.errors import DivergenceError
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.phases import variational
from deepgen.training import checkpoint
from deepgen.training.fit import fit
from deepgen.training.phase import Phase
from deepgen.zoo.ladder import ladder_vae
from pgm import Binary, Variable


def pair(seed: int = 0) -> Pair:
    torch.manual_seed(seed)
    return ladder_vae(Variable("x", Binary(4)), [3, 2], upward=5, encoder=mlp(6), decoder=mlp(6))


def data() -> Data:
    return arrays("bits", x=torch.rand(64, 4, generator=torch.Generator().manual_seed(0)).round())


def weights(made: Pair) -> list[Tensor]:
    return [p.detach() for module in (made.model, made.guide) for p in module.parameters()]


def test_the_guide_holds_the_models_own_parameters_and_they_move_once() -> None:
    made = pair()
    own, theirs = ({id(p) for p in module.parameters()} for module in (made.model, made.guide))
    shared = {id(p) for p in made.model.conditionals["z1"].parameters()}
    assert own & theirs == shared
    assert len(variational(made).parameters()) == len(own | theirs)


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path: Path, average: float | None) -> None:
    whole, parts, other = pair(), pair(), pair(1)
    options = {"batch": 16, "every": 4, "record": 2, "device": "cpu", "average": average, "progress": False}
    fit(variational(whole, clip=1.0), data(), turns=12, **options)
    fit(variational(parts, clip=1.0), data(), turns=7, out=tmp_path, **options)
    fit(variational(other, clip=1.0), data(), turns=12, out=tmp_path, resume=True, **options)
    assert all(torch.equal(one, two) for one, two in zip(weights(whole), weights(other), strict=True))
    assert other.model.conditionals["z1"] in other.guide.conditionals["z1"].experts


def test_both_names_of_a_parameter_have_one_value_in_a_checkpoint(tmp_path: Path) -> None:
    made = pair()
    fit(variational(made), data(), turns=4, batch=16, device="cpu", average=0.9, out=tmp_path, progress=False)
    tensors = checkpoint.read(tmp_path).tensors
    places: dict[int, list[str]] = {}
    for root, module in made.modules.items():
        for name, parameter in module.named_parameters(remove_duplicate=False):
            places.setdefault(id(parameter), []).append(f"{root}.{name}")
    twice = [names for names in places.values() if {name.split(".")[0] for name in names} == {"model", "guide"}]
    assert len(twice) == len(list(made.model.conditionals["z1"].parameters()))
    for names in twice:
        held = [tensors[f"module.{name}"] for name in names]
        assert all(torch.equal(held[0], each) for each in held)


def test_what_is_no_longer_finite_is_called_by_its_first_name() -> None:
    inner = nn.Linear(2, 1)
    one, two = nn.Sequential(inner), nn.Sequential(nn.Linear(2, 2), inner)

    def objective(batch, moment) -> Tensor:
        return two(batch["x"]).square().mean(-1) / (moment.step < 3)

    phase = Phase("squares", {"one": one, "two": two}, objective)
    rows = arrays("points", x=torch.randn(32, 2))
    before = inner.weight.detach().clone()
    with pytest.raises(DivergenceError, match=r"the first parameter that is not is one\.0\.weight"):
        fit(phase, rows, turns=10, batch=8, every=100, record=5, device="cpu", progress=False)
    torch.testing.assert_close(inner.weight.detach(), before)  # the modules have what was good last


def test_averages_of_a_ladder_are_those_of_its_parameters() -> None:
    """Decay 0 keeps no past: the average is the parameter itself, under both names."""
    plain, averaged = pair(), pair()
    options = {"turns": 5, "batch": 16, "device": "cpu", "progress": False}
    run = partial(fit, data=data(), **options)
    run(variational(plain))
    run(variational(averaged), average=0.0)
    assert all(torch.equal(one, two) for one, two in zip(weights(plain), weights(averaged), strict=True))
