"""The picture of `benchmarks.accuracy`: mean error of probabilities against seconds, one panel a network."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # drawn into a file
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

COLOURS = {
    "LoopyBP": "#4477aa",
    "TreeReweighted": "#66a3c9",
    "MeanField": "#228833",
    "MiniBucket": "#8a7000",
    "Gibbs": "#cc3355",
    "AIS": "#aa3377",
    "LikelihoodWeighting": "#e07b39",
}
SHORT = {
    "LoopyBP": "loopy belief propagation",
    "TreeReweighted": "tree-reweighted",
    "MeanField": "mean field",
    "MiniBucket": "mini-buckets",
    "Gibbs": "Gibbs",
    "AIS": "annealed importance",
    "LikelihoodWeighting": "likelihood weighting",
}
TITLES = {
    "grid": "20 × 20 grid, random couplings",
    "link": "link, 5 leaves observed",
    "findings": "500 diseases, noisy-or findings",
}
INK, QUIET = "#1f2933", "#52606d"
APART = 0.075  # of labels, as a share of the panel's height


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel a network, both axes logarithmic."""
    names = [name for name in TITLES if any(row["network"] == name for row in rows)]
    plt.rcParams.update({"font.size": 9, "axes.edgecolor": QUIET, "xtick.color": QUIET, "ytick.color": QUIET})
    figure, planes = plt.subplots(1, len(names), figsize=(4.6 * len(names), 4.2), layout="constrained", squeeze=False)
    for plane, name in zip(planes[0], names, strict=True):
        _panel(plane, name, [row for row in rows if row["network"] == name and row["mean_error"] is not None])
    planes[0][0].set_ylabel("mean error of a probability", color=INK)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _panel(plane: Axes, name: str, rows: list[dict[str, Any]]) -> None:
    ends: list[tuple[str, float, float]] = []
    for engine, colour in COLOURS.items():
        points = [(row["seconds"], row["mean_error"]) for row in rows if row["engine"] == engine]
        if points:
            plane.plot(*zip(*points, strict=True), "o-", ms=3.5, lw=1.5, color=colour, clip_on=False)
            ends.append((engine, *points[-1]))
    plane.set(xscale="log", yscale="log", xlabel="seconds on one core")
    plane.set_title(TITLES[name], color=INK, pad=18)
    plane.set_ylim(10 ** floor(log10(min(error for *_, error in ends))))
    plane.yaxis.set_minor_formatter(NullFormatter())
    plane.spines[["top", "right"]].set_visible(False)
    plane.grid(color="#e2e8f0", lw=0.6)
    for row in rows:
        if row["engine"] == "Exact":
            plane.axvline(row["seconds"], color=INK, lw=1, ls=(0, (4, 3)))
            across = plane.get_xaxis_transform()  # seconds along, a share of the panel upwards
            plane.text(row["seconds"], 1.01, "exact", transform=across, ha="center", va="bottom", color=INK)
    _labels(plane, ends)


def _labels(plane: Axes, ends: list[tuple[str, float, float]]) -> None:
    """The engines' names in a column on the right, each beside the end of its line, none over another."""
    low, high = (log10(limit) for limit in plane.get_ylim())
    ends = sorted(ends, key=lambda end: end[2])
    levels = _spread([(log10(error) - low) / (high - low) for *_, error in ends])
    for (engine, seconds, error), level in zip(ends, levels, strict=True):
        plane.annotate(
            SHORT[engine],
            (seconds, error),
            (1.03, level),
            textcoords="axes fraction",
            va="center",
            color=COLOURS[engine],
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": COLOURS[engine], "lw": 0.6, "alpha": 0.5, "shrinkB": 4},
        )


def _spread(levels: list[float]) -> list[float]:
    """Rising levels moved up, and then down below 1, until they are apart."""
    for k in range(1, len(levels)):
        levels[k] = max(levels[k], levels[k - 1] + APART)
    top = 1 + APART
    for k in reversed(range(len(levels))):
        top = levels[k] = min(levels[k], top - APART)
    return levels
