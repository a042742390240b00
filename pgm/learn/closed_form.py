"""The best parameters for given statistics: relative counts, and weighted least squares."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import cast

import torch
from torch import Tensor

from ..conditionals import Tabular
from ..counts import Tallied
from ..gaussians import GaussianConditional
from ..model import Model
from ..square_root import square_root
from ..terms import Local
from .priors import Dirichlet, NormalInverseWishart, Prior, Priors, prior_of
from .statistics import Counts, Part, Scatter, Statistics, learnable, shared_axes

RANK = 1e-12  # eigenvalues of a correlation matrix below this are taken as 0: columns that depend on each other


def maximise(model: Model, statistics: Statistics, prior: Priors) -> None:
    """Write the parameters of highest posterior density (without a prior, likelihood) into the model."""
    for each, part in zip(learnable(model), statistics.parts, strict=True):
        write(each.original, part, prior)


@torch.no_grad()
def write(term: Local, part: Part, prior: Priors) -> None:
    """The same for one conditional."""
    for name, value in best(term, part, prior_of(prior, term)).items():
        parameter = term.get_parameter(name)
        parameter.copy_(value.reshape(parameter.shape))


def best(term: Local, part: Part, prior: Prior | None) -> dict[str, Tensor]:
    """The best parameters of one conditional, by name; what the data say nothing about stays as it is."""
    if isinstance(term, Tabular | Tallied):
        return _relative_counts(term, cast(Counts, part), cast(Dirichlet | None, prior))
    return _least_squares(
        cast(GaussianConditional, term), cast(Scatter, part), cast(NormalInverseWishart | None, prior)
    )


def _relative_counts(term: Tabular | Tallied, part: Counts, prior: Dirichlet | None) -> dict[str, Tensor]:
    before = term.table.detach().double().cpu()
    counts = _sum(part.values, [axis for axis, n in enumerate(before.shape) if n < part.values.shape[axis]])
    counts = counts if prior is None else counts + prior.table(term)
    total = counts.sum(-1, keepdim=True)
    table = torch.where(total > 0, counts / torch.where(total > 0, total, 1.0), before)
    return {"probabilities": term.from_table(table)} if isinstance(term, Tallied) else {"table": table}


def _least_squares(term: GaussianConditional, part: Scatter, prior: NormalInverseWishart | None) -> dict[str, Tensor]:
    """Weights, then biases, then the noise that is left; each pooled over the states that share it."""
    length = prod(term.child.shape)
    columns = part.mean.shape[-1] - length
    rows = part.pooled(shared_axes(term, term.bias), keep=True)
    if prior is not None and prior.rows:
        rows = rows + _prior_rows(rows, prior, length)
    ridge = 0.0 if prior is None else prior.ridge
    within = _sum(rows.scatter, shared_axes(term, term.weights) if columns else ())
    weights = _solve(within[..., :columns, :columns], within[..., :columns, columns:], ridge)
    bias = rows.mean[..., columns:] - (rows.mean[..., None, :columns] @ weights).squeeze(-2)
    lift = torch.cat([-weights, torch.eye(length, dtype=weights.dtype).expand(*weights.shape[:-2], -1, -1)], -2)
    axes = shared_axes(term, term.scale)
    noise = _sum(lift.mT @ rows.scatter @ lift, axes) + _sum(ridge * weights.mT @ weights, axes)
    count = _sum(part.weight, axes)
    if prior is not None:
        noise = noise + prior.matrix(length)
        count = count + prior.freedom(length) + _drawn(rows.weight, weights, prior, axes)
    return {
        "weights": _known(_sum(rows.weight, shared_axes(term, term.weights)) > 0, weights, term.weights),
        "bias": _known(rows.weight > 0, bias, term.bias),
        "scale": _known(count > 0, _root(term, noise, count), term.scale),
    }


def _prior_rows(rows: Scatter, prior: NormalInverseWishart, length: int) -> Scatter:
    """Rows at x = 0 with the prior's mean: they say to the bias what the prior does."""
    mean = torch.zeros_like(rows.mean)
    mean[..., -length:] = prior.centre(length)
    return Scatter(torch.full_like(rows.weight, prior.rows), mean, torch.zeros_like(rows.scatter))


def _drawn(rows: Tensor, weights: Tensor, prior: NormalInverseWishart, axes: Sequence[int]) -> Tensor:
    """How many vectors the prior draws with each covariance: biases, and rows of weights."""
    biases = _sum(torch.full_like(rows, float(prior.rows > 0)), axes)
    return biases + _sum(weights.new_full(weights.shape[:-2], float(prior.ridge > 0) * weights.shape[-2]), axes)


def _solve(among: Tensor, across: Tensor, ridge: float) -> Tensor:
    """(among + ridge)^-1 across for symmetric `among`, with a pseudo-inverse where columns depend on each other.

    Columns are brought to one scale first, so that what counts as dependent does not depend on their units.
    """
    among = among + ridge * torch.eye(among.shape[-1], dtype=among.dtype)
    size = among.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    size = torch.where(size > 0, size, 1.0)
    scaled = among / size.unsqueeze(-1) / size.unsqueeze(-2)
    return torch.linalg.pinv(scaled, rtol=RANK, hermitian=True) @ (across / size.unsqueeze(-1)) / size.unsqueeze(-1)


def _root(term: GaussianConditional, noise: Tensor, count: Tensor) -> Tensor:
    """The square root of noise / count, in the form of the conditional's own."""
    covariance = noise / torch.where(count > 0, count, 1.0)[..., None, None]
    form = term.scale.dim() - len(term.finite)
    variances = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0)
    if form == 0:
        return variances.mean(-1).sqrt()
    if form == len(term.child.shape):
        return variances.sqrt()
    values, vectors = torch.linalg.eigh(covariance)
    clean = (vectors * values.clamp(min=0).unsqueeze(-2)) @ vectors.mT  # rounding may leave it a little below 0
    return square_root(clean, True, term.subject)


@torch.no_grad()
def least_share(term: GaussianConditional, part: Scatter) -> float:
    """The least variance of the noise in any direction and state, as a share of the child's variance in all rows."""
    whole = part.pooled(range(part.weight.dim()))
    length = prod(term.child.shape)
    total = whole.scatter.diagonal()[-length:].mean() / whole.weight
    covariance = term.covariance.double().cpu()
    if term.scale.dim() - len(term.finite) > len(term.child.shape):
        covariance = torch.linalg.eigvalsh(covariance).clamp(min=0)
    return float(covariance.min() / total) if total > 0 else 0.0


def _known(known: Tensor, value: Tensor, parameter: Tensor) -> Tensor:
    """The new value in cells about which something is known, the old one in others."""
    old = parameter.detach().double().cpu()
    value = value.reshape(old.shape)
    return torch.where(known.reshape([*known.shape, *[1] * (old.dim() - known.dim())]), value, old)


def _sum(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """The sum along some axes, which stay with length 1 (torch sums all when none is named)."""
    return tensor.sum(list(axes), keepdim=True) if axes else tensor


def log_prior(model: Model, prior: Priors) -> float:
    """The log density of the learnable parameters under their priors, up to a constant, in nats."""
    terms = [each.original for each in learnable(model)]
    found = [(term, prior_of(prior, term)) for term in terms]
    return sum(_log_density(term, belief) for term, belief in found if belief is not None)


@torch.no_grad()
def _log_density(term: Local, prior: Prior) -> float:
    if isinstance(prior, Dirichlet):
        counts, table = prior.table(cast(Tabular, term)), cast(Tabular | Tallied, term).table.double().cpu()
        return float(torch.xlogy(counts, table).sum())
    return _log_normal_wishart(cast(GaussianConditional, term), prior)


def _log_normal_wishart(term: GaussianConditional, prior: NormalInverseWishart) -> float:
    length = prod(term.child.shape)
    made = term.regression()
    scale = _once(made.scale, shared_axes(term, term.scale))
    weights = _once(made.weights, shared_axes(term, term.weights) if term.real else shared_axes(term, term.bias))
    bias = _once(made.bias, shared_axes(term, term.bias))
    covariance = scale @ scale.mT
    precision, logs = torch.linalg.inv(covariance), torch.linalg.slogdet(covariance).logabsdet
    total = -(prior.freedom(length) * logs + _trace(precision @ prior.matrix(length))).sum() / 2
    if prior.rows:
        gap = (bias - prior.centre(length)).unsqueeze(-1)
        total = total - (logs + prior.rows * (gap.mT @ precision @ gap).squeeze((-2, -1))).sum() / 2
    if prior.ridge:
        total = total - (weights.shape[-2] * logs + prior.ridge * _trace(precision @ weights.mT @ weights)).sum() / 2
    return float(total)


def _once(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """The first entry along axes whose entries are shared, in double precision."""
    for axis in axes:
        tensor = tensor.narrow(axis, 0, 1)
    return tensor.double().cpu()


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
