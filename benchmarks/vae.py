"""How good is a variational autoencoder after ten passes over MNIST, and are digits drawn to order what they should be?

    python -m benchmarks.vae [--json] [--smoke] [--threads 1]

`plain` is the textbook's: static MNIST, 784-200-200-50 with tanh, batches of 100, Adam at 1e-3, 10 epochs; `averaged`
is the same with moving averages of the parameters, decay 0.999. `tuned` has the same sizes and takes about as long:
smooth rectifiers, batches of 200, 14 epochs, and a learning rate that rises to 4e-3 and falls along a cosine. `elbo`,
`iwae_5` and `iwae_50` are lower bounds on the mean log p(x) of the test set in nats, from the same weights, with the
standard error over rows; each should be above the one before. `labelled` is a conditional one of scikit-learn's
digits: the share of 2,000 draws whose label a support vector machine finds, which learned on real digits alone, and
the share of real test digits for which it does (`judge`).

Static MNIST has to lie in the folder that DEEPGEN_DATA names; without it, and with --smoke, digits take its place.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deepgen import Data, adam, bounds, constant, cosine, digits, dynamic, fit, mlp, static_mnist, vae, variational

PARTICLES = 1, 5, 50
Row = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How a model is trained: name, nonlinearity, epochs, rows a batch, learning rate, its decay, averages."""

    name: str
    activation: type[nn.Module]
    epochs: int
    batch: int
    rate: float
    decay: bool
    average: float | None = None


PLAIN = Way("plain", nn.Tanh, 10, 100, 1e-3, decay=False)
AVERAGED = replace(PLAIN, name="averaged", average=0.999)
TUNED = Way("tuned", nn.SiLU, 14, 200, 4e-3, decay=True)


def rows(smoke: bool = False) -> Iterator[Row]:
    """One row a model."""
    train, test = split(smoke)
    for way in (PLAIN, AVERAGED, TUNED):
        yield learned(replace(way, epochs=1) if smoke else way, train, test)
    yield to_order(2 if smoke else 400)


def split(smoke: bool) -> tuple[Data, Data]:
    """Rows to train and to test on."""
    if smoke or not (Path(os.environ.get("DEEPGEN_DATA", "")) / "mnist_static_binary.npz").exists():
        test, train = dynamic(digits()).split(297)
        return train, test.rows(slice(0, 50 if smoke else None))
    return static_mnist("train"), static_mnist("test")


def learned(way: Way, train: Data, test: Data) -> Row:
    """Train one model, and bound log p(x) of the test rows."""
    torch.manual_seed(0)
    net = mlp(200, 200, activation=way.activation)
    pair = vae(train.variable("image"), 50, encoder=net, decoder=net)
    steps = way.epochs * (len(train) // way.batch)
    rate = cosine(steps, warm_up=min(200, steps // 10)) if way.decay else constant()
    phase = variational(pair, optimiser=adam(way.rate), rate=rate)
    start, busy = time.perf_counter(), time.process_time()
    options = {"epochs": way.epochs, "batch": way.batch, "average": way.average}
    fit(phase, train, **options, device="cpu", progress=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    found = bounds(pair, test, PARTICLES, progress=False)
    named = zip(("elbo", "iwae_5", "iwae_50"), found, strict=True)
    shown = {key: round(figure.value, 2) for key, figure in named}
    error = round(found[0].error or 0.0, 2)
    return {"model": way.name, "data": test.name, **shown, "error": error, "seconds": seconds, "cpu_s": cpu}


def to_order(epochs: int) -> Row:
    """Train a conditional model of digits, and have its draws judged."""
    from sklearn.svm import SVC

    test, train = digits().split(297)
    pixels, net = dynamic(train), mlp(200, 200)
    torch.manual_seed(0)
    pair = vae(pixels.variable("image"), 16, label=pixels.variable("label"), encoder=net, decoder=net)
    rate = cosine(epochs * (len(train) // 100))
    start, busy = time.perf_counter(), time.process_time()
    phase = variational(pair, optimiser=adam(2e-3), rate=rate)
    fit(phase, pixels, epochs=epochs, batch=100, device="cpu", progress=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    judge = SVC().fit(train["image"].flatten(1), train["label"])
    labels = torch.arange(10).repeat(200)
    drawn = pair.means(pair.sample(len(labels), {"label": labels}, seed=0))["image"]
    return {
        "model": "labelled",
        "data": test.name,
        "right": judge.score(drawn.flatten(1), labels),
        "judge": judge.score(test["image"].flatten(1), test["label"]),
        "seconds": seconds,
        "cpu_s": cpu,
    }


def main() -> None:
    """Print one row a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="a short run on digits")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for row in rows(chosen.smoke):
        print(json.dumps(row) if chosen.json else "  ".join(f"{key} {_short(value)}" for key, value in row.items()))


def _short(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
