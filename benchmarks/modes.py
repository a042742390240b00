"""How many modes do adversarial networks find, game by game?

    python -m benchmarks.modes [--only ring grid] [--games NAME ...] [--seeds 10] [--out ROWS.jsonl] [--json] [--smoke]
    DEEPGEN_DATA=FOLDER python -m benchmarks.modes --only stacked --seeds 1 --device cuda

`ring` and `grid`: 8 Gaussians on a circle and 25 on a square grid, standardised. A sample is of high quality within 3
standard deviations of the nearest centre, and a mode is found when it is nearest to one such sample of 2,500 (VEEGAN's
measure; of the data themselves 98.9 % are of high quality). `kl` is the divergence of the counts of high-quality
samples by mode from even ones. Published modes and high quality: on the ring GAN 1 and 99 %, or 6.3 and 98 %; VEEGAN 8
and 53 %; PacGAN2 7.9 and 96 %; on the grid GAN 3.3 and 0.5 %, or 17.3 and 95 %; Unrolled 23.6 and 16 %; VEEGAN 24.6
and 40 %; PacGAN4 24.8 and 94 % (Srivastava et al. 2017; Lin et al. 2018).

`stacked`: three digits of MNIST in the channels of one image, a thousand modes, in 26,000 samples that a classifier of
digits reads; `high_quality` is then 1. Published modes and kl: DCGAN 78.9 and 4.50, PacDCGAN2 1,000 and 0.06 (Lin et
al. 2018). In the short form digits take its place.

A row is the mean over seeds, with standard errors; `seconds` are of CPU, to learn one. A game that diverges ends there,
and is judged by what it had last; `diverged` says how many did. With --out every seed is written
as it comes, and those that are there are not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from math import isfinite, sqrt
from pathlib import Path
from statistics import mean, stdev

import torch

from benchmarks.plays import PLAYS, STACKED, Play, Task, learned, tasks
from deepgen.evaluate.samples import Modes

Row = dict[str, object]
MEASURED = ("modes", "high_quality", "kl", "seconds")


def measured(play: Play, task: Task, seed: int, device: str) -> Row:
    """What a game finds with one seed."""
    start = time.process_time()
    samples, diverged = learned(play, task, seed, device)
    seconds = time.process_time() - start
    found: Modes = task.judged(samples)
    return {
        "data": task.name, "game": play.name, "seed": seed, "turns": play.turns(task), "modes": found.captured,
        "of": found.of, "high_quality": found.high_quality, "kl": found.divergence, "seconds": seconds,
        "diverged": diverged,
    }  # fmt: skip


def summary(rows: Sequence[Row]) -> Row:
    """The mean of each figure over seeds, with its standard error."""
    found: Row = {"data": rows[0]["data"], "game": rows[0]["game"], "seeds": len(rows)}
    found |= {"diverged": sum(bool(row["diverged"]) for row in rows)}
    for name in MEASURED:
        values = [float(str(row[name])) for row in rows]
        found |= {name: mean(values)}
        if name != "seconds":
            found |= {f"{name}_error": error(values)}
    return found


def error(values: Sequence[float]) -> float | None:
    """The standard error of a mean; None for one value, or where one is infinite: no sample is of high quality."""
    known = len(values) > 1 and all(map(isfinite, values))
    return stdev(values) / sqrt(len(values)) if known else None


def seeds_of(play: Play, task: Task, count: int, held: list[Row], out: Path | None, device: str) -> Iterator[Row]:
    """One row a seed, from those that are held or anew."""
    for seed in range(count):
        key = {"data": task.name, "game": play.name, "seed": seed, "turns": play.turns(task)}
        row = next((row for row in held if key.items() <= row.items()), None)
        if row is None:
            row = measured(play, task, seed, device)
            if out is not None:
                with out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        yield row


def line(row: Row) -> str:
    """A row for people."""
    shown = [f"{row['data']:<8}{row['game']:<24}"]
    for name in MEASURED[:3]:
        within = row[f"{name}_error"]
        shown.append(f"{name} {row[name]:.3f}" + (f" ± {within:.3f}" if isinstance(within, float) else ""))
    ended = f"{row['diverged']} of {row['seeds']} diverged" if row["diverged"] else ""
    return "  ".join([*shown, f"{row['seconds']:.1f} s", ended]).rstrip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print: a line for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["ring", "grid"], choices=("ring", "grid", "stacked"))
    parser.add_argument("--games", nargs="+", help=f"some of {', '.join(play.name for play in (*PLAYS, *STACKED))}")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, help="a file of JSON lines, to which seeds are added as they come")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it run?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    held = [json.loads(row) for row in options.out.read_text().splitlines()] if _there(options.out) else []
    for name in options.only:
        task = tasks(options.smoke, options.device)[name]()
        for play in STACKED if name == "stacked" else PLAYS:
            if options.games is None or play.name in options.games:
                rows = list(seeds_of(play, task, options.seeds, held, options.out, options.device))
                print(json.dumps(summary(rows)) if options.json else line(summary(rows)), flush=True)


def _there(path: Path | None) -> bool:
    return path is not None and path.exists()


if __name__ == "__main__":
    main()
