"""The peers of the benchmark of samples draw the same distribution."""

import numpy as np
import pytest
import torch

pytest.importorskip("pgmpy", reason="carries the networks")
pytest.importorskip("pyagrum", reason="a peer")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


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
