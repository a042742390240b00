"""Latent variables as one vector without bounds, on about the scale of their priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import biject_to
from torch.distributions.constraints import Constraint, real
from torch.distributions.transforms import Transform

from ..conditionals import Conditional
from ..domains import Real
from ..errors import PlanError
from .question import Question

PRIOR_DRAWS = 1000
QUARTILES = 1.349  # the distance between the quartiles of a Gaussian, in standard deviations


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A one-to-one map between vectors `[draws, length]` and values of the latent variables.

    Args:
        names: the latent variables, in the order of the columns.
        transforms: from unbounded numbers to each one's support.
        shapes: of the unbounded numbers of each one.
        dtypes: of the values of each one.
        centre, scale: shape `[length]`, what the vectors are relative to: median and spread of the priors.
    """

    names: tuple[str, ...]
    transforms: tuple[Transform, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[torch.dtype, ...]
    centre: Tensor
    scale: Tensor

    def values(self, vectors: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The values at vectors, and the log of the map's Jacobian determinant `[draws]`."""
        rows, log_det, values = len(vectors), self.scale.log().sum().expand(len(vectors)), {}
        columns = (vectors * self.scale + self.centre).split([torch.Size(s).numel() for s in self.shapes], 1)
        parts = zip(self.names, self.transforms, self.shapes, self.dtypes, columns, strict=True)
        for name, transform, shape, dtype, flat in parts:
            free = flat.reshape(rows, *shape)
            value = transform(free)
            log_det = log_det + transform.log_abs_det_jacobian(free, value).reshape(rows, -1).sum(1)
            values[name] = value.to(dtype)
        return values, log_det


def coordinates(question: Question) -> Coordinates:
    """The coordinates of the latent variables of a question; torch's own randomness is used.

    Raises:
        PlanError: when a latent variable is not made of real numbers.
    """
    for variable in question.latent:
        if not isinstance(variable.domain, Real):
            raise PlanError(
                f"{question.subject}: {variable.name!r} is {variable.domain!r}, not observed, and cannot be moved "
                "continuously. Use engine=Importance(), or make it finite."
            )
    names = tuple(variable.name for variable in question.latent)
    with torch.no_grad():
        draws = question.prior_draws(PRIOR_DRAWS)
        transforms = tuple(biject_to(_support(question.priors[name], draws)) for name in names)
        free = [transform.inv(draws[name]) for name, transform in zip(names, transforms, strict=True)]
    flat = torch.cat([each.reshape(PRIOR_DRAWS, -1).to(torch.float64) for each in free], 1)
    low, centre, high = flat.quantile(flat.new_tensor([0.25, 0.5, 0.75]), 0)
    spread = (high - low) / QUARTILES
    scale = torch.where((spread > 0) & torch.isfinite(spread), spread, torch.ones_like(spread))
    shapes = tuple(tuple(each.shape[1:]) for each in free)
    return Coordinates(names, transforms, shapes, tuple(draws[name].dtype for name in names), centre, scale)


def _support(prior: Conditional, draws: Mapping[str, Tensor]) -> Constraint:
    """The numbers that a conditional gives positive density, as the first draw of its parents has it."""
    try:
        return prior.distribution(*(draws[parent.name][0] for parent in prior.given)).support or real
    except NotImplementedError:
        return real
