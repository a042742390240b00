"""The benchmark of samples runs in its shortest form, and its peers draw the same distribution."""

import numpy as np
import pytest
import torch

pytest.importorskip("pgmpy", reason="carries the networks")
pytest.importorskip("pyagrum", reason="a peer")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def test_rows_say_what_they_measured() -> None:
    from benchmarks.drawing import FIELDS, rows

    found = rows(smoke=True)
    assert [row["peer"] for row in found] == ["pgmpy", "pyagrum", "pyro", "pyagrum"]
    for row in found:
        assert tuple(row) == FIELDS
        assert min(row["draws_per_s"], row["peer_draws_per_s"], row["ratio"]) > 0


def test_all_programs_draw_one_distribution() -> None:
    """The share of one state of asia in 4000 draws, within five standard errors of the exact probability."""
    import pyagrum

    import pgm
    from benchmarks.drawing import pgmpy_rows, pyagrum_rows, pyro_rows
    from benchmarks.networks import load

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    pyagrum.initRandom(1)
    model, name = load("asia"), "dysp"
    label = model[name].states[0]
    p = float(pgm.infer(model, [name])[name, label])
    frame, other = pgmpy_rows(model, 4000)(), pyagrum_rows(model, 4000)()
    tensors = pyro_rows(model, 4000)()
    shares = [
        (pgm.sample(model, 4000, seed=0)[name] == 0).double().mean().item(),
        (frame[name] == label).mean(),
        (other[name] == label).mean(),
        (tensors[name] == 0).double().mean().item(),
    ]
    assert np.abs(np.array(shares) - p).max() < 5 * np.sqrt(p * (1 - p) / 4000)
