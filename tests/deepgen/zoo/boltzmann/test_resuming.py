"""Machines that stop and go on are those that never stopped, to the bit: chains, centres, fast weights, randomness."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from deepgen import (
    Phase,
    arrays,
    contrastive_divergence,
    dbm,
    fast_persistent,
    fit,
    monitored,
    persistent,
    rbm,
    sgd,
    sparse,
    tempered,
)
from deepgen.training import checkpoint
from deepgen.zoo.boltzmann import Machine
from pgm import Binary, Variable

V, LABEL = Variable("v", Binary(4)), Variable("label", range(2))
ROWS = torch.rand(24, 4, generator=torch.Generator().manual_seed(0)).round()
DATA = arrays("bits", v=ROWS, label=ROWS[:, 0].long())
OPTIONS = {"batch": 6, "every": 4, "record": 3, "device": "cpu", "progress": False}
WAYS: dict[str, tuple[Callable[..., Machine], Callable[..., Phase]]] = {
    "from the data": (rbm, contrastive_divergence),
    "persistent": (rbm, partial(persistent, chains=5, penalty=sparse())),
    "fast": (rbm, partial(fast_persistent, chains=5)),
    "tempered": (rbm, partial(tempered, chains=5, temperatures=3)),
    "deep": (dbm, partial(persistent, chains=5)),
}


def learning(way: str, seed: int) -> Phase:
    torch.manual_seed(seed)
    make, learn = WAYS[way]
    machine = make(V, *((3, 2) if make is dbm else (3,)), label=LABEL)
    phase = learn(machine, centring=0.1, optimiser=sgd(0.1, momentum=0.5))
    return monitored(phase, machine, DATA, DATA, every=2) if make is rbm else phase


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_is_the_run_that_never_stopped(way: str, tmp_path: Path) -> None:
    whole = fit(learning(way, 0), DATA, turns=12, out=tmp_path / "whole", **OPTIONS)
    fit(learning(way, 0), DATA, turns=6, out=tmp_path / "parts", **OPTIONS)
    parts = fit(learning(way, 9), DATA, turns=12, out=tmp_path / "parts", resume=True, **OPTIONS)
    one, two = (checkpoint.read(tmp_path / name).tensors for name in ("whole", "parts"))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    assert ("module.chains.layer0" in one) == (way != "from the data")
    assert ("module.fast.added0" in one) == (way == "fast")
    assert parts.last | {"seconds": 0} == whole.last | {"seconds": 0}
