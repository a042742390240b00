"""Latent diffusion: a diffusion model as the prior of an autoencoder's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution, TransformedDistribution

from pgm.conditionals import Conditional
from pgm.domains import Real
from pgm.errors import PlanError, ShapeError
from pgm.model import Model
from pgm.terms import Capabilities
from pgm.variable import Variable

from ...networks.network import Network
from ...pair import Pair, centre
from ...training.phase import Batch, Moment, Phase
from .bound import Costs, sampled_costs
from .chain import chain
from .learning import Goal, denoised
from .model import DENSE, Diffusion, diffusion

MEMORY = 0.99  # of the running mean of squares, a batch


class Unit(nn.Module):
    """How large the numbers of a code are, sqrt(mean z^2): the unit in which its diffusion counts.

    It is a running mean over batches, part of the state, and 1 before any was seen.

    Example:
        >>> unit = Unit()
        >>> unit.update(torch.tensor([3.0, -3.0]))
        >>> unit()
        tensor(3.)
    """

    square: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("square", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self) -> Tensor:
        """The unit, `[]`."""
        return torch.where(self.weight > 0, self.square / self.weight, 1.0).sqrt()

    @torch.no_grad()
    def update(self, code: Tensor) -> None:
        """Take notice of codes `[*batch, *event]`."""
        self.square.lerp_(code.square().mean().to(self.square), 1 - MEMORY)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - MEMORY)


class Encoding(Conditional):
    """q(z | x) of an autoencoder, with z in another unit.

    Args:
        encoder: that of the autoencoder.
        unit: of z.
    """

    def __init__(self, encoder: Conditional, unit: Unit) -> None:
        super().__init__(encoder.child, encoder.given)
        self.encoder, self.unit = encoder, unit

    @property
    def capabilities(self) -> Capabilities:
        return self.encoder.capabilities

    def distribution(self, *given: Tensor) -> Distribution:
        scale = (1 / self.unit()).expand(self.child.shape)  # one number alone would be counted once in the density
        smaller = AffineTransform(0.0, scale, event_dim=len(self.child.shape))
        return TransformedDistribution(self.encoder.distribution(*given), smaller, validate_args=False)


class Decoding(Conditional):
    """p(x | z) of an autoencoder, with z in another unit.

    Args:
        decoder: that of the autoencoder.
        unit: of z.
    """

    def __init__(self, decoder: Conditional, unit: Unit) -> None:
        super().__init__(decoder.child, decoder.given)
        self.decoder, self.unit = decoder, unit

    @property
    def capabilities(self) -> Capabilities:
        return self.decoder.capabilities

    def distribution(self, *given: Tensor) -> Distribution:
        return self.decoder.distribution(given[0] * self.unit())


@dataclass(frozen=True, eq=False)
class LatentCosts:
    """What minus the evidence lower bound of latent diffusion is made of, in nats.

    Args:
        data: E_q -log p(x | z), `[*batch]`.
        encoding: E_q log q(z | x), minus the entropy of the code, `[*batch]`.
        code: those of the diffusion of z.
    """

    data: Tensor
    encoding: Tensor
    code: Costs

    @property
    def total(self) -> Tensor:
        """An upper bound of -log p(x) on average, `[*batch]`."""
        return self.data + self.encoding + self.code.total

    def __str__(self) -> str:
        named = {
            "data": self.data,
            "minus entropy of code": self.encoding,
            "diffusion of code": self.code.total,
            "total": self.total,
        }
        return "\n".join(f"{name:<22}{value.mean().item():10.4f} nats" for name, value in named.items())


@dataclass(frozen=True, eq=False)
class LatentDiffusion:
    """A diffusion model of the code z of an autoencoder, and with it a model of x.

    Args:
        autoencoder: p(z) p(x | z) and q(z | x), of which the prior of z is replaced.
        diffusion: of z in its unit.
        unit: the size of the autoencoder's codes.
    """

    autoencoder: Pair
    diffusion: Diffusion
    unit: Unit

    @property
    def x(self) -> Variable:
        """What is observed."""
        return self.autoencoder.observed[0]

    @property
    def code(self) -> Variable:
        """What the autoencoder makes of it."""
        return self.diffusion.x

    @property
    def given(self) -> tuple[Variable, ...]:
        """What the diffusion is told besides."""
        return self.diffusion.given

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What learns in the diffusion's phase, by name."""
        return {**self.diffusion.modules, "unit": self.unit}

    @cached_property
    def pair(self) -> Pair:
        """The whole as two graphs: the model zT -> ... -> z1 -> z -> x, the guide x -> z -> z1 -> ... -> zT."""
        prior = chain(self.code, self.diffusion.denoiser, self.given, name=self.code.name)
        model = Model(*prior.model.terms, self._decoding, name="latent diffusion")
        return Pair(model, Model(self._encoding, *prior.guide.terms, name="guide of the latent diffusion"))

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(self.autoencoder.guide.conditionals[self.code.name], self.unit)

    @cached_property
    def _decoding(self) -> Decoding:
        return Decoding(self.autoencoder.model.conditionals[self.x.name], self.unit)

    @torch.no_grad()
    def encode(self, x: Tensor, mean: bool = False) -> Tensor:
        """Codes of x in their unit, `[*batch, *event]`, drawn from q(z | x).

        Args:
            x: `[*batch, *event]`.
            mean: whether to take the mean instead.

        Raises:
            ShapeError: when x has another shape.
        """
        _require_shape("encode", self.x, x)
        return centre(self._encoding.encoder, x) / self.unit() if mean else self._encoding.draw(x)

    @torch.no_grad()
    def decode(self, code: Tensor) -> Tensor:
        """The mean of p(x | z), `[*batch, *event]`.

        Args:
            code: z in its unit, `[*batch, *event]`.

        Raises:
            ShapeError: when it has another shape.
        """
        _require_shape("decode", self.code, code)
        return self._decoding.distribution(code).mean

    @torch.no_grad()
    def costs(self, batch: Mapping[str, Tensor], draws: int = 1) -> LatentCosts:
        """Minus the evidence lower bound of rows, of one code each, in nats.

        Args:
            batch: x and what is given, `[*batch, *event]` by name.
            draws: of z_t for each code and step.
        """
        code, data, encoding = self._coded(batch)
        return LatentCosts(data, encoding, self.diffusion.costs({**batch, self.code.name: code}, draws))

    @torch.no_grad()
    def sampled_total(self, batch: Mapping[str, Tensor], draws: int = 10) -> Tensor:
        """Minus the evidence lower bound of rows with only some of the steps, `[rows]`; the same on average."""
        code, data, encoding = self._coded(batch)
        told = self.diffusion.told(batch)
        costs = sampled_costs(self.diffusion.denoiser, code, *told, event=code.dim() - 1, draws=draws)
        return data + encoding + costs.total

    def _coded(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """A code of each row, with -log p(x | z) and log q(z | x)."""
        x = batch[self.x.name]
        made = self._encoding.distribution(x)
        code = made.sample()
        return code, -self._decoding.log_prob(code, x), made.log_prob(code)

    def sample(
        self,
        rows: int,
        given: Mapping[str, Tensor] | None = None,
        *,
        start: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """Means of x for draws of its code, `[rows, *event]`; Ctrl-C returns those of what the network has in mind.

        Args:
            rows: how many.
            given: what the diffusion is conditioned on, `[rows, *event]` by name.
            start: rows of x to begin from instead of noise, `[rows, *event]`.
            options: `steps`, `guidance`, `eta`, `strength`, `seed` and all others of `Diffusion.sample`; what is known
                is known of the code, as `encode` makes it.

        Raises:
            PlanError, ShapeError: as `Diffusion.sample`.
        """
        begun = None if start is None else self.encode(start, mean=True)
        return self.decode(self.diffusion.sample(rows, given, start=begun, **options))

    def __repr__(self) -> str:
        return f"LatentDiffusion({self.x.name} by {self.diffusion!r})"


def latent_diffusion(autoencoder: Pair, network: Network = DENSE, **options: Any) -> LatentDiffusion:
    """A diffusion model of an autoencoder's code: -log p(x) <= E_q[-log p(x | z) + log q(z | x)] + bound of -log p(z).

    The code is cheaper to make by many steps than x is, and the autoencoder adds what nobody would ask for by name. It
    learns by two phases, `variational(autoencoder)` and `denoised_code(model)`, one after the other or by turns.

    Args:
        autoencoder: with one latent variable of numbers: for images a small image, `vae(image, (4, 7, 7), ...)`.
        network: makes the network of the code, the time and what is given.
        options: `label`, `given`, `noise`, `predicts`, `variance` and `dropped` of `diffusion`.

    Raises:
        PlanError: when there is no such autoencoder, or as `diffusion`.

    Example:
        >>> from deepgen import convolutional, unet, vae
        >>> image, places = Variable("image", Real(16, 16)), Variable("place", ["left", "right"])
        >>> network = convolutional(8, 16)
        >>> autoencoder = vae(image, (2, 4, 4), encoder=network, decoder=network)
        >>> model = latent_diffusion(autoencoder, unet(8, words=True), given=[places])
        >>> model
        LatentDiffusion(image by Diffusion(z given place, 1000 steps, predicts noise))
        >>> model.sample(2, {"place": torch.tensor([0, 1])}, steps=3, guidance=1.0).shape
        torch.Size([2, 16, 16])

    Reference: Vahdat, Kreis and Kautz (2021), Score-based generative modeling in latent space; Rombach, Blattmann,
    Lorenz, Esser and Ommer (2022), High-resolution image synthesis with latent diffusion models.
    """
    latents: Sequence[Variable] = autoencoder.latents if isinstance(autoencoder, Pair) else ()
    one = len(latents) == 1 and len(autoencoder.observed) == 1 and not autoencoder.given
    if not one or not isinstance(latents[0].domain, Real):
        raise PlanError(
            f"latent_diffusion: the autoencoder is {autoencoder!r}, expected a pair of one observed variable that one "
            "variable of real numbers explains, given nothing, such as vae(image, (4, 7, 7))."
        )
    return LatentDiffusion(autoencoder, diffusion(latents[0], network, **options), Unit())


def denoised_code(model: LatentDiffusion, goal: Goal = "simple", **options: Any) -> Phase:
    """The diffusion learns from codes that the autoencoder draws, in one phase that does not move the autoencoder.

    The unit follows the codes, so that it fits also while the autoencoder still learns in a phase of its own.

    Args:
        model: whose diffusion learns.
        goal, options: as for `denoised`.

    Raises:
        PlanError: as `denoised`.

    Example:
        >>> from deepgen import timed_mlp, variational, vae
        >>> autoencoder = vae(Variable("x", Real(2)), 2)
        >>> variational(autoencoder), denoised_code(latent_diffusion(autoencoder, timed_mlp(8)))
        (Phase(elbo: moves model, guide, 1 step a turn), Phase(simple: moves denoiser, unit, 1 step a turn))
    """
    phase = denoised(model.diffusion, goal, **options)
    encoder = model.autoencoder.guide.conditionals[model.code.name]

    def objective(batch: Batch, moment: Moment) -> Any:
        with torch.no_grad():
            code = encoder.draw(batch[model.x.name])
        if model.unit.training:
            model.unit.update(code)
        return phase.objective({**batch, model.code.name: code / model.unit()}, moment)

    return replace(phase, modules=model.modules, objective=objective)


def _require_shape(subject: str, variable: Variable, value: Tensor) -> None:
    split = value.dim() - len(variable.shape)
    if tuple(value.shape[split:]) != variable.shape:
        expected = ", ".join(map(str, variable.shape))
        raise ShapeError(f"{subject}: {variable.name!r} has shape {tuple(value.shape)}, expected [*batch, {expected}].")
