"""Proofs by the solver toulbar2, against enumeration and exact inference."""

import importlib.util
import os
import pathlib
import signal
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Toulbar2, Variable, grid, load, mpe, sample
from pgm.errors import EvidenceError, PlanError
from pgm.fields.testing import random_field, worlds
from pgm.model import MarkovNetwork
from pgm.potentials import Table

PGMPY = importlib.util.find_spec("pgmpy")
FOLDER = pathlib.Path(os.path.dirname(PGMPY.origin or "") if PGMPY else "") / "utils" / "example_models"
needs_solver = pytest.mark.skipif(importlib.util.find_spec("pytoulbar2") is None, reason="pytoulbar2 is not installed")


@needs_solver
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([0.0, 0.4]), st.integers(0, 1))
@settings(max_examples=17)
def test_what_is_proved_is_the_best(seed: int, rows: int, zeros: float, trains: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=zeros, trains=trains)
    found, best = Toulbar2().search(field), worlds(field).logs.max(1).values
    assert found.diagnostics["certified"] == [True] * rows
    torch.testing.assert_close(field.log_weight(found.states), best)
    assert bool((found.bound >= best).all())
    slack = 1e-9 * 2 * (sum(len(part) for part in field.parts) + 40)  # half a multiple a factor, twice
    assert bool((found.bound <= best + slack).all())


@needs_solver
@pytest.mark.skipif(PGMPY is None, reason="pgmpy, which carries the networks, is not installed")
@pytest.mark.parametrize("name", ["alarm", "hailfinder", "hepar2"])
def test_networks_are_explained_as_exactly(name: str) -> None:
    model = load(FOLDER / f"{name}.bif.gz")
    drawn = sample(model, 2, seed=1)
    given_ = {v.name: drawn.labels(v.name) for v in model.variables[::7]}
    expected, found = mpe(model, given=given_), mpe(model, given=given_, engine=Toulbar2())
    torch.testing.assert_close(found.log_prob, expected.log_prob)
    assert found.diagnostics["certified"] == [True, True]
    assert bool((found.gap < 1e-6).all())


@needs_solver
def test_no_possible_world_is_proved() -> None:
    """Three variables of two states cannot all differ, though any two can."""
    differ = [[0.0, 1.0], [1.0, 0.0]]
    a, b, c = (Variable(name) for name in "abc")
    model = MarkovNetwork(Table([a, b], differ), Table([b, c], differ), Table([a, c], differ))
    with pytest.raises(EvidenceError, match="Toulbar2: the evidence"):
        mpe(model, engine=Toulbar2())


@needs_solver
def test_time_that_is_over_leaves_a_bound_and_ctrl_c_to_python(request: pytest.FixtureRequest) -> None:
    """The sum of all peaks bounds any field; a grid of 40 x 40 sites with random links is beyond a second."""
    generator = torch.Generator().manual_seed(0)
    links = torch.randn(2, 40, 40, 4, 4, generator=generator).double()
    field = grid(torch.zeros(40, 40, 4).double(), links)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    found = Toulbar2(seconds=1).search(field)
    assert found.diagnostics["certified"] == [False]
    weight, peaks = field.log_weight(found.states), field.groups[0].logs.flatten(2).amax(2).sum()
    assert weight.item() <= found.bound.item() <= peaks.item()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytoulbar2", None)
    with pytest.raises(PlanError, match="pytoulbar2 is not installed; `pip install pytoulbar2`"):
        Toulbar2().search(random_field(0))


@pytest.mark.parametrize(
    ("options", "text"), [({"seconds": -1}, "seconds is -1"), ({"precision": 0}, "precision is 0")]
)
def test_options_are_checked(options: dict, text: str) -> None:
    with pytest.raises(PlanError, match=f"Toulbar2: {text}"):
        Toulbar2(**options)
