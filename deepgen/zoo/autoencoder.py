"""Autoencoders: one code a row instead of a distribution over codes."""

from __future__ import annotations

from torch import Tensor, nn

from pgm.domains import Binary, Real
from pgm.energies import Energy
from pgm.errors import GraphError
from pgm.model import Model
from pgm.neural import Family, Neural
from pgm.variable import Variable

from ..conditionals import Isotropic, neural, point
from ..networks import Network, mlp
from ..pair import Pair
from .vae import HIDDEN


def autoencoder(
    x: Variable,
    codes: int = 16,
    *,
    label: Variable | None = None,
    sparsity: float = 0.0,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    family: Family | None = None,
) -> Pair:
    """An autoencoder: p(x | z), and a guide that is certain of one code z = f(x).

    Its bound is log p(x | f(x)) - sparsity |f(x)|, which `variational(pair)` makes large. z has no distribution of its
    own, so that nothing can be drawn from the model before something is known of the codes. Train it by
    `maximised(pair, partial(denoising, corrupt=...))` and it is a denoising autoencoder.

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        codes: how many numbers z has.
        label: a variable that both are conditioned on.
        sparsity: nats that one unit of |z| costs, summed over its numbers; a decoder whose weights cannot grow, such as
            `dictionary`, keeps codes from shrinking instead of vanishing.
        encoder, decoder: make the networks.
        family: of p(x | z): by default Bernoulli for pixels and `Isotropic` for numbers, which is squared error.

    Raises:
        GraphError: when sparsity is negative or no number.

    Example:
        >>> from pgm import Real
        >>> autoencoder(Variable("image", Real(8, 8)), codes=4)
        Pair(image explained by z)

    Reference: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks; Olshausen and
    Field (1996), Emergence of simple-cell receptive field properties, for sparse codes.
    """
    if not sparsity >= 0:
        raise GraphError(f"autoencoder: sparsity is {sparsity!r}, expected 0 or more nats.")
    z, also = Variable("z", Real(codes)), [label] if label is not None else []
    likelihood = family or (None if isinstance(x.domain, Binary) else Isotropic())
    costs = [Energy([z], Absolute(sparsity))] if sparsity else []
    model = Model(neural(x, [z, *also], decoder, likelihood), *costs, name="Autoencoder")
    guide = Neural(z, [x, *also], point, encoder([x, *also], [codes]))
    return Pair(model, Model(guide, name="guide of the autoencoder"))


def linear_autoencoder(x: Variable, codes: int) -> Pair:
    """An autoencoder of two linear maps: its best reconstructions are those of principal component analysis.

    Args:
        x: `Real` numbers.
        codes: how many numbers a code has.

    Example:
        >>> from pgm import Real
        >>> linear_autoencoder(Variable("x", Real(5)), codes=2)
        Pair(x explained by z)

    Reference: Baldi and Hornik (1989), Neural networks and principal component analysis: learning from examples without
    local minima.
    """
    return autoencoder(x, codes, encoder=mlp(), decoder=mlp())


class Absolute(nn.Module):
    """The energy weight * sum_i |z_i|, that of independent Laplace distributions.

    Args:
        weight: nats a unit.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, z: Tensor) -> Tensor:
        """Energies `[*batch]` of codes `[*batch, codes]`."""
        return self.weight * z.abs().sum(-1)
