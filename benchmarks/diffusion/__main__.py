"""Diffusion and flow matching: how good are they, and how fast?

    python -m benchmarks.diffusion [--only points,digits,speed] [--json] [--smoke] [--threads 1] [--device cpu]

`points` and `digits` measure what is learned, `speed` what a step costs beside loops by hand and beside `diffusers`,
and `mnist`, which wants a GPU and MNIST in the folder that DEEPGEN_DATA names, both. The files say what their columns
mean.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import groupby

import torch

PARTS = ("points", "digits", "speed", "mnist")
ON_DEVICE = ("speed", "mnist")  # the others are small enough for a CPU
Row = dict[str, object]


def rows(only: Sequence[str], smoke: bool, device: str) -> Iterator[Row]:
    """The rows of some parts, one after another."""
    for part in only:
        where = {"device": torch.device(device)} if part in ON_DEVICE else {}
        yield from import_module(f"benchmarks.diffusion.{part}").rows(smoke, **where)


def shown(value: object) -> str:
    """A cell of the table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print: tables for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="points,digits,speed", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, a few times: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cpu", help="of speed and mnist: cpu or cuda")
    options = parser.parse_args(arguments)
    only = options.only.split(",")
    if not set(only) <= set(PARTS):
        parser.error(f"--only is {options.only!r}, expected some of {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    for columns, table in groupby(rows(only, options.smoke, options.device), tuple):
        if not options.json:
            print("\n" + "  ".join(f"{column:>14}" for column in columns))
        for row in table:
            line = "  ".join(f"{shown(value):>14}" for value in row.values())
            print(json.dumps(row) if options.json else line, flush=True)


if __name__ == "__main__":
    main()
