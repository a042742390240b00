"""Oracles for tests of models with numeric variables: every joint state of the finite ones, and a dense Gaussian each.

Everything here is slow on purpose and shares no code with the engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, pi, prod

import numpy as np

from ..conditionals import Conditional, Tabular
from ..domains import Real
from ..gaussians import ConditionalLinearGaussian, GaussianConditional
from ..model import BayesianNetwork, Model
from ..variable import Variable

Given = Mapping[str, object]  # a label, or an array of the event's shape with NaN where it is not observed


@dataclass(frozen=True, eq=False)
class Brute:
    """Answers by enumeration.

    Args:
        log_evidence: in nats.
        probabilities: of each finite variable's states, by name.
        means, covariances: of each numeric variable's numbers, flattened, by name; 0 variance where observed.
        crosses: the covariances of two numeric variables' numbers, by both names.
        best: the finite states and the numbers of the most probable joint assignment, and its log density.
    """

    log_evidence: float
    probabilities: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    covariances: dict[str, np.ndarray]
    crosses: dict[tuple[str, str], np.ndarray]
    best: tuple[dict[str, int], dict[str, np.ndarray], float]


def brute_answer(model: Model, given: Given | None = None) -> Brute:
    """Everything that exact inference should say about a network of tables and regular Gaussian conditionals.

    Args:
        model: tables between finite variables, and Gaussian conditionals.
        given: evidence, number by number.

    Example:
        >>> from pgm import Gaussian
        >>> x = Variable("x", Real())
        >>> round(brute_answer(BayesianNetwork(Gaussian(x, 0.0, 1.0)), {"x": 0.0}).log_evidence, 4)
        -0.9189
    """
    given = dict(given or {})
    finite, numeric = ([v for v in model.variables if v.finite == kind] for kind in (True, False))
    lows = np.concatenate([[0], np.cumsum([prod(v.shape) for v in numeric], dtype=int)]).astype(int)
    worlds = _worlds(model, given, finite, numeric, lows)
    total = float(np.logaddexp.reduce([world.log_weight for world in worlds]))
    shares = np.exp([world.log_weight - total for world in worlds])
    mean = sum(p * world.mean for p, world in zip(shares, worlds, strict=True))
    second = sum(p * (w.covariance + np.outer(w.mean, w.mean)) for p, w in zip(shares, worlds, strict=True))
    covariance = second - np.outer(mean, mean)
    parts = [(v.name, slice(low, high)) for v, low, high in zip(numeric, lows, lows[1:], strict=False)]
    top = max(worlds, key=lambda world: world.log_weight + world.peak)
    return Brute(
        total,
        {v.name: np.bincount([world.states[v.name] for world in worlds], shares, v.size) for v in finite},
        {name: mean[part] for name, part in parts},
        {name: covariance[part, part] for name, part in parts},
        {(one, two): covariance[left, right] for one, left in parts for two, right in parts},
        (top.states, {name: top.mean[part] for name, part in parts}, top.log_weight + top.peak),
    )


@dataclass(frozen=True, eq=False)
class _World:
    """One joint state of the finite variables: its weight, and what is known of all numbers in it."""

    states: dict[str, int]
    log_weight: float
    mean: np.ndarray
    covariance: np.ndarray
    peak: float


def _worlds(
    model: Model, given: Given, finite: Sequence[Variable], numeric: Sequence[Variable], lows: np.ndarray
) -> list[_World]:
    """The worlds that agree with the evidence."""
    values = np.concatenate([_numbers(v, given) for v in numeric] or [np.zeros(0)])
    found = []
    for numbers in product(*(range(v.size) for v in finite)):
        states = {v.name: number for v, number in zip(finite, numbers, strict=True)}
        if any(v.name in given and v.number(given[v.name]) != states[v.name] for v in finite):
            continue
        tables = [term for term in model.terms if isinstance(term, Tabular)]
        rows = (term.table.detach().numpy()[tuple(states[v.name] for v in term.scope)] for term in tables)
        density, mean, covariance, peak = _conditioned(*_joint(model, states, numeric, lows), values)
        found.append(_World(states, sum(map(_log, rows)) + density, mean, covariance, peak))
    return found


def _log(p: float) -> float:
    return log(p) if p > 0 else -np.inf


def _numbers(variable: Variable, given: Mapping[str, object]) -> np.ndarray:
    return np.broadcast_to(np.asarray(given.get(variable.name, np.nan), dtype=float), variable.shape).reshape(-1)


def _joint(
    model: Model, world: Mapping[str, int], numeric: Sequence[Variable], lows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all numbers in one world: (I - A) x = b + noise."""
    n = int(lows[-1])
    coefficients, offset, noise = np.zeros((n, n)), np.zeros(n), np.zeros((n, n))
    place = {v.name: slice(low, high) for v, low, high in zip(numeric, lows, lows[1:], strict=False)}
    for term in model.terms:
        if isinstance(term, GaussianConditional):
            states = tuple(world[v.name] for v in term.finite)
            made = term.regression()
            own = place[term.child.name]
            root = made.scale.detach().numpy()[states]
            columns = np.concatenate([np.arange(n)[place[v.name]] for v in made.real] or [np.zeros(0, dtype=int)])
            coefficients[own, columns] = made.weights.detach().numpy()[states].T
            offset[own], noise[own, own] = made.bias.detach().numpy()[states], root @ root.T
    solved = np.linalg.inv(np.eye(n) - coefficients)
    return solved @ offset, solved @ noise @ solved.T


def _conditioned(
    mean: np.ndarray, covariance: np.ndarray, values: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """The log density of what is observed, the conditional moments, and the conditional's log density at its mean."""
    seen = ~np.isnan(values)
    s, gap = covariance[np.ix_(seen, seen)], values[seen] - mean[seen]
    gain = np.linalg.solve(s, covariance[seen]).T if seen.any() else np.zeros((len(mean), 0))
    after = covariance - gain @ covariance[seen]
    after[seen], after[:, seen] = 0, 0
    density = -0.5 * (gap @ np.linalg.solve(s, gap) + np.linalg.slogdet(2 * pi * s)[1]) if seen.any() else 0.0
    moved = np.where(seen, values, mean + gain @ gap)
    peak = -0.5 * np.linalg.slogdet(2 * pi * after[np.ix_(~seen, ~seen)])[1]
    return float(density), moved, after, float(peak)


def random_network(generator: np.random.Generator, finite: int = 2, numeric: int = 3) -> BayesianNetwork:
    """A random conditional linear-Gaussian network; some variables are vectors, some numbers are shared by states.

    Args:
        generator: source of randomness.
        finite: how many finite variables.
        numeric: how many numeric ones.
    """
    chosen = [Variable(f"s{i}", int(generator.integers(2, 4))) for i in range(finite)]
    shapes = [((), (2,))[int(generator.random() < 0.4)] for _ in range(numeric)]
    numbers = [Variable(f"x{i}", Real(*shape)) for i, shape in enumerate(shapes)]
    terms: list[Conditional] = []
    for i, variable in enumerate(chosen):
        given = [v for v in chosen[:i] if generator.random() < 0.5]
        sizes = [v.size for v in given]
        terms.append(Tabular(variable, given, generator.dirichlet(np.ones(variable.size), sizes)))
    for i, variable in enumerate(numbers):
        given = [v for v in [*chosen, *numbers[:i]] if generator.random() < 0.5]
        terms.append(_random_gaussian(generator, variable, given))
    return BayesianNetwork(*terms)


def _random_gaussian(generator: np.random.Generator, child: Variable, given: Sequence[Variable]) -> Conditional:
    sizes = [1 if generator.random() < 0.2 else v.size for v in given if v.finite]
    columns = sum(prod(v.shape) for v in given if not v.finite)
    weights = generator.normal(size=(*sizes, columns, *child.shape)) if columns else None
    bias = generator.normal(size=(*sizes, *child.shape))
    root = generator.normal(size=(*sizes, *child.shape, 2)) if child.shape else generator.normal(size=(*sizes, 1, 1))
    covariance = root @ root.swapaxes(-1, -2) + 0.2 * np.eye(root.shape[-2])
    return ConditionalLinearGaussian(child, given, weights, bias, covariance if child.shape else covariance[..., 0, 0])
