"""What a vector-quantised autoencoder is worth: bits, errors of what it makes of its codes, and use of its entries."""

from __future__ import annotations

from math import prod

import torch

from ..data.data import Data
from ..pair import Pair
from ..quantisation import codebooks, perplexity
from .bounds import bounds, counted, error
from .figure import Figure
from .rows import Rows, at_rest, seen


@torch.no_grad()
def codes(pair: Pair, data: Data, batch: int = 100, seed: int = 0, progress: bool = True) -> tuple[Figure, ...]:
    """The bound of its two parts, in nats and in bits, squared errors of reconstructions, and each codebook's use.

    Each row has one code, so that nothing is estimated: -log p(x | code) - log p(code) is the length of a message that
    says the row.

    Args:
        pair: what `vq_vae` or `vq_vae_2` returned.
        data: rows of what is observed and given.
        batch: rows at a time.
        seed: of what data draw anew.
        progress: whether to show a line on a terminal when it takes long.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.data.images import digits
        >>> from deepgen.data.binarise import thresholded
        >>> from deepgen.zoo.vector_quantised import vq_vae
        >>> found = codes(vq_vae(Variable("image", Binary(8, 8)), (2, 2)), thresholded(digits()).rows(slice(50)))
        >>> [figure.name for figure in found]
        ['log p(x)', 'bits per dimension', 'squared error', 'entries of code used', 'perplexity of code']
    """
    (whole,) = bounds(pair, data, (1,), batch, seed, progress)
    (x,) = pair.observed
    books, errors = codebooks(pair), []
    counts = {name: torch.zeros(book.size) for name, (_, book) in books.items()}
    with at_rest(pair.model, pair.guide, seed=seed) as device:
        rows = Rows(data, batch, seed, device)
        for known in (seen(pair, rows[number]) for number in range(len(rows))):
            values = pair.infer(known)
            errors.append((pair.means(values)[x.name] - known[x.name]).square().flatten(1).mean(1).double())
            for name, (_, book) in books.items():
                counts[name] += torch.bincount(values[name].flatten().long(), minlength=book.size).cpu()
    apart = torch.cat(errors)
    how = counted(apart, data)
    mean = Figure("squared error", apart.mean().item(), "exact", f"of reconstructions, a pixel, {how}", error(apart))
    return whole, whole.bits(prod(x.shape)), mean, *(f for name in books for f in _use(name, counts[name], how))


def _use(name: str, counts: torch.Tensor, how: str) -> tuple[Figure, Figure]:
    shares = counts / counts.sum()
    share = Figure(f"entries of {name} used", (counts > 0).double().mean().item(), "exact", f"of {len(counts)}, {how}")
    return share, Figure(f"perplexity of {name}", perplexity(shares).item(), "exact", how)
