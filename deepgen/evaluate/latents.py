"""Which latent variables are used: what each costs, and how many of its units say anything about the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from pgm.errors import PlanError, ShapeError

from ..data.data import Data
from ..objectives import elbo_terms
from ..pair import Pair
from .figure import Figure
from .rows import Rows, at_rest, require, require_density, seen

ACTIVE = 0.01  # variance over the data of a posterior mean, above which a unit is in use (Burda et al., 2016)


@dataclass(frozen=True)
class Level:
    """What one latent variable is used for.

    Args:
        name: of the variable.
        kl: E[log q(z | ...) - log p(z | ...)] over rows and draws, in nats: its part of the divergence. In a guide that
            goes upwards it may be below 0, since p(z | ...) then looks at what was drawn from z.
        error: standard error of `kl` over rows.
        variances: over rows, of the posterior mean of each unit, `[units]`.
    """

    name: str
    kl: float
    error: float
    variances: tuple[float, ...]

    @property
    def active(self) -> int:
        """How many units have a posterior mean that varies by more than 0.01."""
        return sum(variance > ACTIVE for variance in self.variances)

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.variances)


@dataclass(frozen=True)
class Levels:
    """All latent variables of a pair, the model's roots first; as text a table.

    Args:
        levels: one for each variable.
        how: the data and draws by which it was measured.
    """

    levels: tuple[Level, ...]
    how: str

    def __getitem__(self, name: str) -> Level:
        """The level of that name."""
        return next(level for level in self.levels if level.name == name)

    def __iter__(self) -> Iterator[Level]:
        return iter(self.levels)

    @property
    def row(self) -> Mapping[str, float]:
        """As a row of a history: what a `watch` returns."""
        kl = {f"kl of {level.name}": level.kl for level in self.levels}
        return kl | {f"active units of {level.name}": float(level.active) for level in self.levels}

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The divergence and the active units of each variable."""
        return tuple(figure for level in self.levels for figure in self._two(level))

    def _two(self, level: Level) -> tuple[Figure, Figure]:
        kl = Figure(f"kl of {level.name}", level.kl, "estimate", self.how, level.error, "nats")
        return kl, Figure(f"active units of {level.name}", level.active, "estimate", f"of {level.units}, {self.how}")

    def __str__(self) -> str:
        width = max(len("level"), *(len(level.name) for level in self.levels))
        lines = [f"{'level':<{width}}  {'KL (nats)':>16}  active units"]
        lines += [
            f"{level.name:<{width}}  {level.kl:>8.2f} ± {level.error:<5.2f}  {level.active:>5} of {level.units}"
            for level in self.levels
        ]
        return "\n".join(lines)


@torch.no_grad()
def levels(pair: Pair, data: Data, draws: int = 10, batch: int = 500, seed: int = 0) -> Levels:
    """How much each latent variable is used: a level that has collapsed costs nothing and says nothing.

    A unit is active when the variance over the data of its posterior mean E_q[z | x] is above 0.01. Means of variables
    that others were drawn before are averages over draws; the covariance between two halves of these estimates the
    variance without the noise of either.

    Args:
        pair: a model and its guide.
        data: rows of what is observed and given.
        draws: of the guide a row, 2 or more.
        batch: rows at a time.
        seed: of the draws, and of what data draw anew.

    Raises:
        PlanError: with fewer than 2 draws, or when the guide is certain of numbers.
        GraphError: when a column is missing.
        ShapeError: when a column does not fit the variable of its name, or there is one row.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, dynamic, vae
        >>> data = dynamic(digits()).rows(torch.arange(50))
        >>> print(levels(vae(Variable("image", Binary(8, 8)), latents=4), data))  # doctest: +ELLIPSIS
        level         KL (nats)  active units
        z         ... ± ...          ... of 4

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders, for active units; Sonderby et
    al. (2016), Ladder variational autoencoders, for the divergence by levels.
    """
    if draws < 2:
        raise PlanError(f"levels: draws is {draws}, expected 2 or more, of which half are held against the others.")
    if len(data) < 2:
        raise ShapeError(f"levels: {data.name} has one row, expected two or more: active units vary over rows.")
    require(pair, data, "levels")
    require_density(pair, "levels")
    costs: dict[str, list[Tensor]] = {v.name: [] for v in pair.latents}
    means: dict[str, list[Tensor]] = {v.name: [] for v in pair.latents}
    with at_rest(pair.model, pair.guide, seed=seed) as device:
        rows = Rows(data, batch, seed, device)
        for number in range(len(rows)):
            known = seen(pair, rows[number])
            divergence = elbo_terms(pair.model, pair.guide, known, draws).divergence
            for name, halves in _means(pair, known, draws).items():
                costs[name].append(divergence[name])
                means[name].append(halves)
    found = tuple(_level(name, torch.cat(costs[name]), torch.cat(means[name], 1)) for name in costs)
    return Levels(found, f"{draws} draws, {len(data):,} rows of {data.name}")


def _means(pair: Pair, known: Mapping[str, Tensor], draws: int) -> dict[str, Tensor]:
    """Two estimates of the posterior mean of each latent variable, `[2, batch, units]` by name."""
    values = {name: value.expand(draws, *value.shape) for name, value in known.items()}
    found = {}
    for name in pair.guide.graph.topological:
        if name not in values:
            conditional = pair.guide.conditionals[name]
            made = conditional.distribution(*(values[v.name] for v in conditional.given))
            values[name] = made.sample()
            halves = _mean(made, values[name]).tensor_split(2)
            found[name] = torch.stack([half.mean(0).reshape(half.shape[1], -1) for half in halves])
    return {v.name: found[v.name] for v in pair.latents}


def _mean(made: Distribution, drawn: Tensor) -> Tensor:
    """The mean, probabilities for states; where it is unknown the draw itself, which is right on average."""
    if isinstance(made, Categorical):
        return made.probs
    try:
        return made.mean
    except NotImplementedError:  # a flow's
        return drawn


def _level(name: str, cost: Tensor, means: Tensor) -> Level:
    """Of the divergence of each row, and two estimates of its means `[2, rows, units]`."""
    one, other = (half - half.mean(0) for half in means.double())
    variances = (one * other).sum(0) / (len(cost) - 1)
    error = cost.double().std().item() / sqrt(len(cost))
    return Level(name, cost.double().mean().item(), error, tuple(variances.tolist()))
