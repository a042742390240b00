"""Where draws come from: the priors, a normal distribution, another model, a Pyro program."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import PlanError
from ..model import Model
from .coordinates import Coordinates
from .joint import Joint
from .laplace import laplace
from .question import Question

WIDEST = 2000  # numbers beyond which a full covariance is too large
CURVED = 300  # numbers up to which second derivatives are worth their price
Draws = tuple[dict[str, Tensor], Tensor]  # values [draws, *event] by name, and their log density [draws]


class Guide(nn.Module):
    """A distribution of the latent variables that can be drawn from; abstract."""

    @abstractmethod
    def draw(self, n: int) -> Draws:
        """n draws of the latent variables and their log density, differentiable in the parameters."""

    @property
    def trained(self) -> list[Tensor]:
        """What there is to train."""
        return list(self.parameters())


class NormalGuide(Guide):
    """A normal distribution in unbounded coordinates, which begins as the Gaussian that the posterior looks like.

    Its log density at a draw counts the parameters as constants: they drop out of the expected gradient there, and
    without them the gradient has no noise at all once the guide is the posterior.

    Args:
        where: the coordinates.
        joint: the product of all terms.
        covariance: 'full', or 'diagonal' for independent numbers.

    Reference: Roeder, Wu and Duvenaud (2017), Sticking the landing.
    """

    def __init__(self, where: Coordinates, joint: Joint, covariance: Literal["full", "diagonal"]) -> None:
        super().__init__()
        length = len(where.centre)
        if covariance == "full" and length > WIDEST:
            raise PlanError(f"SVI: the latent variables have {length} numbers; use covariance='diagonal'.")
        self.where, self.full = where, covariance == "full"
        self.centre, self.spread = torch.zeros_like(where.centre), torch.ones_like(where.centre)
        if length <= CURVED:
            self.centre, precision = laplace(lambda vectors: _log_density(where, joint, vectors), self.centre)
            inverse = torch.linalg.inv(precision)
            self.spread = torch.linalg.cholesky(inverse) if self.full else precision.diagonal().rsqrt()
        self.loc = nn.Parameter(torch.zeros_like(where.centre))
        self.log_diagonal = nn.Parameter(torch.zeros_like(where.centre))
        self.below = nn.Parameter(where.centre.new_zeros(length, length)) if self.full else None

    def draw(self, n: int) -> Draws:
        noise = torch.randn(n, len(self.loc), dtype=self.loc.dtype, device=self.loc.device)
        moved = self.loc + (noise @ self._root(self.below).mT if self.below is not None else noise * self._scale)
        wide = self.spread.dim() == 2
        values, log_det = self.where.values(self.centre + (moved @ self.spread.mT if wide else moved * self.spread))
        stretch = (self.spread.diagonal() if wide else self.spread).log().sum()
        return values, self._log_prob(moved) - stretch - log_det

    @property
    def _scale(self) -> Tensor:
        return self.log_diagonal.exp()

    def _root(self, below: Tensor) -> Tensor:
        return below.tril(-1) + torch.diag(self._scale)

    def _log_prob(self, moved: Tensor) -> Tensor:
        """The log density, with the parameters as constants."""
        away, constant = moved - self.loc.detach(), len(self.loc) / 2 * math.log(2 * math.pi)
        if self.below is None:
            noise = away / self._scale.detach()
        else:
            noise = torch.linalg.solve_triangular(self._root(self.below).detach(), away.mT, upper=False).mT
        return -(noise.square().sum(1) / 2 + self.log_diagonal.detach().sum() + constant)


def _log_density(where: Coordinates, joint: Joint, vectors: Tensor) -> Tensor:
    values, log_det = where.values(vectors)
    return joint.log_prob(values) + log_det


class ModelGuide(Guide):
    """A model of the latent variables given what is observed.

    Args:
        model: conditionals of latent variables, whose other variables are observed.
        question: what the guide is for.
    """

    def __init__(self, model: Model, question: Question) -> None:
        super().__init__()
        self.model, self.question = model, question
        latent = {variable.name for variable in question.latent}
        self.order = [name for name in model.graph.topological if name in model.conditionals]
        missing = latent.symmetric_difference(self.order)
        if missing or model.potentials:
            wrong = f"has no conditional of {min(missing)!r}" if missing - {*self.order} else "has too much"
            raise PlanError(
                f"{question.subject}: the guide {wrong}; expected conditionals of the numeric variables that are not "
                f"observed, {sorted(latent)}. Finite ones are summed."
            )

    def draw(self, n: int) -> Draws:
        values = {name: value.expand([n, *value.shape]) for name, value in self.question.known.items()}
        log_density = torch.zeros(n, dtype=torch.float64, device=self.question.device)
        for name in self.order:
            conditional = self.model.conditionals[name]
            given = [values[parent.name] for parent in conditional.given]
            made = conditional.distribution(*given)
            made = made if given else made.expand(torch.Size([n]))
            values[name] = made.rsample() if made.has_rsample else made.sample()
            log_density = log_density + made.log_prob(values[name])
        return {name: values[name] for name in self.order}, log_density


class PriorGuide(Guide):
    """Ancestral draws from the priors, as if nothing below had been observed.

    Args:
        question: what the guide is for.
        density: the product of those priors that do not cancel against the model's.
    """

    def __init__(self, question: Question, density: Joint) -> None:
        super().__init__()
        self.question, self.density = question, density

    def draw(self, n: int) -> Draws:
        drawn = self.question.prior_draws(n)
        values = {variable.name: drawn[variable.name] for variable in self.question.latent}
        return values, self.density.log_prob(values)


def guide_of(given: Model | Callable[..., Any], question: Question) -> Guide:
    """What a user gave as a guide, as one of the above; a model is copied, so that the given one stays as it is."""
    if isinstance(given, Model):
        return ModelGuide(deepcopy(given), question)
    from .program_guide import ProgramGuide

    return ProgramGuide(given, question)
