"""All that can be said of samples beside data, and whether training rows were learned by heart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import sqrt

import torch
from torch import Tensor

from pgm.errors import ShapeError

from ..data.data import Data
from ..data.toys import grid_centres, ring_centres
from .features import Features, image_column, labelled_right, share
from .figure import Figure
from .frechet import lenet_fid, lenet_kid
from .halves import Halves, halves
from .samples import coverage, maximum_mean_discrepancy, modes, nearest, sliced_wasserstein

PAIRS = 2500  # rows each at most where all are compared with all
MIXTURES = {"ring of 8": (ring_centres(), 0.01), "grid of 25": (grid_centres(), 0.05)}
TIMES = 3  # a copy is so many times nearer to its original than to any other row


def sample_figures(
    samples: Tensor,
    data: Data,
    *,
    test: Data | None = None,
    labels: Tensor | None = None,
    features: Features | None = None,
    seed: int = 0,
) -> tuple[Figure, ...]:
    """How good samples are beside data: whatever can be measured, each with its counts and with what the data
    themselves would get.

    Always the sliced Wasserstein distance, the squared maximum mean discrepancy, precision, recall, density and
    coverage; for `ring` and `grid_of_gaussians` the modes found; with features LeNet-FID and LeNet-KID, and precision
    to coverage in these; with labels whether samples are of the label asked for; with test rows what was memorised.

    Args:
        samples: `[rows, *event]`, of the kind that the data have: means of pixels beside shades, bits beside bits.
        data: what the model was trained on.
        test: rows that it was not.
        labels: of the samples, `[rows]`, where they were drawn given labels; taken into account with features.
        features: see `train_features`.
        seed: of which rows are compared, and along which lines.

    Raises:
        ShapeError: when samples are not shaped like the data, or there are too few of either.

    Example:
        >>> from deepgen.data.toys import ring
        >>> for figure in sample_figures(ring(1000, seed=1)["x"], ring(1000))[:2]:
        ...     print(figure)
        sliced Wasserstein distance ~ 0.1... (500 samples, ring of 8; of the data themselves 0.08...)
        squared MMD ~ 0.0001... (500 samples, ring of 8; of the data themselves -0.001...)
    """
    rows = data[image_column(data)]
    parts = halves(samples, rows, seed, least=10)
    few = halves(samples, rows, seed, most=PAIRS, least=10)
    found = [
        parts.figure("sliced Wasserstein distance", partial(sliced_wasserstein, seed=seed), data.name),
        few.figure("squared MMD", maximum_mean_discrepancy, data.name),
    ]
    found += _covered(few if features is None else few.seen(features), data.name, features)
    if data.name in MIXTURES:
        found += _modes(samples, data)
    if features is not None:
        found += [lenet_fid(samples, data, features, seed), lenet_kid(samples, data, features, seed)]
        found += [] if labels is None else [labelled_right(samples, labels, features)]
    return (*found, *(() if test is None else memorised(samples, data, test)))


def memorised(samples: Tensor, data: Data, test: Data) -> tuple[Figure, Figure]:
    """Whether samples are nearer to the rows trained on than new rows of the data are.

    The first figure is the share of pairs of a sample and a test row in which the sample is nearer to its nearest
    training row: a half when samples are as new as test rows. Blurred samples are nearer to everything, so it is above
    a half for them as well. The second is the share of copies, samples three times nearer to one training row than to
    any other; the blurred are none.

    Args:
        samples: `[rows, *event]`.
        data: what the model was trained on, two rows or more.
        test: rows that it was not trained on.

    Raises:
        ShapeError: when samples are not shaped like the data, or there is one training row.

    Example:
        >>> train, test = Data({"x": torch.arange(100.0)[:, None]}), Data({"x": torch.arange(99.0)[:, None] + 0.5})
        >>> for figure in memorised(train["x"][:50], train, test):
        ...     print(figure)
        nearer to training rows than test rows are ~ 1 ± 0.05 (50 samples, 100 rows of data; 0.5 when nothing is ...)
        copies of training rows ~ 1 in [0.9287, 1] (50 samples, 100 rows of data; of test rows 0)

    Reference: Meehan, Chaudhuri and Dasgupta (2020), A non-parametric test to detect data-copying in generative models,
    for the first; Yoon, Choi, Kwon and Ryu (2023), Diffusion probabilistic models generalize when they fail to
    memorize, for the second.
    """
    column = image_column(data)
    rows = data[column].to(samples.device)
    if len(rows) < 2:
        raise ShapeError(f"memorised: {data.name} has one row, expected two or more.")
    mine, theirs = nearest(samples, rows, 2)[1], nearest(test[column].to(rows), rows, 2)[1]
    n, m, how = len(mine), len(theirs), f"{len(samples):,} samples, {len(rows):,} rows of {data.name}"
    ahead = _ahead(mine[:, 0].contiguous(), theirs[:, 0].contiguous())
    error = sqrt((n + m + 1) / (12 * n * m))
    first = f"{how}; 0.5 when nothing is memorised, the error is for that case"
    copies, own = ((d[:, 0] * TIMES <= d[:, 1]) for d in (mine, theirs))
    return (
        Figure("nearer to training rows than test rows are", ahead, "estimate", first, error),
        share(copies, "copies of training rows", f"{how}; of test rows {own.double().mean().item():.4g}"),
    )


def _ahead(mine: Tensor, theirs: Tensor) -> float:
    """The probability that one of mine is smaller than one of theirs; ties count half."""
    ordered = theirs.sort().values
    above = len(theirs) - torch.searchsorted(ordered, mine, right=True)
    level = torch.searchsorted(ordered, mine, right=True) - torch.searchsorted(ordered, mine)
    return ((above + level / 2).double().mean() / len(theirs)).item()


def _covered(parts: Halves, data: str, features: Features | None) -> Iterator[Figure]:
    found, own = coverage(parts.samples, parts.one), coverage(parts.other, parts.one)
    of = data if features is None else f"{data}, {features}"
    for name in ("precision", "recall", "density", "coverage"):
        how = f"5 neighbours, {len(parts.one):,} samples, {of}; of the data themselves {getattr(own, name):.4g}"
        yield Figure(name, getattr(found, name), "estimate", how)


def _modes(samples: Tensor, data: Data) -> Iterator[Figure]:
    centres, deviation = MIXTURES[data.name]
    found, own = (modes(rows, centres.to(rows), deviation) for rows in (samples, data[image_column(data)]))
    how = f"within 3 standard deviations, {len(samples):,} samples, {data.name}"
    yield Figure("modes captured", found.captured, "exact", f"of {found.of}, {how}")
    yield Figure("samples of high quality", found.high_quality, "exact", f"{how}; of the data {own.high_quality:.4g}")
