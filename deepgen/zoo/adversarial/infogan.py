"""Codes that a generator may not ignore: a network of the guide has to read them off its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor

from pgm.conditionals import Conditional, Tabular
from pgm.domains import Real
from pgm.errors import GraphError
from pgm.model import Model
from pgm.variable import Variable

from ...conditionals.discriminator import Discriminator
from ...conditionals.generated import Generated
from ...conditionals.neural import neural
from ...conditionals.point import Isotropic
from ...conditionals.standard import Standard
from ...evaluate.figure import Figure
from ...evaluate.rows import at_rest
from ...networks import Network
from ...pair import Pair
from .gan import DENSE, FLAG, Gan, flipped
from .learning import log_density


def infogan(
    x: Variable,
    latents: int = 62,
    codes: Sequence[Variable] = (Variable("code", 10),),
    *,
    label: Variable | None = None,
    generator: Network = DENSE,
    discriminator: Network = DENSE,
    reader: Network = DENSE,
) -> Gan:
    """A generator G(z, c) of noise and codes, with a guide that reads c off the rows: q(c | x).

    The generator's phase of `adversarial` makes E log q(c | G(z, c)) large with the discriminator's verdict, which
    with the entropy of c is a lower bound on what rows say of their codes, I(c; x).

    Args:
        x: what is generated, `Real`.
        latents: how many numbers z has; 0 for none.
        codes: c: finite ones have states that are equally probable. `Real` ones are standard Gaussian, and read with a
            deviation of 1, so that a number is worth at most half a nat and does not crowd out all else.
        label: a variable that all networks are told.
        generator, discriminator: make their networks.
        reader: makes those of q(c | x), one a code.

    Raises:
        GraphError: when there is no code, or one is neither finite nor `Real`.

    Example:
        >>> found = infogan(Variable("image", Real(8, 8)), codes=[Variable("kind", 10), Variable("slant", Real(1))])
        >>> found
        Gan(image from z, kind, slant, infers kind, slant)
        >>> found.sample(3, {"kind": torch.tensor([7, 7, 7])}).shape
        torch.Size([3, 8, 8])

    Reference: Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel (2016), InfoGAN: interpretable representation
    learning by information maximizing generative adversarial nets.
    """
    if not codes:
        raise GraphError("infogan: there are no codes, expected one or more; without any use gan.")
    told = [label] if label is not None else []
    z = [Variable("z", Real(latents))] if latents else []
    priors = [*map(Standard, z), *map(prior, codes)]
    model = Model(flipped(), *priors, Generated(x, FLAG, [*z, *codes, *told], generator), name="generator")
    readers = [neural(code, [x, *told], reader, None if code.finite else Isotropic(learned=False)) for code in codes]
    return Gan(Pair(model, Model(Discriminator(FLAG, [x, *told], discriminator), *readers, name="discriminator")))


@torch.no_grad()
def information(
    gan: Gan, rows: int = 1000, given: Mapping[str, Tensor] | None = None, seed: int = 0
) -> tuple[Figure, ...]:
    """What generated rows say of each of their codes, in nats: I(c; x) >= E[log q(c | x) - log p(c)].

    What is missing is the mean KL(p(c | x) || q(c | x)); no more than the entropy of c can be found.

    Args:
        gan: with codes that its guide infers.
        rows: how many to generate.
        given: labels, `[rows]` by name, where the generator needs them.
        seed: of these rows.

    Example:
        >>> found = infogan(Variable("x", Real(2)), codes=[Variable("kind", 4)])
        >>> print(*information(found))
        I(kind; x) >= ... nats (read by q(kind | x), 1,000 generated rows)

    Reference: Barber and Agakov (2003), The IM algorithm: a variational approach to information maximization.
    """
    with at_rest(gan.pair.model, gan.pair.guide, seed=seed):
        fake = gan.fake(rows, given)
    return tuple(_known(gan, name, fake) for name in gan.encoders if name not in gan.judged)


def _known(gan: Gan, name: str, fake: Mapping[str, Tensor]) -> Figure:
    reader = gan.encoders[name]
    with at_rest(reader, seed=0):
        nats = (log_density(reader, fake) - log_density(gan.pair.model.conditionals[name], fake)).double()
    how = f"read by q({name} | {', '.join(v.name for v in reader.given)}), {len(nats):,} generated rows"
    error = nats.std().item() / sqrt(len(nats))
    return Figure(f"I({name}; {gan.x.name})", nats.mean().item(), "lower bound", how, error, "nats")


def prior(code: Variable) -> Conditional:
    """p(c), with nothing to learn: each state as probable as the others, or a standard Gaussian."""
    if not code.finite:
        return Standard(code)
    found = Tabular(code, [], [1 / code.size] * code.size)
    found.requires_grad_(False)
    return found
