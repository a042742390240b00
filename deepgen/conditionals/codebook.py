"""Codebooks: vectors that features are replaced by, learned as running means of the features that they stand for."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import embedding


class Codebook(nn.Module):
    """Entries e_1 ... e_size; a feature's code is the number of the entry nearest to it.

    With a decay d, entries are running means of the features that came to them: over batches N_k <- d N_k + (1 - d) n_k
    and m_k <- d m_k + (1 - d) (the sum of the n_k features), and e_k = m_k / N_k. Without, entries are parameters that
    a gradient moves. Entries that hardly any feature comes to are put on features of the batch, all by the first one.

    Args:
        size: how many entries.
        width: how many numbers each has.
        decay: of the running sums; None for entries that learn by gradient.
        restart: the share of an even use, 1 / size, below which an entry is put elsewhere; 0 for never.

    Attributes:
        entries: `[size, width]`.
        counts: running numbers of features by entry, `[size]`.

    Example:
        >>> book = Codebook(size=64, width=8)
        >>> codes = book.nearest(torch.zeros(5, 8, 7, 7))
        >>> codes.shape, book(codes).shape
        (torch.Size([5, 7, 7]), torch.Size([5, 8, 7, 7]))

    Reference: van den Oord, Vinyals and Kavukcuoglu (2017), Neural discrete representation learning, with appendix A.1
    for running means; Dhariwal, Jun, Payne, Kim, Radford and Sutskever (2020), Jukebox, for restarts.
    """

    entries: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, width: int, *, decay: float | None = 0.99, restart: float = 0.05) -> None:
        super().__init__()
        self.size, self.decay, self.restart = size, decay, restart
        entries = torch.empty(size, width).uniform_(-1 / size, 1 / size)
        if decay is None:
            self.entries = nn.Parameter(entries)
        else:
            self.register_buffer("entries", entries)
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, width))

    @torch.no_grad()
    def nearest(self, features: Tensor) -> Tensor:
        """Codes `[*batch, height, width]` of features `[*batch, width of entries, height, width]`."""
        rows, middle = features.movedim(-3, -1), self.entries.mean(0)  # far from 0, products would lose distances
        distances = torch.cdist(rows.flatten(0, -2).to(self.entries.dtype) - middle, self.entries - middle)
        return distances.argmin(1).reshape(rows.shape[:-1]).to(self.entries.dtype)

    def forward(self, codes: Tensor) -> Tensor:
        """Entries `[*batch, width of entries, height, width]` of codes `[*batch, height, width]`."""
        return embedding(codes.long(), self.entries).movedim(-1, -3)

    @torch.no_grad()
    def update(self, features: Tensor, codes: Tensor) -> None:
        """Take in a batch: running numbers, running means where there is a decay, and restarts; only while training.

        Several processes take in what all of them have, so that their entries are the same.
        """
        if not self.training:  # rows that are only looked at leave no trace
            return
        rows = features.movedim(-3, -1).flatten(0, -2).to(self.sums.dtype)
        places, decay = codes.flatten().long(), 0.99 if self.decay is None else self.decay
        numbers = torch.bincount(places, minlength=self.size).to(self.counts.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, places, rows)
        if _several():
            distributed.all_reduce(numbers)
            distributed.all_reduce(sums)
        self.counts.lerp_(numbers, 1 - decay)
        self.sums.lerp_(sums, 1 - decay)
        if self.decay is not None:
            self.entries.copy_(torch.where(numbers[:, None] > 0, self.sums / self.counts[:, None], self.entries))
        if self.restart > 0:
            self._restart(rows, self.restart * numbers.sum() / self.size)

    def _restart(self, rows: Tensor, least: Tensor) -> None:
        """Put the entries that are hardly used on features, for as long as it takes to be forgotten half."""
        dead = self.counts < least
        chosen = rows[torch.randint(len(rows), (self.size,), device=rows.device)]
        if _several():
            distributed.broadcast(chosen, 0)
        self.entries.copy_(torch.where(dead[:, None], chosen, self.entries))
        self.sums.copy_(torch.where(dead[:, None], 2 * least * chosen, self.sums))
        self.counts.copy_(torch.where(dead, 2 * least, self.counts))


def _several() -> bool:
    """Whether this is one of several processes that learn together."""
    return distributed.is_available() and distributed.is_initialized()


class Nearest(nn.Module):
    """Features to the codes of the nearest entries.

    Args:
        codebook: with the entries.
    """

    def __init__(self, codebook: Codebook) -> None:
        super().__init__()
        self.codebook = codebook

    def forward(self, features: Tensor) -> Tensor:
        """`[*batch, channels, height, width]` to `[*batch, height, width]`."""
        return self.codebook.nearest(features)


class Straight(nn.Module):
    """Codes to entries, to the bit, with the gradient of the entries handed straight on to the features.

    Args:
        codebook: with the entries.

    Example:
        >>> straight, features = Straight(Codebook(4, 2)), torch.zeros(1, 2, 1, 1, requires_grad=True)
        >>> straight(features, torch.zeros(1, 1, 1)).square().sum().backward()
        >>> torch.equal(features.grad.flatten(), 2 * straight.codebook.entries[0])
        True

    Reference: Bengio, Leonard and Courville (2013), Estimating or propagating gradients through stochastic neurons.
    """

    def __init__(self, codebook: Codebook) -> None:
        super().__init__()
        self.codebook = codebook

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Features `[*batch, channels, height, width]` and codes `[*batch, height, width]` to entries."""
        entries: Tensor = self.codebook(codes).detach()
        return entries + (features - features.detach()).to(entries.dtype)
