"""What measuring takes: modules at rest, a seed, and rows of data where the modules are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from math import ceil

import torch
from torch import Tensor, nn

from pgm.domains import Real
from pgm.errors import PlanError
from pgm.model import Model
from pgm.neural import Neural
from pgm.variable import Variable

from ..conditionals.point import point
from ..data.data import Data
from ..networks.rest import resting
from ..pair import Pair
from ..training.fitting import require_fitting


@contextmanager
def at_rest(*modules: nn.Module, seed: int) -> Iterator[torch.device]:
    """Modules in evaluation mode and torch's randomness from a seed; afterwards all is as before.

    Args:
        modules: what is measured.
        seed: of what is drawn meanwhile.

    Returns:
        The device where the modules are.
    """
    device = place(*modules)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), resting(*modules):
        _seed(device, seed)
        yield device


def _seed(device: torch.device, seed: int) -> None:
    """Seed what is drawn on the CPU and on the device; torch's own function would seed all other devices as well."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def require(pair: Pair, data: Data, subject: str) -> None:
    """Raise an error that says why the pair cannot be measured on the data, before anything is drawn.

    Raises:
        GraphError: when a column is missing.
        ShapeError: when a column does not fit the variable of its name.
    """
    for variable in (*pair.observed, *pair.given):
        data[variable.name]
    require_fitting(data, pair.modules, subject)


def require_density(pair: Pair, subject: str) -> None:
    """Raise a `PlanError` where the guide is certain of numbers: its density is infinite, and no bound is left."""
    for variable in filter(partial(_certain, pair.guide), pair.latents):
        raise PlanError(
            f"{subject}: the guide is certain of {variable.name!r}, so that there is no bound on log p(x). Measure "
            "reconstructions, or learn a guide that has a width, such as that of `vae`."
        )


def require_likelihood(pair: Pair, subject: str) -> None:
    """Raise a `PlanError` where the model is certain of what is observed, as the generator of a game is."""
    for variable in filter(partial(_certain, pair.model), pair.observed):
        raise PlanError(
            f"{subject}: the model is certain of {variable.name!r}, as the generator of a game is, so that there is no "
            "bound on log p(x). Measure reconstructions, or put noise around the generator (blurred)."
        )


def _certain(model: Model, variable: Variable) -> bool:
    found = model.conditionals[variable.name]
    return isinstance(variable.domain, Real) and isinstance(found, Neural) and found.family is point


def seen(pair: Pair, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The columns that are about variables of the model, without those that the guide infers."""
    inferred = {variable.name for variable in pair.latents}
    return {name: value for name, value in pair.seen(values).items() if name not in inferred}


def place(*modules: nn.Module) -> torch.device:
    """The device of the first parameter or buffer."""
    held = (tensor for module in modules for tensor in chain(module.parameters(), module.buffers()))
    return next((tensor.device for tensor in held), torch.device("cpu"))


class Rows:
    """The rows of data in batches, whatever is drawn anew drawn from a seed, on any device.

    Args:
        data: the rows.
        batch: rows at a time.
        seed: of what the data draw.
        device: where to put them.

    Raises:
        PlanError: when no row is to be taken at a time.

    Example:
        >>> rows = Rows(Data({"x": torch.arange(5.0)}), 2, 0, torch.device("cpu"))
        >>> len(rows), rows[2]
        (3, {'x': tensor([4.])})
    """

    def __init__(self, data: Data, batch: int, seed: int, device: torch.device) -> None:
        if batch < 1:
            raise PlanError(f"rows of {data.name}: batch is {batch}, expected 1 or more at a time.")
        self.data, self.batch, self.seed, self.device = data, batch, seed, device
        self.home = next(iter(data.columns.values())).device

    def __len__(self) -> int:
        return ceil(len(self.data) / self.batch)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """The columns of one batch, by name; the same whenever it is asked for."""
        first = number * self.batch
        which = torch.arange(first, min(first + self.batch, len(self.data)), device=self.home)
        generator = torch.Generator(self.home).manual_seed(self.seed + number)
        return {name: column.to(self.device) for name, column in self.data.batch(which, generator).items()}
