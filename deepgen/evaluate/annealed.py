"""log p(x) by annealed importance sampling: tighter than any affordable number of independent draws."""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import PlanError
from pgm.model import Model

from ..data.data import Data
from ..pair import Pair
from .bounds import counted, error
from .figure import Figure
from .path import Moves, Path, tuned, walked
from .rows import Rows, at_rest, require, require_density, seen

Start = Literal["guide", "prior"]


@torch.no_grad()
def annealed(
    pair: Pair,
    data: Data,
    *,
    temperatures: int = 100,
    chains: int = 10,
    leapfrog: int = 5,
    start: Start = "guide",
    simulated: int = 100,
    batch: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> tuple[Figure, ...]:
    """A lower bound on the mean log p(x) of data, and how tight such bounds are, on rows that the model draws.

    Chains go from the guide, or the prior, to the posterior by way of q^(1 - beta) p^beta with Hamiltonian moves. Their
    mean weight is p(x) on average, so that its log is below log p(x) on average. For rows drawn from the model an exact
    draw from the posterior is known as well; chains from there back give an upper bound, and both together an interval.
    What the interval is wide on those rows is about what the first figure may be below the truth. Step sizes are found
    beforehand, for each row and temperature, by chains that are then thrown away.

    Args:
        pair: a model and its guide, with latent variables of real numbers; finite ones that the guide leaves out are
            summed exactly.
        data: rows of what is observed and given.
        temperatures: steps from the start to the posterior; twice as many halve what is missing, about.
        chains: a row.
        leapfrog: steps a move, each of which takes one slope of the model.
        start: 'guide' or 'prior'; where the guide is good it needs far fewer temperatures, where it is too narrow the
            prior is safer.
        simulated: rows that the model draws, given what rows of the data are given; 2 or more.
        batch: rows at a time.
        seed: of all draws.
        progress: whether to show a line on a terminal when it takes long.

    Returns:
        A lower bound in nats with its standard error over rows; and an estimate with its interval, of the mean log p(x)
        of the rows that the model drew, two standard errors of the chains included. Ctrl-C keeps what there is, which
        may be the first alone.

    Raises:
        PlanError: when a latent variable is not of real numbers, the guide is certain of one, or a number is too small.
        GraphError: when a column is missing.
        ShapeError: when a column does not fit the variable of its name.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.networks import mlp
        >>> from deepgen.zoo.vae import vae
        >>> pair = vae(Variable("x", Binary(3)), 2, encoder=mlp(4), decoder=mlp(4))
        >>> found, dreams = annealed(pair, Data({"x": torch.ones(20, 3)}, "ones"), temperatures=10)
        >>> print(found)
        log p(x) >= ... nats (AIS from the guide, 10 chains of 10 temperatures, 5 leapfrog steps, ... 20 rows of ones)
        >>> print(dreams)
        log p(x) ~ ... in [...] nats (AIS from the guide, ..., there and back, 100 rows drawn from the model)

    Reference: Wu, Burda, Salakhutdinov and Grosse (2017), On the quantitative analysis of decoder-based generative
    models; Grosse, Ghahramani and Adams (2015), Sandwiching the marginal likelihood using bidirectional Monte Carlo.
    """
    _check(temperatures=temperatures, chains=chains, leapfrog=leapfrog, simulated=simulated)
    require(pair, data, "annealed")
    require_density(pair, "annealed")
    origin, below, both = _begun(pair, start), list[Tensor](), list[Tensor]()
    with at_rest(pair.model, pair.guide, seed=seed) as device:
        rows = Rows(data, batch, seed, device)
        dreams = Rows(_dreamed(pair, data, simulated, device), batch, seed, device)
        with Watched(len(rows) + len(dreams), "batches", progress) as steps:
            for step in steps:
                values = rows[step] if step < len(rows) else dreams[step - len(rows)]
                path = Path(pair.model, origin, seen(pair, values))
                moves = tuned(path, temperatures, chains, leapfrog)
                lower, accepted = forward(path, moves, chains)
                if step < len(rows):
                    below.append(torch.stack([lower, accepted]))
                else:
                    upper = backward(path, moves, path.joined(values), chains)
                    both.append(torch.stack([lower, upper]))
    bounded = torch.cat(below, 1)
    how = (
        f"AIS from the {start}, {chains} chains of {temperatures:,} temperatures, {leapfrog} leapfrog steps, "
        f"{100 * bounded[1].mean().item():.0f} % accepted"
    )
    said = f"{how}, {counted(bounded[0], data)}"
    first = Figure("log p(x)", bounded[0].mean().item(), "lower bound", said, error(bounded[0]), "nats")
    return (first, *([sandwiched(torch.cat(both, 1), how)] if both else []))


def forward(path: Path, moves: Moves, chains: int) -> tuple[Tensor, Tensor]:
    """The log of the mean weight of chains from the start, below log p(x) on average; the share accepted; `[rows]`."""
    logs, accepted = walked(path, moves, path.draw(chains), forward=True)
    return logs.logsumexp(0) - log(chains), accepted


def backward(path: Path, moves: Moves, exact: Tensor, chains: int) -> Tensor:
    """What chains from a draw from the posterior back to the start say, above log p(x) on average, `[rows]`.

    Args:
        path, moves: and the same moves as forward.
        exact: the draw, `[rows, numbers]`.
        chains: how many begin there.
    """
    logs, _ = walked(path, moves, exact.expand(chains, *exact.shape), forward=False)
    return log(chains) - (-logs).logsumexp(0)


def sandwiched(both: Tensor, how: str) -> Figure:
    """The mean log p(x) of rows between bounds `[lower and upper, rows]`.

    The bounds of a row are drawn independently, so that their difference has the noise of both; the interval ends two
    of its standard errors outside the mean bounds.
    """
    lower, upper = sorted(both.mean(1).tolist())  # of tight bounds noise may change the order
    spare = 2 * (error(both[1] - both[0]) or 0.0)
    of = f"{how}, there and back, {both.shape[1]:,} rows drawn from the model"
    return Figure("log p(x)", (lower + upper) / 2, "estimate", of, None, "nats", (lower - spare, upper + spare))


def _begun(pair: Pair, start: Start) -> Model:
    """What chains begin with."""
    if start not in ("guide", "prior"):
        raise PlanError(f"annealed: start is {start!r}, expected 'guide' or 'prior'.")
    if start == "guide":
        return pair.guide
    without = next((v.name for v in pair.latents if v.name not in pair.model.conditionals), None)
    if without is not None:
        raise PlanError(f"annealed: {without!r} has no conditional in the model to begin with; use start='guide'.")
    return Model(*(pair.model.conditionals[v.name] for v in pair.latents))


def _dreamed(pair: Pair, data: Data, count: int, device: torch.device) -> Data:
    """Rows that the model draws, given what rows from all over the data are given: columns of the data, and latents."""
    spread = torch.arange(count) * len(data) // count
    given = {v.name: data[v.name][spread.to(data[v.name].device)].to(device) for v in pair.given}
    kept = data.columns.keys() | {v.name for v in pair.latents}
    return Data({name: value for name, value in pair.sample(count, given).items() if name in kept})


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        least = 2 if name == "simulated" else 1  # intervals need the noise of a row
        if value < least:
            raise PlanError(f"annealed: {name} is {value}, expected {least} or more.")
