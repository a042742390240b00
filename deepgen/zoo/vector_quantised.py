"""Vector-quantised autoencoders: images explained by grids of codes, with an autoregressive prior of the codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgm.conditionals import Conditional, Deterministic
from pgm.domains import Binary, Count, Real
from pgm.errors import ShapeError
from pgm.model import Model
from pgm.neural import Family, Neural
from pgm.variable import Variable

from ..conditionals import Isotropic, neural
from ..conditionals.codebook import Codebook, Nearest, Straight
from ..networks import Network, convolutional
from ..networks.pixel import pixel_cnn
from ..pair import Pair

HIDDEN = convolutional(32, 64)
PRIOR = pixel_cnn()


def vq_vae(
    x: Variable,
    codes: Sequence[int] = (7, 7),
    size: int = 64,
    *,
    width: int = 16,
    label: Variable | None = None,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    prior: Network = PRIOR,
    family: Family | None = None,
    decay: float | None = 0.95,
) -> Pair:
    """A vector-quantised autoencoder: p(code) autoregressive, p(x | entries of the code), and one code for each x.

    The guide computes features of x and puts all weight on the code of the nearest entries, so that the evidence lower
    bound is log p(x | code) + log p(code), without draws: an exact number of bits. It learns by `quantised(pair)`.

    Args:
        x: what is observed: `Binary` or `Real` images.
        codes: the grid of codes, height and width.
        size: how many entries the codebook has.
        width: how many numbers an entry has.
        label: a variable that the codes depend on, and x through them.
        encoder, decoder: make the networks.
        prior: makes the network of the codes.
        family: of p(x | code): by default Bernoulli for pixels and `Isotropic` for numbers, which is squared error.
        decay: of the running means that entries are; None for entries that learn by gradient.

    Raises:
        ShapeError: when the grid is not two numbers.

    Example:
        >>> from pgm import Binary
        >>> vq_vae(Variable("image", Binary(28, 28)), label=Variable("label", range(10)))
        Pair(image explained by code, embedding, given label)

    Reference: van den Oord, Vinyals and Kavukcuoglu (2017), Neural discrete representation learning.
    """
    also = [label] if label is not None else []
    code = _level("code", "", codes, width, Codebook(size, width, decay=decay))
    explained = neural(x, [code.embedding], decoder, family or _family(x))
    model = Model(code.prior(also, prior), code.looked_up, explained, name="VQ-VAE")
    return Pair(model, Model(*code.quantised([x], encoder), name="guide of the VQ-VAE"))


def vq_vae_2(
    x: Variable,
    top: Sequence[int] = (4, 4),
    bottom: Sequence[int] = (7, 7),
    size: int = 64,
    *,
    width: int = 16,
    label: Variable | None = None,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    prior: Network = PRIOR,
    family: Family | None = None,
    decay: float | None = 0.95,
) -> Pair:
    """A vector-quantised autoencoder of two levels: p(top) p(bottom | top) p(x | top, bottom).

    The guide computes the top codes first, then what they leave to say, both from hidden features of x.

    Args:
        x: what is observed.
        top, bottom: the coarse and the fine grid of codes, height and width.
        size: how many entries each of the two codebooks has.
        width, label, encoder, decoder, prior, family, decay: as for `vq_vae`, of both levels.

    Raises:
        ShapeError: when a grid is not two numbers.

    Example:
        >>> from pgm import Binary
        >>> vq_vae_2(Variable("image", Binary(28, 28)))
        Pair(image explained by top, top embedding, bottom, bottom embedding)

    Reference: Razavi, van den Oord and Vinyals (2019), Generating diverse high-fidelity images with VQ-VAE-2.
    """
    also = [label] if label is not None else []
    high = _level("top", "top ", top, width, Codebook(size, width, decay=decay))
    low = _level("bottom", "bottom ", bottom, width, Codebook(size, width, decay=decay))
    hidden = Variable("hidden", Real(2 * width, *bottom))
    priors = high.prior(also, prior), low.prior([high.embedding, *also], prior)
    explained = neural(x, [high.embedding, low.embedding], decoder, family or _family(x))
    model = Model(priors[0], high.looked_up, priors[1], low.looked_up, explained, name="VQ-VAE-2")
    shared = Deterministic(hidden, [x], encoder([x], hidden.shape))
    guide = [shared, *high.quantised([hidden], encoder), *low.quantised([hidden, high.embedding], encoder)]
    return Pair(model, Model(*guide, name="guide of the VQ-VAE-2"))


@dataclass(frozen=True)
class _Level:
    """One grid of codes, and the terms that are about it.

    Args:
        features: what is quantised, `Real(width, height, width of the grid)`.
        code: numbers of entries, `Count(height, width of the grid)`.
        embedding: the entries, of the shape of the features.
        codebook: the entries.
    """

    features: Variable
    code: Variable
    embedding: Variable
    codebook: Codebook

    @property
    def looked_up(self) -> Conditional:
        return Deterministic(self.embedding, [self.code], self.codebook)

    def prior(self, given: Sequence[Variable], network: Network) -> Conditional:
        return Neural(self.code, given, None, network(given, [self.codebook.size, *self.code.shape]))

    def quantised(self, given: Sequence[Variable], encoder: Network) -> list[Conditional]:
        return [
            Deterministic(self.features, given, encoder(given, self.features.shape)),
            Deterministic(self.code, [self.features], Nearest(self.codebook)),
            Deterministic(self.embedding, [self.features, self.code], Straight(self.codebook)),
        ]


def _level(name: str, prefix: str, grid: Sequence[int], width: int, codebook: Codebook) -> _Level:
    if len(grid) != 2:
        raise ShapeError(f"{name}: the grid of codes is {tuple(grid)}, expected two numbers, (height, width).")
    numbers = Real(width, *grid)
    features, embedding = Variable(f"{prefix}features", numbers), Variable(f"{prefix}embedding", numbers)
    return _Level(features, Variable(name, Count(*grid)), embedding, codebook)


def _family(x: Variable) -> Family | None:
    return None if isinstance(x.domain, Binary) else Isotropic()
