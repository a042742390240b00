"""Chains of finite states: their total weight, its gradient, and the most probable path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiled import chains
from ..gradient import all_differentiable, differentiable
from ..semiring import LOG_SUM
from .scan import reversed_scan, scan

LEAST = -1e300  # stands for -inf where that would be subtracted from itself


@dataclass(frozen=True, eq=False)
class Chain:
    """Weights of the states of a chain, as logarithms; an axis of length 1 is shared by all rows or steps.

    Args:
        initial: of the first state, `[rows or 1, states]`.
        step: from each state to each, `[rows or 1, steps - 1 or 1, states, states]`.
        emission: of each later state on its own, `[rows or 1, steps - 1 or 1, states]`.
        lengths: steps of each row, `[rows]`.
        steps: of the longest row.
    """

    initial: Tensor
    step: Tensor
    emission: Tensor
    lengths: Tensor
    steps: int

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.initial, self.step, self.emission

    def made_of(self, weights: Sequence[Tensor]) -> Chain:
        """The same with other weights."""
        initial, step, emission = weights
        return Chain(initial, step, emission, self.lengths, self.steps)

    def taken(self, rows: Tensor) -> Chain:
        """Some of the rows."""
        initial, step, emission = (x[rows] if len(x) > 1 else x for x in self.weights)
        return Chain(initial, step, emission, self.lengths[rows], self.steps)


Answer = tuple[Tensor, Tensor]  # a marginal for each step, and the log of the sum over all paths
Swift = Callable[[Chain, bool], Answer]


def log_total(chain: Chain, parallel: bool) -> Tensor:
    """The logarithm of the sum over all paths, `[rows]`, differentiable in the weights.

    Its gradient is computed from forward and backward messages: with respect to `emission` it is the probability of
    each state, with respect to `step` that of each pair.
    """
    found: Tensor = _LogTotal.apply(*chain.weights, chain, parallel)
    return found


def log(values: Tensor) -> Tensor:
    """The logarithm; that of 0 is -inf and has no gradient, so that a 0 stays one."""
    zero = values == 0
    return values.masked_fill(zero, 1.0).log().masked_fill(zero, -torch.inf) if bool(zero.any()) else values.log()


def filtered(chain: Chain, parallel: bool) -> tuple[Tensor, Tensor]:
    """p(state t | everything up to t), `[rows, steps, states]`, and the log of the sum over all paths."""
    return _answered(_filtered, chain, parallel)


def smoothed(chain: Chain, parallel: bool) -> tuple[Tensor, Tensor]:
    """p(state t | everything), `[rows, steps, states]`, and the log of the sum over all paths."""
    return _answered(_smoothed, chain, parallel)


def best_path(chain: Chain) -> tuple[Tensor, Tensor]:
    """The most probable path, state numbers `[rows, steps]` (-1 beyond the end), and the log of its weight."""
    initial, step, emission = (_array(x) for x in chain.weights)
    paths, totals = np.full((len(chain.lengths), chain.steps), -1), np.empty(len(chain.lengths))
    chains.best_path(initial, step, emission, chain.lengths.numpy(force=True), paths, totals)
    states, found = (torch.from_numpy(x).to(chain.initial.device) for x in (paths, totals))
    return states, differentiable(found, lambda weights: _weight(chain.made_of(weights), states), chain.weights)


def _weight(chain: Chain, path: Tensor) -> Tensor:
    """The log of the weight of one path a row, `[rows]`."""
    rows, known = torch.arange(len(path), device=path.device), path.clamp(min=0)
    moves = torch.arange(chain.steps - 1, device=path.device)
    initial = chain.initial.expand(len(path), -1)[rows, known[:, 0]]
    step = chain.step.expand(len(path), chain.steps - 1, -1, -1)
    emission = chain.emission.expand(len(path), chain.steps - 1, -1)
    places = rows.unsqueeze(1), moves, known[:, :-1], known[:, 1:]
    later = step[places] + emission[places[0], moves, known[:, 1:]]
    return initial + torch.where(_moves(chain), later, 0.0).sum(1)


def _answered(answer: Swift, chain: Chain, parallel: bool) -> Answer:
    """Computed without a graph; with one, in parallel form, when a gradient is wanted."""
    with torch.no_grad():
        values = answer(chain, parallel)
    alpha, totals = all_differentiable(values, lambda weights: answer(chain.made_of(weights), True), chain.weights)
    return alpha, totals


def _filtered(chain: Chain, parallel: bool) -> Answer:
    alpha, totals, doubtful = _messages(chain, parallel)
    if bool(doubtful.any()):
        return _mended(_filtered, _log_filtered, chain, doubtful, parallel)
    norm = alpha.sum(-1, keepdim=True)
    return alpha / torch.where(norm > 0, norm, 1.0), totals


def _smoothed(chain: Chain, parallel: bool) -> Answer:
    alpha, totals, doubtful = _messages(chain, parallel)
    gamma, _, careless = _pairs(chain, alpha, parallel)
    if bool((doubtful | careless).any()):
        return _mended(_smoothed, _log_smoothed, chain, doubtful | careless, parallel)
    return gamma, totals


def _mended(swift: Swift, careful: Callable[[Chain], Answer], chain: Chain, bad: Tensor, parallel: bool) -> Answer:
    """Some rows in logarithms, the others apart: what has underflowed gives no gradient to what they share."""
    parts, rows = [careful(chain.taken(bad))], [bad.nonzero()]
    if not bool(bad.all()):
        parts, rows = [*parts, swift(chain.taken(~bad), parallel)], [*rows, (~bad).nonzero()]
    order = torch.cat(rows).squeeze(1).argsort()
    marginals, totals = (torch.cat(each)[order] for each in zip(*parts, strict=True))
    return marginals, totals


def _log_filtered(chain: Chain) -> Answer:
    logs = _log_messages(chain)
    totals = LOG_SUM.total(logs, (-1,))
    inside = torch.arange(chain.steps, device=totals.device) < chain.lengths.unsqueeze(1)
    known = (inside & ~torch.isneginf(totals)).unsqueeze(-1)
    return torch.where(known, torch.where(known, logs, 0.0).softmax(-1), 0.0), totals[:, -1]


def _log_smoothed(chain: Chain) -> Answer:
    probe, higher = torch.zeros_like(_log_messages(chain), requires_grad=True), torch.is_grad_enabled()
    with torch.enable_grad():
        probed = replace(chain, initial=chain.initial + probe[:, 0], emission=chain.emission + probe[:, 1:])
        totals = LOG_SUM.total(_log_messages(probed)[:, -1], (-1,))
        (gamma,) = torch.autograd.grad(totals.sum(), probe, create_graph=higher)
    return gamma, totals


class _LogTotal(torch.autograd.Function):
    """Forward messages on the way up, backward messages on the way down; logarithms for rows that would underflow."""

    @staticmethod
    def forward(ctx: Any, initial: Tensor, step: Tensor, emission: Tensor, chain: Chain, parallel: bool) -> Tensor:
        fixed = chain.made_of((initial.detach(), step.detach(), emission.detach()))
        alpha, totals, doubtful = _messages(fixed, parallel)
        if bool(doubtful.any()):
            totals[doubtful] = _log_messages(fixed.taken(doubtful))[:, -1].logsumexp(-1)
        ctx.save_for_backward(initial, step, emission, alpha, doubtful)
        ctx.rest = chain.lengths, chain.steps, parallel
        return totals.to(initial.dtype)

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        initial, step, emission, alpha, doubtful = ctx.saved_tensors
        lengths, steps, parallel = ctx.rest
        chain = Chain(initial, step, emission, lengths, steps)
        with torch.no_grad():
            found = _slopes(chain, alpha, doubtful, above, parallel)

        def again(tables: Sequence[Tensor]) -> Sequence[Tensor | None]:
            totals = _filtered(chain.made_of(tables[:3]), True)[1]
            wanted = [table for table in tables[:3] if table.requires_grad]
            slopes = iter(torch.autograd.grad(totals, wanted, tables[3], create_graph=True, allow_unused=True))
            return [next(slopes) if table.requires_grad else None for table in tables[:3]]

        slopes = all_differentiable(found, again, (*chain.weights, above))
        return *(x.to(w.dtype) for x, w in zip(slopes, chain.weights, strict=True)), None, None


def _slopes(chain: Chain, alpha: Tensor, doubtful: Tensor, above: Tensor, parallel: bool) -> list[Tensor]:
    """The gradient of the totals in the weights."""
    gamma, onward, careless = _pairs(chain, alpha, parallel)
    doubtful = doubtful | careless
    scale = torch.where(doubtful, 0.0, above)[:, None, None]
    gamma, onward = (torch.where(doubtful[:, None, None], 0.0, x) * scale for x in (gamma, onward))
    alpha = torch.where(doubtful[:, None, None], 0.0, alpha)
    found = [_fit(gamma[:, 0], chain.initial), _expected(chain, alpha, onward), _fit(gamma[:, 1:], chain.emission)]
    if bool(doubtful.any()):
        found = [x + y for x, y in zip(found, _careful_slopes(chain, doubtful, above), strict=True)]
    return found


def _fit(gradient: Tensor, like: Tensor) -> Tensor:
    """The gradient with shared axes summed."""
    return gradient.sum_to_size(like.shape)


def _expected(chain: Chain, alpha: Tensor, onward: Tensor) -> Tensor:
    """Expected numbers of each pair of successive states, in the shape of `step`."""
    weights = _scaled(chain.step, 2)[0]
    last = alpha[:, :-1]
    if chain.step.shape[1] == 1:  # shared by all steps: one matrix product sums over them
        return _fit((last.mT @ onward).unsqueeze(1), chain.step) * weights
    return _fit(last.unsqueeze(-1) * onward.unsqueeze(-2) * weights, chain.step)


def _scaled(logs: Tensor, axes: int) -> tuple[Tensor, Tensor]:
    """Numbers whose maximum over the last axes is 1, and the logarithms that were taken out; float64."""
    logs = logs.double()
    peak = logs.amax(tuple(range(-axes, 0)), keepdim=True).clamp(min=LEAST)
    return (logs - peak).exp_(), peak.flatten(-axes).squeeze(-1)


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().double().numpy(force=True))


def _messages(chain: Chain, parallel: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Forward messages, each up to a factor, the log of the total, and which rows may have lost to underflow."""
    (initial, a), (step, b), (emission, c) = (
        _scaled(chain.initial, 1),
        _scaled(chain.step, 2),
        _scaled(chain.emission, 1),
    )
    if parallel:
        alpha, totals, doubtful = _scanned(initial, step, emission, chain)
    else:
        rows = len(chain.lengths)
        made = np.zeros((rows, chain.steps, initial.shape[-1])), np.empty(rows), np.zeros(rows, dtype=np.bool_)
        chains.forward(*map(_array, (initial, step, emission)), chain.lengths.numpy(force=True), *made)
        alpha, totals, doubtful = (torch.from_numpy(x).to(initial.device) for x in made)
    inside = _moves(chain)
    return alpha, totals + a + torch.where(inside, b + c, 0.0).sum(1), doubtful


def _moves(chain: Chain) -> Tensor:
    """Which steps from one state to the next lie inside their row, `[rows, steps - 1]`."""
    return torch.arange(1, chain.steps, device=chain.lengths.device) < chain.lengths.unsqueeze(1)


def _pairs(chain: Chain, alpha: Tensor, parallel: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Smoothed probabilities, what pairs need beside `alpha` and `step`, and which rows may have underflowed."""
    step, emission = _scaled(chain.step, 2)[0], _scaled(chain.emission, 1)[0]
    if parallel:
        return _scanned_back(step, emission, alpha, chain)
    arrays = _array(step), _array(emission), chain.lengths.numpy(force=True), _array(alpha)
    made = np.zeros(alpha.shape), np.zeros(alpha[:, 1:].shape), np.zeros(len(alpha), dtype=np.bool_)
    chains.backward(*arrays, *made)
    gamma, onward, doubtful = (torch.from_numpy(x).to(alpha.device) for x in made)
    return gamma, onward, doubtful


def _log_messages(chain: Chain) -> Tensor:
    """Forward messages in logarithms, step after step: slow, and right where scaled numbers underflow."""
    rows, moves = len(chain.lengths), _moves(chain)
    message = chain.initial.expand(rows, -1)
    messages = [message]
    step = chain.step.expand(-1, chain.steps - 1, -1, -1)
    emission = chain.emission.expand(-1, chain.steps - 1, -1)
    for t in range(chain.steps - 1):
        after = LOG_SUM.total(message.unsqueeze(-1) + step[:, t], (-2,)) + emission[:, t]
        message = torch.where(moves[:, t, None], after, message)
        messages.append(message)
    return torch.stack(messages, 1)


def _careful_slopes(chain: Chain, rows: Tensor, above: Tensor) -> tuple[Tensor, ...]:
    """The gradient of the totals of some rows, in logarithms."""
    with torch.enable_grad():
        weights = [x.detach().requires_grad_() for x in chain.weights]
        some = chain.made_of(weights).taken(rows)
        totals = LOG_SUM.total(_log_messages(some)[:, -1], (-1,))
        return torch.autograd.grad((totals * above[rows]).sum(), weights)


def _combined(one: tuple[Tensor, ...], two: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The product of two runs of matrices; each row has maximum 1, its logarithm, and whether much was lost."""
    (a, s, p), (b, t, q) = one, two
    peak = t.amax(-1, keepdim=True)
    peak = torch.where(torch.isinf(peak), 0.0, peak)
    made = (a * (t - peak).exp().unsqueeze(-2)) @ b
    high = made.amax(-1)
    lost = ((high > 0) & (high < 1e-100)).any(-1)
    return made / torch.where(high > 0, high, 1.0).unsqueeze(-1), s + peak + log(high), p | q | lost


def _matrices(step: Tensor, emission: Tensor, chain: Chain) -> tuple[Tensor, ...]:
    """Steps with their emissions as elements of a scan; beyond the end of a row nothing changes."""
    moves = _moves(chain)
    made = step * emission.unsqueeze(-2)
    made = torch.where(moves[:, :, None, None], made, torch.eye(made.shape[-1], dtype=made.dtype, device=made.device))
    high = made.amax(-1)
    return made / torch.where(high > 0, high, 1.0).unsqueeze(-1), log(high), torch.zeros_like(moves)


def _scanned(initial: Tensor, step: Tensor, emission: Tensor, chain: Chain) -> tuple[Tensor, Tensor, Tensor]:
    """Forward messages as prefix products.

    Reference: Hassan, Sarkka and Garcia-Fernandez (2021), Temporal parallelization of inference in hidden Markov
    models.
    """
    products, logs, lost = scan(_combined, _matrices(step, emission, chain))
    start = initial.expand(len(chain.lengths), -1)
    peak = logs.amax(-1, keepdim=True)
    peak = torch.where(torch.isinf(peak), 0.0, peak)
    later = ((start.unsqueeze(1) * (logs - peak).exp()).unsqueeze(-2) @ products).squeeze(-2)
    alpha = torch.cat([start.unsqueeze(1), later], 1)
    totals = alpha.sum(-1)
    final = log(totals[:, -1]) + (peak[:, -1, 0] if chain.steps > 1 else 0.0)
    doubtful = lost[:, -1:].any(1) | (totals < 1e-100).any(1)
    inside = torch.arange(chain.steps, device=alpha.device) < chain.lengths.unsqueeze(1)
    alpha = alpha / torch.where(totals > 0, totals, 1.0).unsqueeze(-1)
    return torch.where(inside.unsqueeze(-1), alpha, 0.0), final, doubtful


def _scanned_back(step: Tensor, emission: Tensor, alpha: Tensor, chain: Chain) -> tuple[Tensor, Tensor, Tensor]:
    """Backward messages as suffix products, and what `chains.backward` returns."""
    products, logs, lost = reversed_scan(_combined, _matrices(step, emission, chain))
    peak = logs.amax(-1, keepdim=True)
    peak = torch.where(torch.isinf(peak), 0.0, peak)
    sums = products.sum(-1) * (logs - peak).exp()
    beta = torch.cat([sums, torch.ones_like(alpha[:, :1])], 1)
    gamma = alpha * beta
    total = gamma.sum(-1, keepdim=True)
    ahead = emission * beta[:, 1:]
    norm = (alpha[:, :-1] * (step @ ahead.unsqueeze(-1)).squeeze(-1)).sum(-1, keepdim=True)
    inside = _moves(chain).unsqueeze(-1)
    onward = torch.where(inside, ahead / torch.where(norm > 0, norm, 1.0), 0.0)
    doubtful = lost[:, :1].any(1) | ((norm < 1e-150) & inside).flatten(1).any(1)
    return gamma / torch.where(total > 0, total, 1.0), onward, doubtful
