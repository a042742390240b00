"""Bounds on log p(x): each with the number of draws by which it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, sqrt

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import PlanError

from ..data.data import Data
from ..objectives import log_weights
from ..pair import Pair
from .figure import Figure
from .rows import Rows, at_rest, require, require_density, require_likelihood, seen

AT_ONCE = 10_000  # draws that are weighed together: rows times particles


@torch.no_grad()
def bounds(
    pair: Pair, data: Data, particles: Sequence[int] = (1, 50), batch: int = 100, seed: int = 0, progress: bool = True
) -> tuple[Figure, ...]:
    """Lower bounds on the mean log p(x) of all rows: the evidence lower bound (k = 1), and tighter ones of k draws.

        E log (1/k) sum_i p(x, z_i) / q(z_i | x) <= log p(x)

    Finite variables that the guide does not draw are summed exactly. It is computed where the model is, with layers in
    evaluation mode, and never holds more than some 10,000 draws. All bounds are of the same rows, drawn once where the
    data draw anew. Ctrl-C ends it, and the figures say of how many rows they are.

    Args:
        pair: a model and its guide.
        data: rows of what is observed and given.
        particles: how many draws a row, one bound each.
        batch: rows at a time.
        seed: of the draws, and of what data draw anew.
        progress: whether to show a line on a terminal when it takes long.

    Returns:
        One figure for each number of draws, in nats, with the standard error over rows.

    Raises:
        PlanError: without a particle, when a variable is neither observed nor drawn nor finite, or the guide
            or the model is certain of numbers.
        GraphError: when a column is missing.
        ShapeError: when a column does not fit the variable of its name.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Model, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))  # the exact posterior: no bound is loose
        >>> for figure in bounds(Pair(model, guide), Data({"x": torch.tensor([0.0, 2.0])}, "two numbers")):
        ...     print(figure)
        log p(x) >= -1.766 ± 0.5 nats (ELBO, 2 rows of two numbers)
        log p(x) >= -1.766 ± 0.5 nats (IWAE, k = 50, 2 rows of two numbers)

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.
    """
    if not isinstance(particles, Sequence) or min(particles, default=0) < 1:
        raise PlanError(f"bounds: particles are {particles!r}, expected one or more numbers of draws, such as (1, 50).")
    require(pair, data, "bounds")
    require_density(pair, "bounds")
    require_likelihood(pair, "bounds")
    found: dict[int, list[Tensor]] = {k: [] for k in particles}
    with at_rest(pair.model, pair.guide, seed=seed) as device:
        rows = Rows(data, batch, seed, device)
        with Watched(len(rows), "batches", progress) as steps:
            for step in steps:
                values = seen(pair, rows[step])
                for k, parts in [(k, bound(pair, values, k)) for k in found]:
                    found[k].append(parts)
    return tuple(_figure(k, torch.cat(parts), data) for k, parts in found.items())


def bound(pair: Pair, values: Mapping[str, Tensor], particles: int) -> Tensor:
    """The importance weighted bound of each row, `[rows]`, draws made in portions that fit into memory.

    Args:
        pair: a model and its guide.
        values: what is observed and given, `[rows, *event]` by name.
        particles: draws a row.
    """
    portion = max(1, AT_ONCE // len(next(iter(values.values()))))
    sizes = [min(portion, particles - done) for done in range(0, particles, portion)]
    parts = [log_weights(pair.model, pair.guide, values, size).double().logsumexp(0) for size in sizes]
    return torch.stack(parts).logsumexp(0) - log(particles)


def _figure(particles: int, values: Tensor, data: Data) -> Figure:
    method = "ELBO" if particles == 1 else f"IWAE, k = {particles:,}"
    return Figure(
        "log p(x)", values.mean().item(), "lower bound", f"{method}, {counted(values, data)}", error(values), "nats"
    )


def counted(values: Tensor, data: Data) -> str:
    """How many rows a figure is of: all of them, unless it was interrupted."""
    part = "" if len(values) == len(data) else f" of {len(data):,}, interrupted"
    return f"{len(values):,} rows of {data.name}{part}"


def error(values: Tensor) -> float | None:
    """The standard error of a mean over rows, where there are two or more."""
    return values.std().item() / sqrt(len(values)) if len(values) > 1 else None
