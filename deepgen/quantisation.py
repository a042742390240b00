"""How vector-quantised autoencoders learn: the codes, and then the prior of the codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from pgm.conditionals import Conditional, Deterministic

from .conditionals.codebook import Codebook, Straight
from .pair import Pair
from .training.phase import Batch, Moment, Phase


def quantised(pair: Pair, *, commitment: float = 0.25, **options: Any) -> tuple[Phase, Phase]:
    """Two phases: the autoencoder learns to reconstruct through its codes, the prior to predict the codes.

    With features f(x) and their nearest entries e, the first makes -log p(x | e) + commitment |f(x) - stop(e)|^2 small;
    gradients of the entries go straight on to the features. Entries follow as running means, or by a further
    |stop(f(x)) - e|^2 where they learn by gradient. The second makes -log p(code) small. `fit` both by turns, so that
    one run has one history and one checkpoint, and the prior keeps up with the codes until these settle; or `fit` the
    first and then, as published, the second.

    The history shows, for each grid of codes, the `perplexity` of the entries in a batch and the share of them `used`.

    Args:
        pair: what `vq_vae` or `vq_vae_2` returned.
        commitment: weight of the distance of features from their entries.
        options: `optimiser`, `rate` and `clip` of both phases.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.vector_quantised import vq_vae
        >>> quantised(vq_vae(Variable("image", Binary(28, 28))))
        (Phase(autoencoder: moves guide, image, 1 step a turn), Phase(prior: moves code, 1 step a turn))

    Reference: van den Oord, Vinyals and Kavukcuoglu (2017), Neural discrete representation learning.
    """
    observed = {v.name: pair.model.conditionals[v.name] for v in pair.observed}
    books = codebooks(pair)
    priors = {name: pair.model.conditionals[name] for name in books}

    def reconstruct(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        values = _followed(pair, batch)
        reconstruction = _surprise(observed.values(), values)
        distance, usage = reconstruction.new_zeros(()), dict[str, Tensor]()
        for name, (features, book) in books.items():
            distance = distance + _distance(book, values[features], values[name], commitment)
            book.update(values[features].detach(), values[name])
            shares = use(book, values[name])
            usage |= {f"perplexity of {name}": perplexity(shares), f"used of {name}": (shares > 0).float().mean()}
        return {"loss": reconstruction + distance, "reconstruction": reconstruction, "distance": distance, **usage}

    def predict(batch: Batch, moment: Moment) -> Tensor:
        with torch.no_grad():
            values = _followed(pair, batch)
        return _surprise(priors.values(), values)

    first = Phase("autoencoder", {"guide": pair.guide, **observed}, reconstruct, **options)
    return first, Phase("prior", priors, predict, **options)


def codebooks(pair: Pair) -> dict[str, tuple[str, Codebook]]:
    """For each grid of codes by name the features that are quantised, and the codebook."""
    found = {}
    for conditional in pair.guide.conditionals.values():
        straight = conditional.function if isinstance(conditional, Deterministic) else None
        if isinstance(straight, Straight):
            features, code = conditional.given
            found[code.name] = features.name, straight.codebook
    return found


def use(book: Codebook, codes: Tensor) -> Tensor:
    """The share of codes that each entry has, `[size]`."""
    return torch.bincount(codes.flatten().long(), minlength=book.size) / codes.numel()


def perplexity(shares: Tensor) -> Tensor:
    """The exponential of the entropy: how many entries in even use are as hard to predict, `[]`.

    Example:
        >>> round(perplexity(torch.tensor([0.5, 0.5, 0.0])).item(), 3)
        2.0
    """
    return torch.special.entr(shares).sum().exp()


def _followed(pair: Pair, batch: Batch) -> dict[str, Tensor]:
    """The batch with everything that the guide computes of it."""
    values = pair.seen(batch)
    for name in pair.guide.graph.topological:
        if name not in values:
            conditional = pair.guide.conditionals[name]
            values[name] = conditional.draw(*(values[v.name] for v in conditional.given))
    return values


def _surprise(conditionals: Iterable[Conditional], values: Mapping[str, Tensor]) -> Tensor:
    """-log p of some conditionals together, `[batch]`."""
    logs = [term.log_prob(*(values[v.name] for v in term.scope)) for term in conditionals]
    return -torch.stack(logs).sum(0)


def _distance(book: Codebook, features: Tensor, codes: Tensor, commitment: float) -> Tensor:
    """How far features are from their entries, `[batch]`: what moves features, and entries that learn by gradient."""
    entries = book(codes)
    found = commitment * (features - entries.detach()).square().flatten(1).sum(1)
    return found if book.decay is not None else found + (features.detach() - entries).square().flatten(1).sum(1)
