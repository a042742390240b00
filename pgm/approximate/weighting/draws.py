"""Weighted draws: parents before children, by the compiled loop where all is finite and on the CPU, else by torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...engines.draws import seeded
from .problem import Problem
from .program import program


@dataclass(frozen=True, eq=False)
class Draws:
    """Weighted draws for rows of evidence side by side.

    Args:
        columns: by name, what was drawn and what was observed, `[rows, draws, *event]`.
        logs: log weights, `[rows, draws]`.
    """

    columns: Mapping[str, Tensor]
    logs: Tensor


Source = Callable[[slice, int, int], Draws]  # rows, how many draws each had before, how many now


def source(problem: Problem, seed: int, samples: int) -> Source:
    """Where draws come from.

    Args:
        problem: the rows.
        seed: of the randomness.
        samples: how many draws a row will have in all.
    """
    compiled = problem.model.finite and problem.device.type == "cpu"
    return compiled_source(problem, seed, samples) if compiled else torch_source(problem, seed, samples)


def compiled_source(problem: Problem, seed: int, samples: int) -> Source:
    """Draws by the compiled loop; the same ones however they are portioned."""
    soft = {name: vectors.numpy() for name, vectors in problem.likelihoods.items()}
    made = program(problem.order, problem.drawn, problem.weighing, soft)
    rows = np.arange(len(problem.rows))

    def draw(some: slice, before: int, draws: int) -> Draws:
        known = {name: value[some].numpy() for name, value in problem.known.items()}
        number = (problem.first + some.start) * samples + before
        states, logs = made.run(seed, number, draws, rows[some], known)
        columns = torch.from_numpy(states).reshape(len(states), -1, draws).unbind()
        return Draws(dict(zip(problem.order, columns, strict=True)), torch.from_numpy(logs).reshape(-1, draws))

    return draw


def torch_source(problem: Problem, seed: int, samples: int) -> Source:
    """Draws by the conditionals themselves, where the parameters are."""

    def draw(some: slice, before: int, draws: int) -> Draws:
        number = (problem.first + some.start) * samples + before
        key = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        known = {name: value[some].repeat_interleave(draws, 0) for name, value in problem.known.items()}
        device, count = problem.device, draws * (some.stop - some.start)
        with seeded(key, device):
            columns = _ancestral(problem, known, count)
        logs = torch.zeros(count, dtype=torch.float64, device=device)
        for term in problem.weighing:
            logs = logs + term.log_prob(*(columns[v.name] for v in term.scope))
        for name, vectors in problem.likelihoods.items():
            logs = logs + vectors[some].repeat_interleave(draws, 0).log().gather(1, columns[name][:, None]).squeeze(1)
        shaped = {name: column.reshape(-1, draws, *column.shape[1:]) for name, column in columns.items()}
        return Draws(shaped, logs.reshape(-1, draws))

    return draw


def _ancestral(problem: Problem, known: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """The value of each variable `[count, *event]`, drawn where it is not known."""
    found = dict(known)
    for name, conditional in problem.drawn.items():
        given = [found[parent.name] for parent in conditional.given]
        found[name] = conditional.draw(*given) if given else conditional.draw(shape=(count,))
    return found
