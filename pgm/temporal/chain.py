"""Chains of finite states: their total weight, its gradient, and the most probable path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiled import chains
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

    def taken(self, rows: Tensor) -> Chain:
        """Some of the rows."""
        initial, step, emission = (x[rows] if len(x) > 1 else x for x in self.weights)
        return Chain(initial, step, emission, self.lengths[rows], self.steps)


def log_total(chain: Chain, parallel: bool) -> Tensor:
    """The logarithm of the sum over all paths, `[rows]`, differentiable in the weights.

    Its gradient is computed from forward and backward messages: with respect to `emission` it is the probability of
    each state, with respect to `step` that of each pair.
    """
    found: Tensor = _LogTotal.apply(*chain.weights, chain, parallel)
    return found


def detached(chain: Chain) -> Chain:
    """The same weights without gradients."""
    return replace(chain, initial=chain.initial.detach(), step=chain.step.detach(), emission=chain.emission.detach())


def filtered(chain: Chain, parallel: bool) -> tuple[Tensor, Tensor]:
    """p(state t | everything up to t), `[rows, steps, states]`, and the log of the sum over all paths."""
    alpha, totals, doubtful = _messages(detached(chain), parallel)
    norm = alpha.sum(-1, keepdim=True)
    alpha = alpha / torch.where(norm > 0, norm, 1.0)
    if bool(doubtful.any()):
        logs = _log_messages(detached(chain).taken(doubtful))
        alpha[doubtful], totals[doubtful] = torch.softmax(logs, -1), logs[:, -1].logsumexp(-1)
    return alpha, totals


def smoothed(chain: Chain, parallel: bool) -> tuple[Tensor, Tensor]:
    """p(state t | everything), `[rows, steps, states]`, and the log of the sum over all paths."""
    fixed = detached(chain)
    alpha, totals, doubtful = _messages(fixed, parallel)
    gamma, _, careless = _pairs(fixed, alpha, parallel)
    doubtful = doubtful | careless
    if bool(doubtful.any()):
        probe = alpha.new_zeros(alpha.shape).requires_grad_()
        with torch.enable_grad():
            probed = replace(fixed, initial=fixed.initial + probe[:, 0], emission=fixed.emission + probe[:, 1:])
            logs = LOG_SUM.total(_log_messages(probed.taken(doubtful))[:, -1], (-1,))
            (found,) = torch.autograd.grad(logs.sum(), probe)
        gamma[doubtful], totals[doubtful] = found[doubtful], logs.detach()
    return gamma, totals


def best_path(chain: Chain) -> tuple[Tensor, Tensor]:
    """The most probable path, state numbers `[rows, steps]` (-1 beyond the end), and the log of its weight."""
    initial, step, emission = (_array(x) for x in chain.weights)
    paths, totals = np.full((len(chain.lengths), chain.steps), -1), np.empty(len(chain.lengths))
    chains.best_path(initial, step, emission, chain.lengths.numpy(force=True), paths, totals)
    device = chain.initial.device
    return torch.from_numpy(paths).to(device), torch.from_numpy(totals).to(device)


class _LogTotal(torch.autograd.Function):
    """Forward messages on the way up, backward messages on the way down; logarithms for rows that would underflow."""

    @staticmethod
    def forward(ctx: Any, initial: Tensor, step: Tensor, emission: Tensor, chain: Chain, parallel: bool) -> Tensor:
        fixed = Chain(initial.detach(), step.detach(), emission.detach(), chain.lengths, chain.steps)
        alpha, totals, doubtful = _messages(fixed, parallel)
        if bool(doubtful.any()):
            totals[doubtful] = _log_messages(fixed.taken(doubtful))[:, -1].logsumexp(-1)
        ctx.save_for_backward(initial, step, emission, alpha, doubtful)
        ctx.rest = chain.lengths, chain.steps, parallel
        return totals.to(initial.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        *weights, alpha, doubtful = ctx.saved_tensors
        lengths, steps, parallel = ctx.rest
        initial, step, emission = (x.detach() for x in weights)
        chain = Chain(initial, step, emission, lengths, steps)
        gamma, onward, careless = _pairs(chain, alpha, parallel)
        doubtful = doubtful | careless
        scale = torch.where(doubtful, 0.0, above)[:, None, None]
        gamma, onward = (torch.where(doubtful[:, None, None], 0.0, x) * scale for x in (gamma, onward))
        alpha = torch.where(doubtful[:, None, None], 0.0, alpha)
        found = [_fit(gamma[:, 0], chain.initial), _expected(chain, alpha, onward), _fit(gamma[:, 1:], chain.emission)]
        if bool(doubtful.any()):
            again = _careful_gradients(chain, doubtful, above)
            found = [x + y for x, y in zip(found, again, strict=True)]
        return *(x.to(w.dtype) for x, w in zip(found, weights, strict=True)), None, None


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


def _careful_gradients(chain: Chain, rows: Tensor, above: Tensor) -> tuple[Tensor, ...]:
    """The gradients of some rows, in logarithms."""
    with torch.enable_grad():
        weights = [x.clone().requires_grad_() for x in chain.weights]
        some = Chain(weights[0], weights[1], weights[2], chain.lengths, chain.steps).taken(rows)
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
    return made / torch.where(high > 0, high, 1.0).unsqueeze(-1), s + peak + high.log(), p | q | lost


def _matrices(step: Tensor, emission: Tensor, chain: Chain) -> tuple[Tensor, ...]:
    """Steps with their emissions as elements of a scan; beyond the end of a row nothing changes."""
    moves = _moves(chain)
    made = step * emission.unsqueeze(-2)
    made = torch.where(moves[:, :, None, None], made, torch.eye(made.shape[-1], dtype=made.dtype, device=made.device))
    high = made.amax(-1)
    return made / torch.where(high > 0, high, 1.0).unsqueeze(-1), high.log(), torch.zeros_like(moves)


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
    final = totals[:, -1].log() + (peak[:, -1, 0] if chain.steps > 1 else 0.0)
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
