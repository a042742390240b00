"""Generated rows of the past, for discriminators that should not forget them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pgm.errors import PlanError
from pgm.variable import Variable


class Replay(nn.Module):
    """A pool of generated rows: each new one is let through, or changes places with one from the past.

    Every row looks at a place of the pool of its own, chosen at random. An empty place keeps a copy of it; at a full
    one it is exchanged half of the time for the row that was there. Checkpoints hold the pool, as buffers of a module;
    in evaluation mode all rows are let through and none is kept.

    Args:
        variables: what a row consists of: all that the discriminator sees.
        size: places.

    Raises:
        PlanError: when there are none.

    Example:
        >>> from pgm import Real
        >>> pool = Replay([Variable("x", Real(2))], size=4)
        >>> pool({"x": torch.ones(6, 2)})["x"].shape, int(pool.full.sum())
        (torch.Size([6, 2]), 4)

    Reference: Shrivastava, Pfister, Tuzel, Susskind, Wang and Webb (2017), Learning from simulated and unsupervised
    images through adversarial training; Zhu, Park, Isola and Efros (2017), CycleGAN, for a pool of 50.
    """

    full: Tensor

    def __init__(self, variables: Sequence[Variable], size: int = 50) -> None:
        super().__init__()
        if size < 1:
            raise PlanError(f"Replay: size is {size!r}, expected 1 place or more.")
        self.names = {v.name: f"held_{number}" for number, v in enumerate(variables)}
        for v in variables:
            kind = torch.long if v.finite else torch.get_default_dtype()
            self.register_buffer(self.names[v.name], torch.zeros(size, *v.shape, dtype=kind))
        self.register_buffer("full", torch.zeros(size, dtype=torch.bool))

    @torch.no_grad()
    def forward(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As many rows, new ones and old ones; in evaluation mode the new ones. Nothing is read back from the device.

        Args:
            rows: generated ones, `[rows, *event]` by name; more than there are places are let through.
        """
        if not self.training:
            return dict(rows)
        count = min(len(self.full), len(next(iter(rows.values()))))
        place = torch.randperm(len(self.full), device=self.full.device)[:count]
        swap = self.full[place] & (torch.rand(count, device=self.full.device) < 0.5)
        put, found = swap | ~self.full[place], dict(rows)
        for name, buffer in self.names.items():
            held, new = self.get_buffer(buffer), rows[name]
            old = held[place]
            found[name] = torch.cat([_chosen(swap, old, new[:count]), new[count:]])
            held[place] = _chosen(put, new[:count].to(held.dtype), old)
        self.full.index_fill_(0, place, True)
        return found


def _chosen(which: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Rows of one where `which` [rows] says so, otherwise of the other."""
    return torch.where(which.reshape(-1, *[1] * (one.dim() - 1)), one, other)
