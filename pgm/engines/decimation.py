"""Max-product belief propagation with decimation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..approximate.search.moves import climb, moves_of
from ..approximate.search.outcome import outcome, quick_bound, warn
from ..approximate.search.unrolled import unrolled
from ..errors import PlanError
from ..fields.answers import Best, Settings, explained
from ..fields.conditioned import conditioned
from .loopy import LoopyBP
from .progress import Watched

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.field import Field
    from ..model import Model

TIED = 1e-3  # a lead in max-marginal probability that may come from a tie


@dataclass(frozen=True)
class MaxProduct:
    """Probable joint states by max-product messages: those of the most certain variables are fixed, and so on.

    Each round passes messages at temperature 0 until they settle, m_i(x_i) ~ max over all else, and fixes the free
    variables whose best state leads by most; where states are tied, one variable at a time. Greedy moves finish.
    Exact on trees. `bound` is that of a few sweeps of dual decomposition.

    `diagnostics` has `gap`, `converged` (the messages settled in every round), `iterations` (in all rounds) and
    `interrupted`.

    Args:
        share: of the free variables, that is fixed in each round at most; above 0, up to 1.
        damping: the weight of the old messages in each new one, from 0 to below 1.
        iterations: of messages, in each round at most.
        tolerance: of the largest change of a normalised message.
        progress: whether to show a bar when it takes long.
        device: where to work, that of the model by default.

    Raises:
        PlanError: when an option is not one of these, or a noisy or has too many causes to be a table.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, mpe
        >>> a, b = Variable("a"), Variable("b")
        >>> best = mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), engine=MaxProduct())
        >>> best.assignment(), best.diagnostics["converged"]
        ({'a': '0', 'b': '0'}, True)

    Reference: Weiss and Freeman (2001), On the optimality of solutions of the max-product belief propagation algorithm
    in arbitrary graphs; Braunstein, Mezard and Zecchina (2005), Survey propagation (decimation).
    """

    share: float = 0.2
    damping: float = 0.5
    iterations: int = 200
    tolerance: float = 1e-6
    progress: bool = True
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        checks = (
            ("share", 0 < self.share <= 1, "a number above 0, up to 1"),
            ("damping", 0 <= self.damping < 1, "a number from 0 to below 1"),
            ("iterations", self.iterations >= 1, "1 or more"),
            ("tolerance", self.tolerance >= 0, "a number that is not negative"),
        )
        for name, good, expected in checks:
            if not good:
                raise PlanError(f"MaxProduct: {name} is {getattr(self, name)!r}, expected {expected}.")

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """Probable joint states of all variables that are not observed."""
        return explained(Settings("MaxProduct", device=self.device), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """The best joint states found in a field, and a bound.

        Raises:
            PlanError: when a noisy or has too many causes to be a table.
        """
        whole = unrolled(field, "MaxProduct")
        bound, states = quick_bound(field)
        held = torch.full((field.rows, whole.variables), -1, device=field.device)
        settled = torch.ones(field.rows, dtype=torch.bool)
        messages, passed, stopped = None, 0, False
        with Watched(field.variables, "rounds", self.progress) as steps:
            for _ in steps:
                passing, found = self._messages.settle(conditioned(whole, held), messages)
                messages, passed, stopped = found.messages, passed + int(found.iterations.max()), found.interrupted
                settled &= torch.from_numpy(found.residual) <= self.tolerance
                best, lead = leading(whole, passing.marginals(messages).nan_to_num(0.0))  # NaN: a contradiction
                states = torch.where(held < 0, best, held)[:, : field.variables]
                held[:, : field.variables] = self._fixed(held[:, : field.variables], states, lead)
                if stopped or bool((held[:, : field.variables] >= 0).all()):
                    break
                steps.say(f"{int((held >= 0).sum(1).min())} of {field.variables} fixed")
        settled |= bound.isneginf().cpu()
        text = f"messages had not settled when variables were fixed (tolerance {self.tolerance:g})"
        warn(
            ~settled, "MaxProduct", text, "Use more damping or iterations, SimulatedAnnealing() or DualDecomposition()"
        )
        notes = {
            "converged": settled.tolist(),
            "iterations": [passed] * field.rows,
            "interrupted": [stopped or steps.interrupted] * field.rows,
        }
        draws = torch.stack([states, climb(moves_of(field), states.unsqueeze(1)).squeeze(1)], 1)
        return outcome(field, draws, bound, "MaxProduct", notes)

    @property
    def _messages(self) -> LoopyBP:
        return LoopyBP(0.0, self.damping, iterations=self.iterations, tolerance=self.tolerance, progress=False)

    def _fixed(self, held: Tensor, states: Tensor, lead: Tensor) -> Tensor:
        """What is held once the most certain of the free variables are too, `[rows, variables]`."""
        free = held < 0
        lead = torch.where(free, lead[:, : held.shape[1]], -1.0)
        place = lead.argsort(dim=1, descending=True, stable=True).argsort(dim=1)  # 0 for the most certain
        most = (self.share * free.sum(1, keepdim=True)).ceil()
        clear = lead > (lead.amax(1, keepdim=True) / 2).clamp_min(TIED)
        return torch.where(free & ((place == 0) | (clear & (place < most))), states, held)


def leading(field: Field, marginals: Tensor) -> tuple[Tensor, Tensor]:
    """The best state of each variable, and by how much it leads the second, both `[rows, variables]`.

    Args:
        field: whose variables.
        marginals: probabilities, `[rows, states]`.
    """
    owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    owner = owner.expand_as(marginals)
    number = torch.arange(marginals.shape[1], device=field.device).expand_as(marginals)
    empty = marginals.new_zeros(len(marginals), field.variables)
    top = empty.scatter_reduce(1, owner, marginals, "amax")
    last = torch.full_like(empty, marginals.shape[1], dtype=torch.long)
    first = last.scatter_reduce(1, owner, torch.where(marginals == top.gather(1, owner), number, last[:, :1]), "amin")
    others = marginals.scatter(1, first, 0.0)
    return first - field.starts[:-1], top - empty.scatter_reduce(1, owner, others, "amax")
