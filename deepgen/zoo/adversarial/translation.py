"""Images to images, from pairs: a generator given a source, and a discriminator that sees both (pix2pix)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pgm.domains import Real
from pgm.model import Model
from pgm.variable import Variable

from ...conditionals.discriminator import Discriminator
from ...conditionals.generated import Generated
from ...conditionals.standard import Standard
from ...networks import Network
from ...pair import Pair
from ...training.phase import Batch, Phase
from .games import Game
from .gan import DENSE, FLAG, Gan, flipped
from .learning import adversarial, each
from .penalties import Values, require_weight


def translator(
    x: Variable,
    source: Variable,
    *,
    latents: int = 0,
    beside: bool = True,
    generator: Network = DENSE,
    discriminator: Network = DENSE,
    patches: Sequence[int] = (),
) -> Gan:
    """A generator G(source) of x, and a discriminator of x beside its source.

    Args:
        x: what is made, `Real`: points, or images with shades from -1 to 1.
        source: what it is made of.
        latents: how many numbers z the generator is given as well, for translations that are not certain.
        beside: whether the discriminator sees the source too; without pairs it cannot.
        generator, discriminator: make their networks, such as `unet_generator(32, 64)` and `patchgan(32)`.
        patches: the shape of the scores of a row.

    Raises:
        GraphError: when x is not `Real`.

    Example:
        >>> from deepgen.networks.dcgan import patchgan
        >>> from deepgen.networks.translating import unet_generator
        >>> x, source = Variable("image", Real(8, 8)), Variable("source", Real(8, 8))
        >>> translator(x, source, generator=unet_generator(8), discriminator=patchgan(8), patches=[4, 4])
        Gan(image from nothing given source)

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks.
    """
    z = [Variable("z", Real(latents))] if latents else []
    model = Model(flipped(), *map(Standard, z), Generated(x, FLAG, [*z, source], generator), name="generator")
    judge = Discriminator(FLAG, [x, source] if beside else [x], discriminator, patches)
    return Gan(Pair(model, Model(judge, name="discriminator")))


def pix2pix(gan: Gan, weight: float = 100.0, game: Game | None = None, **options: Any) -> tuple[Phase, Phase]:
    """The two phases of a game on pairs, in which the generator also pays weight E |x - G(source)|.

    That is -log of a Laplace density of x around its translation, but for a constant: maximum likelihood makes the
    translation the median of what a source may become, the game makes it look like one of these.

    Args:
        gan: who plays, such as a `translator`.
        weight: lambda, of the mean absolute error of a number.
        game: what they pay, by default `non_saturating()`.
        options: as for `adversarial`.

    Raises:
        PlanError: when the weight is not above 0.

    Example:
        >>> found = translator(Variable("x", Real(1)), Variable("source", Real(1)))
        >>> pix2pix(found)[1]
        Phase(generator: moves generator, 1 step a turn)

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks.
    """
    require_weight(weight, "pix2pix")
    x = gan.x.name

    def also(fake: Values, batch: Batch) -> dict[str, Tensor]:
        return {"error": weight * apart(fake[x], batch[x])}

    return adversarial(gan, game, also=also, **options)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference of rows `[rows, *event]`, `[rows]`."""
    return each((one - other).abs())
