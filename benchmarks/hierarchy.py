"""Does every level of a deep hierarchy carry something, with and without free bits and warm-up?

    python -m benchmarks.hierarchy [--data digits] [--epochs 100] [--free 1] [--ladder] [--json] [--smoke]

Five levels of 32, 16, 8, 4 and 2 numbers, networks with one hidden layer of 200 rectifiers, Adam at 0.001, batches of
100. With the countermeasures each level has `free` nats that cost nothing, and all divergences are weighted by a number
that rises from 0 to 1 over the first tenth of the steps; without, the plain bound is trained on from the start. One row
a level on test data: its part of the divergence in nats, and its active units (posterior means whose variance over the
data is above 0.01). `elbo` and `iwae` (50 draws) are bounds on log p(x) in nats, the same in every row of a run.

`--data static_mnist` needs the folder of data sets in DEEPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from math import ceil

import torch

from deepgen.data.data import Data
from deepgen.data.named import named
from deepgen.evaluate.bounds import bounds
from deepgen.evaluate.latents import levels
from deepgen.phases import variational
from deepgen.training.fit import fit
from deepgen.training.schedules import linear
from deepgen.zoo.hierarchical import markovian_hierarchical_vae
from deepgen.zoo.ladder import ladder_vae

BATCH, ROWS = 100, 1000  # rows a batch, and rows to test on


def run(data: Data, test: Data, free: float, epochs: float, ladder: bool) -> Iterator[dict[str, object]]:
    """Train one hierarchy, and measure each of its levels."""
    torch.manual_seed(0)
    x = data.variable("image")
    pair = ladder_vae(x) if ladder else markovian_hierarchical_vae(x)
    steps = ceil(epochs * (len(data) // BATCH))
    beta = linear(0.0, 1.0, max(1, steps // 10)) if free else 1.0
    history = fit(variational(pair, beta=beta, free=free), data, turns=steps, batch=BATCH, device="cpu")
    elbo, iwae = bounds(pair, test)
    whole = {"family": "ladder" if ladder else "chain", "data": data.name, "steps": steps, "free": free}
    for level in levels(pair, test):
        found = {"level": level.name, "kl": level.kl, "active": level.active, "units": level.units}
        yield whole | found | {"elbo": elbo.value, "iwae": iwae.value, "seconds": history.last["seconds"]}


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, mnist, fashion_mnist or static_mnist")
    parser.add_argument("--epochs", type=float, default=100, help="passes over the data")
    parser.add_argument("--free", type=float, default=1.0, help="nats a level that cost nothing, where there are any")
    parser.add_argument("--ladder", action="store_true", help="inference from the top down")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="some steps on digits: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name, epochs = ("digits", 0.2) if options.smoke else (options.data, options.epochs)
    data, test = (named(name, split, "dynamic") for split in ("train", "test"))
    test = test.rows(torch.arange(min(5 if options.smoke else ROWS, len(test))))
    for number, free in enumerate((0.0, options.free)):
        for row in run(data, test, free, epochs, options.ladder):
            if row["level"] == "z5" and number == 0 and not options.json:
                print("  ".join(f"{field:>9}" for field in row))
            cells = (f"{v:>9.4g}" if isinstance(v, float) else f"{v!s:>9.9}" for v in row.values())
            print(json.dumps(row) if options.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
