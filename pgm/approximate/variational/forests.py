"""Spanning forests of the factor graph, the share of them that holds each factor, and bounds that follow."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...compiled.hyperforests import hyperforest
from ...fields.field import Field
from ..messages.passing import Passing


def forest(field: Field, order: np.ndarray) -> np.ndarray:
    """The factors of a forest, those that come first in the order preferred, `[factors]`."""
    scopes = [part.scopes.cpu().numpy() for part in field.parts]
    lengths = np.concatenate([np.zeros(1, np.int64), *(np.full(len(s), s.shape[1]) for s in scopes)])
    members = np.concatenate([np.zeros(0, np.int64), *(s.reshape(-1) for s in scopes)])
    found: np.ndarray = hyperforest(field.variables, lengths.cumsum(), members, order)
    return found


def appearances(field: Field, trees: int, generator: torch.Generator, first: int | None = None) -> Tensor:
    """The share of random forests that holds each factor, above 0 for all, `[factors]`.

    Args:
        field: whose factors; at least `trees` forests are drawn, more until every factor is in one.
        trees: how many.
        generator: of the randomness, on the CPU.
        first: factors from this one on are preferred; nothing is by default.

    Example:
        >>> from ...fields.field import grid
        >>> chain = grid(torch.zeros(1, 4, 2), torch.zeros(2, 2))
        >>> appearances(chain, 3, torch.Generator().manual_seed(0))
        tensor([1., 1., 1.])
    """
    counts, drawn = np.zeros(field.factors), 0
    preferred = np.arange(field.factors) >= (field.factors if first is None else first)
    while drawn < trees or bool((counts == 0).any()):
        rank = torch.rand(field.factors, generator=generator, dtype=torch.float64).numpy()
        rank += counts - trees * (1.0 * preferred + 2.0 * (counts == 0))
        counts += forest(field, np.argsort(rank))
        drawn += 1
    return torch.from_numpy(counts / drawn).to(field.unary)


def upper_bound(passing: Passing, messages: Tensor) -> Tensor:
    """No less than log Z whatever the messages, and the value of the free energy at a fixed point, `[rows]`.

    With beliefs normalised, p(x) = exp(c) prod_i b_i prod_f (b_f / prod_{i in f} b_i)^{r_f} for any messages, c being
    the free energy. As r averages forests T, the inequality of Hoelder gives log Z <= c + average of log sum_x p_T(x),
    p_T(x) = prod_i b_i prod_{f in T} b_f / prod_{i in f} b_i. Summing out the leaves of T one after the other, each
    factor gives at most the largest b_f(x_i) / b_i(x_i) over its variables i and their states x_i, where b_f(x_i) is
    its marginal; so log Z <= c + sum_f r_f max_{i, x_i} log b_f(x_i) / b_i(x_i), and that is c where marginals agree.

    Args:
        passing: with powers r_f that are shares of forests, at temperature 1, over a field of tables.
        messages: as in `passing`, `[rows, entries]`.

    Reference: Wainwright, Jaakkola and Willsky (2005), A new class of upper bounds on the log partition function.
    """
    fresh, arriving = passing.step(messages), passing.arriving(messages)
    beliefs, scale = passing.beliefs(messages), messages.new_empty(passing.field.rows, passing.field.variables)
    for variables, places in passing.by_size:
        scale[:, variables] = beliefs[:, places].logsumexp(-1)
    slack, splits = [], zip(*(passing.split(each) for each in (messages, fresh, arriving)), strict=True)
    for part, axes in zip(passing.field.parts, splits, strict=True):
        own = [scale[:, variables] for variables in part.scopes.T]
        slack.append(torch.stack([_excess(*each) for each in zip(*axes, own, strict=True)]).amax(0))
    if not slack:
        return passing.log_partition(messages)
    excess = torch.cat(slack, 1)  # [rows, factors]
    return passing.log_partition(messages) + (excess if passing.powers is None else excess * passing.powers).sum(1)


def _excess(old: Tensor, fresh: Tensor, arriving: Tensor, scale: Tensor) -> Tensor:
    """The largest log of b_f(x_i) / b_i(x_i) where b_i is not 0, of factors along one axis, `[rows, factors]`."""
    whole = (fresh + arriving).logsumexp(-1)
    possible = ~(old.isneginf() | arriving.isneginf())
    ratio = torch.where(possible, fresh - torch.where(possible, old, 0.0), -torch.inf).amax(-1)
    return torch.where(possible.any(-1) & ~whole.isneginf(), ratio - whole + scale, 0.0)


def shared_information(passing: Passing, messages: Tensor) -> Tensor:
    """How far factor beliefs are from independence, the sum of entropies less the joint one, `[rows, factors]`."""
    found = []
    for group, logs in zip(passing.field.groups, passing.factor_beliefs(messages), strict=True):
        joint = logs.flatten(2).softmax(-1).reshape(logs.shape).nan_to_num(0.0)
        total = torch.xlogy(joint, joint).flatten(2).sum(-1)
        for axis in range(len(group.sizes)):
            own = joint.movedim(axis + 2, 2).flatten(3).sum(-1)
            total = total - torch.xlogy(own, own).sum(-1)
        found.append(total)
    return torch.cat(found, 1) if found else messages.new_zeros(len(messages), 0)
