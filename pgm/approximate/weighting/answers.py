"""From sums over weighted draws to a posterior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import ConvergenceWarning, EvidenceError
from ...evidence import Evidence
from ...moments import Moments
from ...posterior import Answers, Beyond, Posterior
from .problem import Problem
from .sums import Sums, Target

FEW = 10  # effective samples below which not even the standard errors are to be trusted


@dataclass(frozen=True, eq=False)
class Weighed:
    """What the draws say of the rows of a problem, and whether Ctrl-C ended them."""

    asked: Problem
    sums: Sums
    interrupted: bool


def require_weight(found: Weighed, evidence: Evidence) -> None:
    """Raise an `EvidenceError` that names the first row of which no draw has weight."""
    lost = torch.nonzero(found.sums.total <= 0).reshape(-1).tolist()
    if lost:
        count, row = int(found.sums.count[lost[0]]), int(found.asked.rows[lost[0]])
        raise EvidenceError(none_agrees(found.asked.subject, count, f" in row {row}" if evidence.batched else ""))


def warn_of_few(found: Weighed, evidence: Evidence) -> None:
    """Warn of the row with the fewest effective samples, where they are too few to trust even the standard errors."""
    effective = torch.where(found.sums.total > 0, found.sums.effective, torch.inf)
    least = int(effective.argmin())
    if float(effective[least]) < FEW < int(found.sums.count[least]):
        row = f"row {int(found.asked.rows[least])}" if evidence.batched else "the evidence"
        warnings.warn(
            f"{found.asked.subject}: {int(found.sums.count[least])} draws make {float(effective[least]):.1f} effective "
            f"samples for {row} (expected {FEW} or more); it is unlikely beforehand. Draw more, or use Exact(), "
            "LoopyBP() or Gibbs().",
            ConvergenceWarning,
            stacklevel=4,
        )


def none_agrees(subject: str, draws: int, where: str = "") -> str:
    """What is said when no draw has weight."""
    return (
        f"{subject}: none of {draws} draws agrees with the evidence{where}, which does not prove it impossible. Draw "
        "more samples, or use Exact() or Gibbs()."
    )


def posterior(targets: tuple[Target, ...], found: Sequence[Weighed], evidence: Evidence) -> Posterior:
    """The posterior of all rows; NaN where no draw has weight."""
    order = np.concatenate([each.asked.rows for each in found]).argsort()
    finite = tuple(target for target in targets if target[0].finite)
    numeric = tuple(target for target in targets if not target[0].finite)
    places = (0, *accumulate(prod(v.size for v in target) for target in finite))
    record = Answers(finite, places, None, found[0].asked.subject)
    flat, errors, totals = (
        np.concatenate([getattr(each.sums, name).cpu().numpy() for each in found])[order]
        for name in ("probabilities", "errors", "log_evidence")
    )
    errors[~np.concatenate([_open(each.asked, finite) for each in found])[order]] = 0.0
    moments = [_moments(found, k, order) for k in range(len(numeric))]
    notes = _diagnostics(found, order)
    if evidence.batched:
        named = {tuple(v.name for v in t): Moments(t, *m) for t, m in zip(numeric, moments, strict=True)}
        return Posterior(record, flat, totals, Beyond(named, None, notes, errors))
    named = {tuple(v.name for v in t): Moments(t, m[0], c[0]) for t, (m, c) in zip(numeric, moments, strict=True)}
    one = {name: values[0] for name, values in notes.items()}
    return Posterior(record, flat[0], totals[0], Beyond(named, None, one, errors[0]))


def _moments(found: Sequence[Weighed], number: int, order: np.ndarray) -> tuple[Tensor, Tensor]:
    """The means and covariances of a numeric target in all rows, as they were asked for."""
    means, covariances = (
        torch.cat([getattr(each.sums, name)(number) for each in found]) for name in ("mean", "covariance")
    )
    rows = torch.from_numpy(order).to(means.device)
    return means[rows], covariances[rows]


def _diagnostics(found: Sequence[Weighed], order: np.ndarray) -> dict[str, list[Any]]:
    effective = torch.cat([each.sums.effective for each in found]).cpu().numpy()[order].tolist()
    errors = torch.cat([_evidence_error(each) for each in found]).cpu().numpy()[order].tolist()
    ended = np.concatenate([np.full(len(each.asked.rows), each.interrupted) for each in found])[order].tolist()
    return {"effective_samples": effective, "log_evidence_error": errors, "interrupted": ended}


def _evidence_error(found: Weighed) -> Tensor:
    """The standard error of the log evidence, `[rows]`; none where nothing weighs, since the evidence is then 1."""
    weighs = found.asked.weighing or found.asked.likelihoods
    return found.sums.log_evidence_error if weighs else torch.zeros_like(found.sums.total)


def _open(asked: Problem, targets: Sequence[Target]) -> np.ndarray:
    """Which probabilities are not known beforehand to be 0 or 1 from what was observed, `[rows, states]`."""
    pieces = [np.zeros((len(asked.rows), 0), dtype=bool)]
    for target in targets:
        mask = np.ones((len(asked.rows), *(v.size for v in target)), dtype=bool)
        for axis, variable in enumerate(target):
            if variable.name in asked.known:
                here = np.eye(variable.size, dtype=bool)[asked.known[variable.name].cpu().numpy()]
                mask &= here.reshape(len(here), *[1] * axis, -1, *[1] * (len(target) - axis - 1))
        known = all(variable.name in asked.known for variable in target)
        pieces.append((mask & (not known)).reshape(len(mask), -1))
    return np.concatenate(pieces, 1)
