"""Are Boltzmann machines measured right, learned well, and learned fast?

    DEEPGEN_DATA=FOLDER python -m benchmarks.boltzmann [--json] [--smoke] [--only annealed speed sweeps small]
        [--long] [--device cpu]

`annealed`: log Z of the machine of 784 x 15 units that came with the first code for annealed importance sampling, known
exactly by all 2^15 states (215.1384): `value` and `interval` are those of 100 chains there and back, of which nobody
says where to begin; of several seeds, `inside` is how many intervals hold the exact value, `spread` the standard
deviation of the values and `furthest` the largest error. `speed`: an epoch of persistent contrastive divergence, 784 x
500 units, batches of 100, beside scikit-learn's BernoulliRBM, by turns in one process; seconds of processor time,
`ratio` above 1 is ours faster. `sweeps`: Gibbs sweeps a second of that machine, with few chains and with many, and what
share of the rate of matrix products measured there and then their products reach (`of_peak`). `small`: 16 hidden units,
centred gradients, MNIST cut at one half, log p of the test set exactly; published (PyDeep) -142.56, without centring
-149.05. `large`, with --long: 500 hidden units and 66 epochs of the static binarisation, an interval; published -86.34
for CD-25 (Salakhutdinov and Murray 2008) and, on another binarisation and after 200 epochs, -84.9 by annealing forwards
and -96.6 backwards (PyDeep). `deep`, with --long, on a GPU in reasonable time: a deep Boltzmann machine, 784-512-1024,
each layer pretrained, then all together, a lower bound; published (Salakhutdinov and Hinton 2009, 500-1000 units)
-84.62, and -86.37 (yell/boltzmann-machines, 512-1024).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import torch

from benchmarks.device import duration, peak, products
from benchmarks.training import typical
from deepgen.data.binarise import thresholded
from deepgen.data.data import Data
from deepgen.data.images import mnist, static_mnist
from deepgen.potentials import Bias, Coupling
from deepgen.training.fit import fit
from deepgen.training.phase import sgd
from deepgen.training.schedules import cosine
from deepgen.zoo.boltzmann import (
    Chains,
    Machine,
    annealed_log_z,
    dbm,
    likelihood,
    log_z,
    log_z_figure,
    persistent,
    pretraining,
    rbm,
    sweep,
)
from pgm.domains import Binary
from pgm.variable import Variable

EXACT, MACHINE = 215.13840552531664, "rbm_784x15.npz"
PUBLISHED = {"small": -142.56, "large": -86.34, "deep": -84.62}
RATE, EPOCHS = 0.05, {"small": 40, "large": 66, "deep": 40}
QUESTIONS = ("annealed", "speed", "sweeps", "small")
HIDDEN = {"small": (16,), "large": (500,), "deep": (512, 1024)}
Row = dict[str, object]


def annealed(seeds: int, steps: int, smoke: bool, device: str) -> Iterator[Row]:
    """log Z of a machine that is known."""
    machine = rbm(Variable("image", Binary(12)), 4, deviation=0.5) if smoke else published()
    machine.model.to(device)
    exact = log_z(machine)
    start = time.process_time()
    found = [annealed_log_z(machine, temperatures=steps, seed=seed, progress=False) for seed in range(seeds)]
    seconds = (time.process_time() - start) / seeds
    inside = sum(each.interval[0] <= exact <= each.interval[1] for each in found if each.interval is not None)
    yield {
        "question": "annealed", "value": found[0].value, "interval": found[0].interval, "exact": exact,
        "published": None if smoke else EXACT, "inside": f"{inside} of {seeds}",
        "spread": stdev(each.value for each in found), "furthest": max(abs(each.value - exact) for each in found),
        "seconds": seconds, "how": found[0].how,
    }  # fmt: skip


def speed(rows: int, hidden: int, times: int, device: str) -> Iterator[Row]:
    """Epochs of ours and of scikit-learn's by turns."""
    from sklearn.neural_network import BernoulliRBM

    torch.manual_seed(0)
    pixels = (torch.rand(rows, 784) < 0.2).float()
    machine = rbm(Variable("image", Binary(784)), hidden)
    phase, data = persistent(machine, 100, optimiser=sgd(0.01)), Data({"image": pixels}, "noise")
    peer = BernoulliRBM(hidden, batch_size=100, n_iter=1, learning_rate=0.01, random_state=0)

    def ours() -> object:
        return fit(phase, data, epochs=1, batch=100, device=device, progress=False, record=10**6, every=10**6)

    taken = [(_seconds(ours), _seconds(lambda: peer.fit(pixels.numpy()))) for _ in range(times)]
    us, them = (typical(each) for each in zip(*taken, strict=True))
    ratio = typical([peer / max(own, 1e-9) for own, peer in taken])
    yield {"question": "speed", "ours": us, "scikit_learn": them, "ratio": ratio}


def sweeps(pixels: int, hidden: int, chains: Sequence[int], device: str) -> Iterator[Row]:
    """Chains of one machine, few and many side by side."""
    torch.manual_seed(0)
    machine, where = rbm(Variable("image", Binary(pixels)), hidden), torch.device(device)
    machine.model.to(where)
    highest = peak(where, torch.float32)
    for count in chains:
        run = partial(sweep, machine, Chains(machine, count).state, ["h", "image"])
        rate = 1 / duration(run, where)
        yield {"question": "sweeps", "chains": count, "a_second": rate, "of_peak": rate * products(run) / highest}


def learned(
    question: str, train: Data, test: Data, hidden: Sequence[int], epochs: int, steps: int, device: str
) -> Iterator[Row]:
    """log p of held-out rows: exactly, as an interval, or bounded where there are several layers of hidden units."""
    torch.manual_seed(0)
    turns = epochs * (len(train) // 100)
    mean = train["image"].mean(0)
    machine = dbm(train.variable("image"), *hidden, mean=mean)
    options: dict[str, Any] = {"optimiser": sgd(RATE), "rate": cosine(turns)}
    start = time.process_time()
    first = pretraining(machine, **options) if len(hidden) > 1 else ()
    for phase in (*first, persistent(machine, centring=0.01, **options)):
        fit(phase, train, turns=turns, batch=100, device=device, progress=False, record=10**6, every=10**6)
    seconds = time.process_time() - start
    total = log_z_figure(machine, means={"image": mean}, temperatures=steps, progress=False)
    figure = likelihood(machine, test, total, progress=False)
    row: Row = {"question": question, "value": figure.value, "interval": figure.interval, "seconds": seconds}
    yield {**row, "side": figure.side, "published": PUBLISHED[question], "how": figure.how}


@torch.no_grad()
def published() -> Machine:
    """The machine of 784 x 15 units."""
    arrays = {
        name: torch.from_numpy(x).float() for name, x in np.load(Path(os.environ["DEEPGEN_DATA"]) / MACHINE).items()
    }
    machine = rbm(Variable("image", Binary(784)), 15)
    for term in machine.model.terms:
        if isinstance(term, Coupling):
            term.weight.copy_(arrays["weights"])
        if isinstance(term, Bias):
            term.bias.copy_(arrays["visible_bias" if term.scope == machine.visible else "hidden_bias"])
    return machine


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def rows_of(question: str, smoke: bool, device: str, seeds: int, temperatures: int) -> Iterator[Row]:
    """The rows of one question."""
    if question == "annealed":
        return annealed(2 if smoke else seeds, 100 if smoke else temperatures, smoke, device)
    if question == "speed":
        return speed(200 if smoke else 10_000, 20 if smoke else 500, 1 if smoke else 5, device)
    if question == "sweeps":
        return sweeps(16 if smoke else 784, 4 if smoke else 500, (2, 4) if smoke else (100, 10_000), device)
    hidden = HIDDEN[question]
    if smoke:
        noise = Data({"image": (torch.rand(100, 4, 4) < 0.3).float()}, "noise")
        return learned(question, noise, noise, (4, 4)[: len(hidden)], 1, temperatures, device)
    if question == "large":
        train, test = static_mnist("train"), static_mnist("test")
    else:
        train, test = thresholded(mnist("train")), thresholded(mnist("test"))
    return learned(question, train, test, hidden, EPOCHS[question], temperatures, device)


def main() -> None:
    """Measure and print: a line for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="tiny machines on noise: does it run?")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, help="questions")
    parser.add_argument("--long", action="store_true", help="large and deep machines too")
    parser.add_argument("--seeds", type=int, default=5, help="of annealing, 2 or more")
    parser.add_argument("--temperatures", type=int, default=1000, help="of annealing")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    questions = options.only or QUESTIONS
    for question in [*questions, *(["large", "deep"] if options.long else [])]:
        for row in rows_of(question, options.smoke, options.device, options.seeds, options.temperatures):
            shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items() if v is not None)
            print(json.dumps(row) if options.json else "  ".join(shown), flush=True)


if __name__ == "__main__":
    main()
