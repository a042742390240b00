"""Bidirectional games: a guide infers what rows are made of, and the discriminator sees rows with that."""

from __future__ import annotations

from pgm.domains import Real
from pgm.errors import GraphError
from pgm.model import Model
from pgm.neural import Family, Neural
from pgm.variable import Variable, quoted

from ...conditionals.discriminator import Discriminator
from ...conditionals.generated import Generated
from ...conditionals.neural import neural
from ...conditionals.point import point
from ...conditionals.standard import Standard
from ...networks import Network
from ...pair import Pair
from .gan import DENSE, FLAG, Gan, flipped


def bigan(
    x: Variable,
    latents: int = 32,
    *,
    label: Variable | None = None,
    generator: Network = DENSE,
    encoder: Network = DENSE,
    discriminator: Network = DENSE,
    family: Family | None = None,
    pack: int = 1,
) -> Gan:
    """A generator G(z), an encoder q(z | x), and a discriminator of both: q(y | x, z).

    Fake are rows with the z that they were made of, p(z) p(x | z), real are those of the data with a z of the encoder,
    p(x) q(z | x). At the best discriminator the game of `adversarial` is the Jensen-Shannon divergence of these two
    joint distributions; it is 0 where the encoder inverts the generator.

    Args:
        x: what is generated, `Real`: points, or images with shades from -1 to 1.
        latents: how many numbers z has.
        label: a variable that all networks are told.
        generator, encoder, discriminator: make their networks.
        family: of q(z | x): Gaussian by default, which is ALI; `point` for an encoder that is certain, as in BiGAN.
        pack: of the discriminator.

    Raises:
        GraphError: when x is not `Real`.

    Example:
        >>> import torch
        >>> found = bigan(Variable("image", Real(8, 8)), latents=4)
        >>> found
        Gan(image from z, infers z)
        >>> found.pair.infer({"image": torch.zeros(3, 8, 8)})["z"].shape
        torch.Size([3, 4])

    Reference: Donahue, Krahenbuhl and Darrell (2017), Adversarial feature learning; Dumoulin et al. (2017),
    Adversarially learned inference.
    """
    z, told = Variable("z", Real(latents)), [label] if label is not None else []
    model = Model(flipped(), Standard(z), Generated(x, FLAG, [z, *told], generator), name="generator")
    guess = neural(z, [x, *told], encoder, family)
    return Gan(Pair(model, Model(guess, Discriminator(FLAG, [x, z, *told], discriminator, pack=pack), name="guide")))


def unflagged(gan: Gan) -> Pair:
    """A game without y: p(x | z), which is certain, and the guide's q(z | x), of the same networks.

    It is what pictures and figures of latent variables take: `reconstructions`, `interpolation`, `latents`.

    Args:
        gan: whose guide infers all latent variables, such as `bigan` and `vae_gan`.

    Raises:
        GraphError: when some are not inferred, or there are none.

    Example:
        >>> from deepgen.data.images import digits
        >>> from deepgen.pictures import reconstructions
        >>> pair = unflagged(bigan(Variable("image", Real(8, 8))))
        >>> pair
        Pair(image explained by z)
        >>> figure = reconstructions(pair, digits())
    """
    left = [v.name for v in gan.latents if v.name not in gan.encoders]
    if left or not gan.latents:
        missing = quoted(left) if left else "latent variables"
        raise GraphError(f"unflagged: {gan} does not infer {missing}; take bigan or vae_gan.")
    made = Neural(gan.x, gan.generator.given[1:], point, gan.generator.net.net)
    priors = [gan.pair.model.conditionals[v.name] for v in gan.latents]
    return Pair(Model(*priors, made, name="generator"), Model(*gan.encoders.values(), name="guide"))
