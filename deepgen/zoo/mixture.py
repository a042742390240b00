"""The variational autoencoder whose prior is a mixture of Gaussians: clusters found without labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.model import Model
from pgm.neural import Family
from pgm.variable import Variable

from ..conditionals import neural
from ..conditionals.flow import Posterior
from ..networks import Network, mlp
from ..objectives import elbo
from ..pair import Pair
from ..training.phase import Batch, Moment, Phase
from .vae import HIDDEN


def mixture_vae(
    x: Variable,
    clusters: int = 10,
    latents: int = 8,
    *,
    label: Variable | None = None,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    family: Family | None = None,
    posterior: Posterior = neural,
) -> Pair:
    """A variational autoencoder with clusters: p(c), p(z | c) = N(mean_c, diagonal_c), p(x | z), and q(z | x).

    The guide has no conditional of the variable `cluster`: `elbo` and the weighted bounds sum over its states exactly,
    so that the prior of z is the mixture sum_c p(c) p(z | c). `memberships` gives p(c | z).

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        clusters: how many Gaussians the prior has.
        latents: how many numbers z has.
        label: a variable that all conditionals are given.
        encoder, decoder: make the networks.
        family: of p(x | z), when it is not the one that x suggests.
        posterior: makes q(z | x) with the encoder.

    Example:
        >>> from pgm import Binary
        >>> pair = mixture_vae(Variable("image", Binary(8, 8)), clusters=10)
        >>> pair, pair.model.graph.parents["z"]
        (Pair(image explained by z), ('cluster',))

    Reference: Jiang, Zheng, Tan, Tang and Zhou (2017), Variational deep embedding; Dilokthanakul et al. (2016), Deep
    unsupervised clustering with Gaussian mixture variational autoencoders.
    """
    cluster, z = Variable("cluster", range(clusters)), Variable("z", Real(latents))
    also = [label] if label is not None else []
    model = Model(
        neural(cluster, also, mlp()),
        neural(z, [cluster, *also], mlp()),
        neural(x, [z, *also], decoder, family),
        name="Mixture VAE",
    )
    return Pair(model, Model(posterior(z, [x, *also], encoder), name="guide of the mixture VAE"))


@torch.no_grad()
def memberships(pair: Pair, values: dict[str, Tensor]) -> Tensor:
    """p(cluster | z), `[*batch, clusters]`, of a mixture VAE.

    Args:
        pair: made by `mixture_vae`.
        values: z, and the label where there is one, by name, as `pair.infer` gives them.

    Example:
        >>> from pgm import Binary
        >>> pair = mixture_vae(Variable("image", Binary(8, 8)), clusters=3)
        >>> memberships(pair, pair.infer({"image": torch.zeros(5, 8, 8)}, mean=True)).shape
        torch.Size([5, 3])
    """
    prior, within = (pair.model.conditionals[name] for name in ("cluster", "z"))
    z = values["z"]
    states = torch.arange(prior.child.size, device=z.device).expand(*z.shape[:-1], -1)
    wide = [values[v.name].unsqueeze(-1).expand_as(states) for v in prior.given]
    joint = prior.log_prob(*wide, states) + within.log_prob(states, *wide, z.unsqueeze(-2))
    return joint.softmax(-1)


def clustered(pair: Pair, centres: Tensor, steps: int, **options: Any) -> Phase:
    """The evidence lower bound, at first with each row in the cluster whose centre is nearest, later with none given.

    Without such a start one or two Gaussians take all rows while z still says little, and the others are lost.

    Args:
        pair: made by `mixture_vae`.
        centres: one a cluster, `[clusters, *event]`, such as k-means finds them.
        steps: how long clusters are given.
        options: of the phase.

    Example:
        >>> from pgm import Binary
        >>> pair = mixture_vae(Variable("image", Binary(8, 8)), clusters=3)
        >>> clustered(pair, torch.rand(3, 8, 8), steps=100)
        Phase(elbo: moves model, guide, 1 step a turn)
    """
    name, flat = pair.observed[0].name, centres.flatten(1)

    def objective(batch: Batch, moment: Moment) -> Tensor:
        seen = pair.seen(batch)
        if moment.step < steps:
            seen["cluster"] = torch.cdist(seen[name].flatten(1), flat.to(seen[name])).argmin(1)
        return -elbo(pair.model, pair.guide, seen)

    return Phase("elbo", pair.modules, objective, **options)
