"""The variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from pgm.domains import Real
from pgm.model import Model
from pgm.neural import Family
from pgm.variable import Variable

from ..conditionals import Standard, neural
from ..conditionals.flow import Posterior
from ..networks import Network, mlp
from ..pair import Pair

HIDDEN = mlp(200, 200, activation=nn.Tanh)


def vae(
    x: Variable,
    latents: int | Sequence[int] = 50,
    *,
    label: Variable | None = None,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    family: Family | None = None,
    posterior: Posterior = neural,
) -> Pair:
    """A variational autoencoder: p(z) = N(0, I), p(x | z) and q(z | x) computed by networks.

    Its objectives make it a beta-VAE (`variational(pair, beta=4)`) or an importance weighted autoencoder
    (`weighted(pair, iwae)`).

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        latents: how many numbers z has, or their shape: with convolutions z can be a small image, (4, 7, 7).
        label: a variable that both are conditioned on, for a conditional VAE.
        encoder, decoder: make the networks.
        family: of p(x | z), when it is not the one that x suggests.
        posterior: makes q(z | x) with the encoder: Gaussian by `neural`, of any shape by `flow()`.

    Example:
        >>> from pgm import Binary
        >>> vae(Variable("image", Binary(28, 28)))
        Pair(image explained by z)

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes; Rezende, Mohamed and Wierstra (2014),
    Stochastic backpropagation; Sohn, Lee and Yan (2015), Learning structured output representation, for labels.
    """
    shape = [latents] if isinstance(latents, int) else latents
    z, also = Variable("z", Real(*shape)), [label] if label is not None else []
    model = Model(Standard(z), neural(x, [z, *also], decoder, family), name="VAE")
    return Pair(model, Model(posterior(z, [x, *also], encoder), name="guide of the VAE"))
