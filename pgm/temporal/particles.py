"""Particle filters: answers about any template, by weighted draws that move along with time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

import torch
from torch import Generator, Tensor

from ..approximate.unseen import widened
from ..approximate.weighting.problem import require_density
from ..engines.draws import seeded
from ..engines.progress import counted
from ..errors import ConvergenceWarning, EvidenceError, PlanError
from ..moments import Moments
from ..variable import Variable
from .beliefs import Beliefs
from .sequences import Sequences
from .template import Template, children, looks_back, now

NAME = "ParticleFilter"
FEW = 10  # effective particles below which not even the standard errors are to be trusted
LARGEST = 1 - 2.0**-53  # the largest number below one
Values = Mapping[str, Tensor]  # by name, [rows * runs * particles, *event]


@dataclass(frozen=True)
class ParticleFilter:
    """Weighted draws of what is hidden, step after step: sequential Monte Carlo for every template of conditionals.

    Each particle draws the hidden variables of a step given its own past and is weighted by p(observed | its states);
    particles of little weight give way to copies of others. Several filters run side by side. The mean of their
    estimates of p(given) is unbiased, and their spread is the standard error of every answer: `standard_error` of the
    beliefs, and in `diagnostics` the `log_evidence_error` `[*batch]`, beside the `effective_samples` `[*batch, steps]`.

    Args:
        particles: how many in each filter.
        runs: how many filters; with one there are no standard errors.
        resample: how particles are copied: 'systematic', 'stratified' or 'multinomial'.
        threshold: they are when fewer effective ones are left than this share of them; 1 does so at each step.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Tabular, Template, Variable, before, filtering
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> walk = LinearGaussian(x, [before(x)], [1.0], 0.0, 1.0)
        >>> noisy = Template([Gaussian(x, 0.0, 1.0)], [walk, LinearGaussian(y, [x], [1.0], 0.0, 1.0)])
        >>> found = filtering(noisy, {"y": [1.0, 1.0]}, engine=ParticleFilter())
        >>> abs(found["x"].mean - torch.tensor([0.5, 0.8])) < 5 * found.standard_error("x")
        tensor([True, True])

    Reference: Gordon, Salmond and Smith (1993), Novel approach to nonlinear/non-Gaussian Bayesian state estimation;
    Del Moral (2004), Feynman-Kac Formulae, section 7.4 (unbiasedness).
    """

    particles: int = 1000
    runs: int = 8
    resample: Literal["systematic", "stratified", "multinomial"] = "systematic"
    threshold: float = 0.5
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        if self.particles < 1 or self.runs < 1:
            raise PlanError(f"{NAME}: particles is {self.particles!r} and runs {self.runs!r}, expected 1 or more.")
        if self.resample not in ("systematic", "stratified", "multinomial"):
            raise PlanError(
                f"{NAME}: resample is {self.resample!r}, expected 'systematic', 'stratified' or 'multinomial'."
            )
        if not 0 <= self.threshold <= 1:
            raise PlanError(f"{NAME}: threshold is {self.threshold!r}, expected a share from 0 to 1.")

    def log_likelihood(self, template: Template, data: Sequences) -> Tensor:
        """The logarithm of the mean of the filters' estimates of p(data), `[rows]`."""
        totals = torch.zeros(data.rows, self.runs)
        for cloud in self._clouds(template, data):
            totals = cloud.totals
        return totals.logsumexp(1) - log(self.runs)

    def filtering(self, template: Template, data: Sequences) -> Beliefs:
        """Each step given the data up to it."""
        return _beliefs(template, data, self._clouds(template, data))

    def smoothing(self, template: Template, data: Sequences) -> Beliefs:
        """Each step given all data, from what the last particles descend from."""
        return _beliefs(template, data, _traced(list(self._clouds(template, data))))

    @torch.no_grad()
    def _clouds(self, template: Template, data: Sequences) -> Iterator[Cloud]:
        """The particles after each step, before any are copied."""
        _check(template, data)
        device, shape = data.lengths.device, (data.rows, self.runs, self.particles)
        logs = torch.full(shape, -log(self.particles), dtype=torch.float64, device=device)
        totals, past = logs.new_zeros(shape[:2]), dict[str, Tensor]()
        index = every = torch.arange(self.particles, device=device).expand(shape)
        with seeded(self.seed, device) as generator:
            for t in counted(data.steps, "steps", self.progress):
                values, gained = _step(template, data, past, t, self.runs * self.particles)
                logs = logs + gained.reshape(shape)
                mean = logs.logsumexp(2)
                totals = totals + mean
                _check_alive(totals, t, data, self.particles)
                lost = torch.isneginf(mean)[..., None]  # a filter without weight counts no more
                logs = torch.where(lost, -log(self.particles), logs - mean[..., None])
                yield Cloud(values, logs, totals, every, index)
                index = self._copied(logs, generator)
                past = {v.name: _taken(values[v.name], index) for v in template.carried}
                stays = (index == every).all(-1, keepdim=True)
                logs = torch.where(stays, logs, -log(self.particles))

    def _copied(self, logs: Tensor, generator: Generator) -> Tensor:
        """Which particle takes each place, `[rows, runs, particles]`."""
        n = self.particles
        sums = logs.exp().cumsum(-1)
        start = torch.arange(n, device=logs.device, dtype=logs.dtype)
        single = logs.shape[:2] + ((1,) if self.resample == "systematic" else (n,))
        points = torch.rand(single, generator=generator, device=logs.device, dtype=logs.dtype)
        points = points.sort(-1).values if self.resample == "multinomial" else (start + points) / n
        index = torch.searchsorted(sums / sums[..., -1:], points.clamp_max(LARGEST), right=True)
        few = (2 * logs).logsumexp(-1, keepdim=True).neg().exp() < self.threshold * n
        return torch.where(few, index, start.long())


@dataclass(frozen=True, eq=False)
class Cloud:
    """The particles of all filters after a step.

    Args:
        values: of all variables, by name.
        logs: log weights that sum to one in each filter, `[rows, runs, particles]`.
        totals: the logarithm of each filter's estimate of p(data so far), `[rows, runs]`.
        origins: numbers that are equal where two of them are one particle, `[rows, runs, particles]`.
        parents: which particle of the step before each one continues, `[rows, runs, particles]`.
    """

    values: Values
    logs: Tensor
    totals: Tensor
    origins: Tensor
    parents: Tensor

    @property
    def shares(self) -> Tensor:
        """The weight of each filter, `[rows, runs]`."""
        return self.totals.softmax(1)

    @property
    def effective(self) -> Tensor:
        """The effective number of different particles in all filters together, `[rows]`."""
        weights = torch.zeros_like(self.logs).scatter_add(2, self.origins, self.shares[..., None] * self.logs.exp())
        return 1 / (weights**2).sum((1, 2))

    def probabilities(self, variable: Variable) -> tuple[Tensor, Tensor]:
        """The probabilities of a finite variable, `[rows, states]`, and their standard errors.

        These count one more effective particle elsewhere, so that states that no particle is in are not called certain.
        """
        states = self.values[variable.name].reshape(self.logs.shape)
        each = self.logs.new_zeros(*self.totals.shape, variable.size).scatter_add(2, states, self.logs.exp())
        mean, errors = self._pooled(each)
        return mean, widened(errors, self.effective, torch.tensor(variable.size > 1))

    def moments(self, variable: Variable) -> tuple[Tensor, Tensor, Tensor]:
        """The mean of a numeric variable, `[rows, length]`, its standard errors, and the covariance."""
        values = self.values[variable.name].reshape(*self.logs.shape, -1).to(self.logs)
        mean, errors = self._pooled(torch.einsum("rkn,rknl->rkl", self.logs.exp(), values))
        centred = values - mean[:, None, None]
        weights = self.shares[..., None] * self.logs.exp()
        return mean, errors, torch.einsum("rkn,rknl,rknm->rlm", weights, centred, centred)

    def _pooled(self, each: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of what the filters say `[rows, runs, length]`, by their shares, and its error from their spread."""
        share, runs = self.shares[..., None], each.shape[1]
        mean = (share * each).sum(1)
        spread = (share**2 * (each - mean[:, None]) ** 2).sum(1)
        return mean, (spread * (runs / (runs - 1) if runs > 1 else torch.nan)).sqrt()


def _traced(clouds: list[Cloud]) -> list[Cloud]:
    """The ancestors of the last particles at every step, with the weights of those.

    Reference: Kitagawa (1996), Monte Carlo filter and smoother for non-Gaussian nonlinear state space models.
    """
    last, found = clouds[-1], list[Cloud]()
    place = last.origins
    for cloud in reversed(clouds):
        values = {name: _taken(value, place) for name, value in cloud.values.items()}
        found.append(Cloud(values, last.logs, last.totals, place, cloud.parents))
        place = cloud.parents.gather(2, place)
    return found[::-1]


def _step(template: Template, data: Sequences, past: Values, t: int, copies: int) -> tuple[Values, Tensor]:
    """The values of one step, drawn where they are not observed, and what is gained in log weight."""
    order = template.order if t else template.first_order
    terms = children(template.later if t else template.first)
    values: dict[str, Tensor] = {}
    gained = torch.zeros(data.rows * copies, dtype=torch.float64, device=data.lengths.device)
    for v in order:
        cells = data.filled(v)[:, t].repeat_interleave(copies, 0) if v.name in data.values else None
        if v.name not in terms:
            assert cells is not None  # an input
            values[v.name] = cells
            continue
        term = terms[v.name]
        given = [(past if looks_back(p) else values)[now(p).name] for p in term.given]
        if cells is None:
            values[v.name] = term.draw(*given) if given else term.draw(shape=(len(gained),))
            continue
        seen = (data.seen(v)[:, t] & data.inside[:, t]).repeat_interleave(copies)
        gained = gained + torch.where(seen, term.log_prob(*given, cells), 0.0)
        if not bool(seen.all()):
            drawn = term.draw(*given) if given else term.draw(shape=(len(gained),))
            cells = torch.where(seen.reshape(-1, *[1] * len(v.shape)), cells, drawn)
        values[v.name] = cells
    return values, gained


def _taken(values: Tensor, index: Tensor) -> Tensor:
    """The values of the particles with these numbers, in each filter."""
    filters = index.shape[0] * index.shape[1]
    places = torch.arange(filters, device=index.device)[:, None] * index.shape[2] + index.reshape(filters, -1)
    return values[places.reshape(-1)]


def _check(template: Template, data: Sequences) -> None:
    """Raise when something observed has no density, or is missing in part."""
    for term in (*template.first, *template.later):
        child = children([term]).get(term.scope[-1].name)
        if child is not None and child.child.name in data.values:
            require_density(term, NAME)
    for v in template.variables:
        if not v.finite and v.shape and v.name in data.values:
            missing = torch.isnan(data.values[v.name][:, : data.steps]).flatten(2)
            if bool((missing.any(2) & ~missing.all(2) & data.inside).any()):
                raise EvidenceError(
                    f"{NAME}: {v.name!r} has a missing value beside others of the same step; give all numbers of a "
                    "step or none."
                )


def _check_alive(totals: Tensor, t: int, data: Sequences, particles: int) -> None:
    """Raise an `EvidenceError` that names the step where the last filter of a sequence lost all weight."""
    lost = torch.isneginf(totals).all(1)
    if bool(lost.any()):
        where = f" of sequence {int(lost.nonzero()[0])}" if data.batched else ""
        raise EvidenceError(
            f"{NAME}: at step {t}{where} none of {totals.shape[1]} x {particles} particles agrees with what is given, "
            "which does not prove it impossible. Use more particles."
        )


def _warn_of_few(effective: Tensor, particles: int) -> None:
    """Warn of the step with the fewest effective particles, where they are too few to trust even the errors."""
    least = float(effective.nan_to_num(torch.inf).min())
    if least < FEW < particles:
        t = int(effective.nan_to_num(torch.inf).amin(0).argmin())
        warnings.warn(
            f"{NAME}: {particles} particles make {least:.1f} effective ones at step {t} (expected {FEW} or more); what "
            "is given there is unlikely beforehand. Use more particles.",
            ConvergenceWarning,
            stacklevel=5,
        )


def _beliefs(template: Template, data: Sequences, clouds: Iterable[Cloud]) -> Beliefs:
    """What the particles say at all steps; NaN beyond the end of a sequence."""
    hidden = [v for v in template.variables if v.name not in data.values]
    said: dict[str, list[tuple[Tensor, ...]]] = {v.name: [] for v in hidden}
    counts, totals = list[Tensor](), torch.empty(0)
    for cloud in clouds:
        for v in hidden:
            said[v.name].append(cloud.probabilities(v) if v.finite else cloud.moments(v))
        counts.append(cloud.effective)
        totals, particles = cloud.totals, cloud.logs[0].numel()
    marginals: dict[str, Tensor | Moments] = {}
    errors: dict[str, Tensor] = {}
    for v in hidden:
        value, error, *covariance = (_inside(torch.stack(each, 1), data) for each in zip(*said[v.name], strict=True))
        marginals[v.name] = value if v.finite else Moments((v,), value, covariance[0])
        errors[v.name] = error if v.finite else error.reshape(*error.shape[:2], *v.shape)
    effective = _inside(torch.stack(counts, 1), data)
    _warn_of_few(effective, particles)
    notes = {"effective_samples": effective, "log_evidence_error": _spread(totals)}
    return Beliefs(tuple(hidden), marginals, totals.logsumexp(1) - log(totals.shape[1]), notes, errors)


def _inside(values: Tensor, data: Sequences) -> Tensor:
    """The values `[rows, steps, ...]`, NaN beyond the end of a sequence."""
    return torch.where(data.inside.reshape(*data.inside.shape, *[1] * (values.dim() - 2)), values, torch.nan)


def _spread(totals: Tensor) -> Tensor:
    """The standard error of the logarithm of the mean of estimates, from their logarithms `[rows, runs]`."""
    runs = totals.shape[1]
    ratio = runs * totals.softmax(1)
    return (ratio.var(1) / runs).sqrt() if runs > 1 else torch.full_like(totals[:, 0], torch.nan)
