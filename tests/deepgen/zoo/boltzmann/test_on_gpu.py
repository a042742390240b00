"""Deep machines on a GPU: what is given on the CPU is taken where the machine is."""

from itertools import product

import pytest
import torch

from deepgen.data.data import Data
from deepgen.training.fit import fit
from deepgen.training.in_turn import in_turn
from deepgen.zoo.boltzmann import (
    annealed_log_z,
    belief_bounds,
    classifier,
    dbm,
    dbn,
    greedy,
    likelihood,
    log_z,
    persistent,
    pretraining,
    up_down,
)
from pgm import Binary, Variable

X, LABEL = Variable("x", Binary(3)), Variable("label", range(2))
ROWS = torch.tensor(list(product((0.0, 1.0), repeat=3)))
DATA, MEANS = Data({"x": ROWS, "label": torch.arange(8) % 2}, "rows"), {"x": torch.full((3,), 0.5)}
pytestmark = pytest.mark.gpu


def test_deep_boltzmann_machines_are_pretrained_learn_and_are_measured_there():
    """With annealing from means on the CPU: the exact log Z, on the CPU, is in its interval."""
    machine = dbm(X, 4, 3, 2, label=LABEL, mean=MEANS["x"])
    parts = [(phase, 5) for phase in pretraining(machine, chains=10)]
    fit(in_turn("all", *parts, (persistent(machine, 10, centring=0.1), 5)), DATA, turns=20, batch=8, device="cuda")
    annealed = annealed_log_z(machine, means=MEANS, temperatures=50, progress=False)
    found = likelihood(machine, DATA, progress=False)
    machine.model.cpu()
    assert annealed.interval is not None
    assert annealed.interval[0] < log_z(machine) < annealed.interval[1]
    assert found.value == pytest.approx(likelihood(machine, DATA, progress=False).value, abs=1e-4)


def test_belief_networks_learn_are_measured_and_teach_classifiers_from_there():
    belief = dbn(X, 4, 3, label=LABEL)
    phases = [(phase, 5) for phase in (*greedy(belief, chains=10), up_down(belief))]
    fit(in_turn("all", *phases), DATA, turns=15, batch=8, device="cuda")
    assert all(figure.value < 0 for figure in belief_bounds(belief, DATA, progress=False))
    assert belief.sample(2, {"label": torch.tensor(1)}, sweeps=3, progress=False)["x"].device.type == "cuda"
    net = classifier(belief, LABEL).conditionals["label"].net.net
    first = belief.pair.guide.conditionals["h1"].distribution(ROWS.cuda()).mean
    torch.testing.assert_close(net[:2](ROWS), first.cpu())
