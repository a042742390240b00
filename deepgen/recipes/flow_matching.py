"""A recipe for flow matching."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import log, sqrt
from typing import ClassVar

import torch
from torch import Tensor

from pgm.errors import PlanError

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.shades import centred
from ..data.standardised import standardised
from ..evaluate.figure import Figure, Side
from ..zoo.flow_matching import FlowMatching as Model
from ..zoo.flow_matching import flow_matching, matched
from ..zoo.flow_matching.learning import Coupling, spread
from ..zoo.flow_matching.ode import Method
from .diffusion import Timed, timed
from .recipe import Recipe
from .setup import Setup


@dataclass(frozen=True)
class FlowMatching(Recipe):
    """Flow matching: a U-Net for images, whose shades go from -1 to 1, a dense network for points and small ones.

    Args:
        smallest: deviation that is left around each row of data.
        coupling: which noise goes with which row: 'independent', or 'optimal' within a batch, without labels.
        network: 'unet', 'dense', or 'auto': dense for points, and for images of fewer than 16 pixels a side.
        channels: of the U-Net, at full size, at half of it, and so on.
        attention: the longest side of sizes at which every pixel looks at all others; in the middle they always do.
        hidden: units of each layer of the dense network; by default 256,256,256 for points, four of 512 for images.
        dropped: share of rows that are learned without their label.
        guidance: how far to go beyond what a label asks for, when sampling.
        sample_steps: steps when sampling; 0 for as many as a tolerance needs.
        method: of these steps: 'euler', 'midpoint', 'heun' or 'rk4'.
        density_steps: steps of the fourth order for log p(x), 4 looks at the network each; 0 as above.
        probes: random signs by which log p(x) of images is estimated; that of points is exact.
    """

    sampling: ClassVar[tuple[str, ...]] = ("guidance", "sample_steps", "method", "density_steps", "probes")

    binarise: Binarisation = "no"
    epochs: float = 200
    rate: float = 2e-3
    decay: bool = True
    average: float | None = 0.995
    smallest: float = 0.0
    coupling: Coupling = "independent"
    network: Timed = "auto"
    channels: tuple[int, ...] = (32, 64)
    attention: int = 8
    hidden: tuple[int, ...] | None = None
    dropped: float = 0.1
    guidance: float = 0.0
    sample_steps: int = 50
    method: Method = "midpoint"
    density_steps: int = 20
    probes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guidance and not (self.labels and self.dropped):
            need = "labels=True" if self.dropped else "dropped above 0"
            raise PlanError(f"FlowMatching: guidance is {self.guidance:g}, which needs {need} while training.")

    def load(self, split: Split = "train") -> Data:
        found = named(self.data, split, self.binarise)
        return centred(found) if "image" in found.columns else standardised(found, named(self.data))

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        phase = matched(model, self.coupling, **self.options(data))
        figures = partial(likelihood, model, steps=self.density_steps or None, probes=self.probes)
        return Setup({"model": model.model}, (phase,), partial(self._sample, model), figures)

    def model(self, data: Data) -> Model:
        """The model of data like these, before it has learned anything."""
        x, label = self.x(data), self.label(data)
        return flow_matching(
            x,
            timed(self.network, x, self.channels, self.attention, self.hidden),
            label=label,
            smallest=self.smallest,
            levels=data[x.name].unique().numel() if len(x.shape) > 1 else None,
            dropped=self.dropped if label is not None else 0.0,
        )

    def _sample(self, model: Model, rows: int, labels: Tensor | None) -> Tensor:
        given = {} if labels is None else {"label": labels}
        steps = self.sample_steps or None
        found = model.sample(rows, given, steps=steps, method=self.method, guidance=self.guidance)
        return found if model.levels is None else (found + 1) / 2


def likelihood(
    model: Model, data: Data, steps: int | None = 20, probes: int = 1, seed: int = 0, batch: int = 500
) -> tuple[Figure, ...]:
    """log p(x) of rows, in nats; of shades a lower bound, in bits per dimension as well.

    Shades are spread evenly over their bins: log P(x) >= E log p(x + u) + log(volume of a bin).

    Args:
        model: whose density it is.
        data: rows.
        steps: of the fourth order; None for as many as a tolerance needs.
        probes: random signs a row, for shades; the divergence of numbers is exact.
        seed: of these, and of what is spread.
        batch: rows at a time.

    Reference: Theis, van den Oord and Bethge (2016), A note on the evaluation of generative models, for the bound.
    """
    device, name, levels = model.velocity.place.device, model.x.name, model.levels
    size, found = data[name][0].numel(), []
    bin_size = 0.0 if levels is None else log(2 / (levels - 1))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for rows in torch.arange(len(data)).split(batch):
            seen = {key: column[rows].to(device) for key, column in data.columns.items()}
            seen[name] = spread(seen[name], levels)
            found.append(model.log_prob(seen, steps=steps, probes=None if levels is None else probes) + size * bin_size)
    nats = torch.cat(found).double()
    way = "a tolerance of 1e-05" if steps is None else f"{steps} steps of the fourth order"
    how = f"{way}, {'exact divergence' if levels is None else f'{probes} probes'}, {len(data):,} rows of {data.name}"
    side: Side = "estimate" if levels is None else "lower bound"
    error = nats.std().item() / sqrt(len(nats))
    figure = Figure("log p(x)", nats.mean().item(), side, how, error, "nats")
    return (figure,) if levels is None else (figure, figure.bits(size))
