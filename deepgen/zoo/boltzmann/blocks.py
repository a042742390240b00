"""Blocks of bits of which at most one is on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from .units import LEAST, Units


@dataclass(frozen=True, eq=False)
class Blocks(Units):
    """Bits in blocks, at most one of each on, with the field as logits; those of none being on are 0.

    Args:
        blocks: which bits are in each, `[blocks, places]`.
    """

    blocks: Tensor

    def draw(self, field: Tensor) -> Tensor:
        logits = self._apart(field)
        chosen = torch.multinomial(logits.softmax(-1).flatten(0, -2), 1).reshape(logits.shape[:-1])
        return self._together(one_hot(chosen, logits.shape[-1]).to(field.dtype))

    def mean(self, field: Tensor) -> Tensor:
        return self._together(self._apart(field).softmax(-1))

    def field_of(self, mean: Tensor) -> Tensor:
        none = 1 - mean[..., self.blocks].sum(-1, keepdim=True)  # [*batch, blocks, 1]
        logs = mean[..., self.blocks].clamp_min(LEAST).log() - none.clamp_min(LEAST).log()
        return self._together(pad(logs, (0, 1)))

    def log_sum(self, field: Tensor) -> Tensor:
        return self._apart(field).logsumexp(-1).sum(-1)

    def _apart(self, field: Tensor) -> Tensor:
        """With one more state for none, `[*batch, blocks, places + 1]`."""
        return pad(field[..., self.blocks], (0, 1))

    def _together(self, x: Tensor) -> Tensor:
        """Without it, where the bits are, `[*batch, numbers]`."""
        return x[..., :-1].flatten(-2)[..., self.blocks.flatten().argsort()]
