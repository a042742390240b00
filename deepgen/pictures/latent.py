"""Between data and latent variables: the means that pictures show."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.errors import EvidenceError, PlanError
from pgm.variable import Variable, quoted

from ..data.data import Data
from ..pair import Pair, centre

Rows = Data | Mapping[str, Tensor]
Values = dict[str, Tensor]


@torch.no_grad()
def encoded(pair: Pair, rows: Rows, subject: str, most: int | None = None) -> Values:
    """Rows, on the device of the pair, with the centre of each latent variable in the guide, by name.

    Args:
        pair: a model and its guide.
        rows: data, or a batch of them.
        subject: who asks, for messages.
        most: rows to look at; all when None.

    Raises:
        EvidenceError: when something is missing that is observed or given.
    """
    values = {name: column[:most].to(_device(pair)) for name, column in _batch(rows).items()}
    missing = [v.name for v in (*pair.observed, *pair.given) if v.name not in values]
    if missing:
        raise EvidenceError(f"{subject}: {quoted(missing)} is not among {quoted(values)}; the rows have to hold it.")
    return pair.infer(values, mean=True)


@torch.no_grad()
def decoded(pair: Pair, values: Mapping[str, Tensor]) -> Tensor:
    """The mean of what is observed, `[rows, *event]`, given latent variables; those between follow by their centres."""
    found = dict(values)

    def of(name: str) -> Tensor:
        if name not in found:
            conditional = pair.model.conditionals[name]
            found[name] = centre(conditional, *(of(v.name) for v in conditional.given))
        return found[name]

    (x, *_) = pair.observed
    found.pop(x.name, None)
    return of(x.name)


def latent_of(pair: Pair, name: str | None, subject: str) -> Variable:
    """The latent variable of that name, or the first one of numbers.

    Raises:
        PlanError: when there is none.
    """
    numeric = [v for v in pair.latents if isinstance(v.domain, Real)]
    found = next((v for v in numeric if name in (None, v.name)), None)
    if found is None:
        wanted = "latent variable of numbers" if name is None else f"latent variable {name!r} of numbers"
        raise PlanError(f"{subject}: {pair!r} has no {wanted}; there are {quoted(v.name for v in numeric) or 'none'}.")
    return found


def given_of(pair: Pair, label: object, rows: int, subject: str) -> Values:
    """The label of every row, where the pair is conditioned on one.

    Raises:
        EvidenceError: when it is conditioned on one and none is given, or the other way round, or it is no state.
    """
    if len(pair.given) != (label is not None):
        expected = f"a state of {quoted(v.name for v in pair.given)}" if pair.given else "None, for nothing is given"
        raise EvidenceError(f"{subject}: label is {label!r}, expected {expected}.")
    return {v.name: torch.full((rows,), v.number(label), device=_device(pair)) for v in pair.given}


def shown(pair: Pair, values: Mapping[str, Tensor]) -> Tensor:
    """What is observed itself, `[rows, *event]`."""
    return values[pair.observed[0].name]


def _batch(rows: Rows) -> Mapping[str, Tensor]:
    return rows.batch(torch.arange(len(rows)), torch.Generator().manual_seed(0)) if isinstance(rows, Data) else rows


def _device(pair: Pair) -> torch.device:
    return next(pair.model.parameters()).device
