"""Does a sigmoid belief network learn as fast as published?

    DEEPGEN_DATA=FOLDER python -m benchmarks.sbn [--json] [--smoke] [--epochs 4] [--seed 0] [--threads 1]

Three layers of 200 units on the static MNIST, VIMCO with 5 draws a row, batches of 24, Adam at 1e-3; the biases of the
pixels start at their shares of ones. The peer is the learning curve that y0ast/VIMCO (Theano) published with its code,
five draws too: training bound -166.2 in epoch 1, -145.7 on the validation set after it, training bound -130.4 in epoch
4; Mnih and Rezende (2016) end at -93.6. Its Adam forgets more slowly (0.95) and corrects by epochs, its weights decay,
its biases start at 0. Columns: `train` is the mean bound during the epoch, `valid` the bound on all 10,000 rows of the
validation set after it, `error` the latter's standard error over rows, in nats; `published_*` what the peer has there,
if anything; `seconds` what the epoch's training took.
"""

from __future__ import annotations

import argparse
import json
from functools import partial

import torch

from deepgen.data.data import Data
from deepgen.data.images import static_mnist
from deepgen.evaluate.bounds import bounds
from deepgen.objectives import vimco
from deepgen.phases import maximised
from deepgen.training.fit import fit
from deepgen.training.phase import Moment
from deepgen.zoo.sigmoid import sigmoid_belief_network

PUBLISHED = {1: {"train": -166.2, "valid": -145.7}, 4: {"train": -130.4}}
LAYERS, DRAWS, BATCH = (200, 200, 200), 5, 24


def measure(train: Data, valid: Data, layers: tuple[int, ...], epochs: int, seed: int) -> list[dict[str, object]]:
    """One row an epoch."""
    torch.manual_seed(seed)
    pair = sigmoid_belief_network(train.variable("image"), *layers, mean=train["image"].mean(0))

    def watch(moment: Moment) -> dict[str, float]:
        (figure,) = bounds(pair, valid, [DRAWS], batch=500)
        return {"valid": figure.value, "error": figure.error or 0.0}

    turns = len(train) // BATCH
    phase = maximised(pair, partial(vimco, particles=DRAWS))
    history = fit(phase, train, epochs=epochs, batch=BATCH, seed=seed, record=turns, every=turns, watch=watch)
    measured = zip(history["vimco.loss"], history["valid"], history["error"], history["seconds"], strict=True)
    rows, before = [], 0.0
    for epoch, (loss, held, error, seconds) in enumerate(measured, 1):
        row: dict[str, object] = {"epoch": epoch, "train": -loss, "valid": held, "error": error}
        row |= {f"published_{name}": PUBLISHED.get(epoch, {}).get(name) for name in ("train", "valid")}
        rows.append(row | {"seconds": seconds - before})
        before = seconds
    return rows


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="a tiny network on noise: does it run?")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.smoke:
        noise = Data({"image": (torch.rand(96, 4, 4) < 0.3).float()}, "noise")
        rows = measure(noise, noise, (8, 4), 2, options.seed)
    else:
        rows = measure(static_mnist("train"), static_mnist("valid"), LAYERS, options.epochs, options.seed)
    if not options.json:
        print("  ".join(f"{field:>15}" for field in rows[0]))
    for row in rows:
        cells = (f"{v:>15.2f}" if isinstance(v, float) else f"{'-' if v is None else v!s:>15}" for v in row.values())
        print(json.dumps(row) if options.json else "  ".join(cells))


if __name__ == "__main__":
    main()
