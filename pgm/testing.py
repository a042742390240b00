"""Oracles for tests: answers by enumeration of all worlds, and random models with every awkward feature.

Everything here is slow on purpose and shares no code with the engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal, TypeVar

import numpy as np
import torch

from .conditionals import Tabular
from .errors import PlanError
from .factor import Factor
from .model import BayesianNetwork, MarkovNetwork, Model
from .potentials import Table
from .terms import Local
from .variable import Variable

Kind = Literal["bayesian", "markov", "chain"]
KINDS: tuple[Kind, ...] = ("bayesian", "markov", "chain")
WORLDS_AT_MOST = 2**22

State = Mapping[str, str]  # a label for each observed variable
Item = TypeVar("Item")
Weights = Mapping[str, Sequence[float] | np.ndarray]  # a vector over states for each variable


def enumerate_joint(model: Model, *, given: State | None = None, likelihood: Weights | None = None) -> Factor:
    """The product of all terms in every world, 0 where the world disagrees with the evidence; not normalised.

    Args:
        model: a finite model of at most 2^22 worlds.
        given: the label of each observed variable.
        likelihood: a vector `[states]` to multiply in for each variable named.

    Returns:
        A factor over all variables of the model, in their order, float64.

    Raises:
        PlanError: when there are more worlds than that.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> enumerate_joint(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), given={"a": "1"}).values
        tensor([[ 0.,  0.],
                [ 1., 10.]], dtype=torch.float64)
    """
    sizes = [variable.size for variable in model.variables]
    if prod(sizes) > WORLDS_AT_MOST:
        raise PlanError(f"enumerate_joint: there are {prod(sizes):,} worlds, expected at most {WORLDS_AT_MOST:,}.")
    names = [variable.name for variable in model.variables]
    table = np.ones(sizes)
    for factor in model.factors():
        table = table * _spread(factor.values.detach().cpu().double().numpy(), factor.names, names)
    for name, label in (given or {}).items():
        table = table * _spread(np.eye(model[name].size)[model[name].number(label)], (name,), names)
    for name, weights in (likelihood or {}).items():
        table = table * _spread(np.asarray(weights, dtype=float), (name,), names)
    return Factor(model.variables, torch.from_numpy(table))


def _spread(values: np.ndarray, scope: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The values with their axes in the order of `names`, axes of length 1 for names not in the scope."""
    axes = [scope.index(name) for name in names if name in scope]
    size = dict(zip(scope, values.shape, strict=True))
    return values.transpose(axes).reshape([size.get(name, 1) for name in names])


def brute_log_z(model: Model, *, given: State | None = None, likelihood: Weights | None = None) -> float:
    """log of the sum over all worlds, in nats: log p(evidence), or log Z without evidence.

    Args:
        model, given, likelihood: as for `enumerate_joint`.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> round(brute_log_z(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), given={"a": "1"}), 6)
        2.397895
    """
    total = float(enumerate_joint(model, given=given, likelihood=likelihood).values.sum())
    return float(np.log(total)) if total > 0 else -np.inf


def brute_posterior(
    model: Model, targets: str | Sequence[str], *, given: State | None = None, likelihood: Weights | None = None
) -> np.ndarray:
    """p(targets | evidence) by enumeration, one axis a target in the order asked; NaN when the evidence is impossible.

    Args:
        model, given, likelihood: as for `enumerate_joint`.
        targets: a name, or names for their joint.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> brute_posterior(MarkovNetwork(Table([a, b], [[30, 5], [1, 9]])), "b", given={"a": "1"}).tolist()
        [0.1, 0.9]
    """
    asked = (targets,) if isinstance(targets, str) else tuple(targets)
    table = _marginal(enumerate_joint(model, given=given, likelihood=likelihood), asked)
    with np.errstate(invalid="ignore"):
        return table / table.sum()


def brute_mpe(
    model: Model,
    targets: Sequence[str] | None = None,
    *,
    given: State | None = None,
    likelihood: Weights | None = None,
    k: int = 1,
) -> list[tuple[dict[str, str], float]]:
    """The k most probable joint states of the targets with the log of each one's weight, best first.

    Args:
        model, given, likelihood: as for `enumerate_joint`.
        targets: names to maximise over, all others summed out; all names when None.
        k: how many; fewer come back when fewer have positive weight.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> [state for state, _ in brute_mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), k=2)]
        [{'a': '0', 'b': '0'}, {'a': '1', 'b': '1'}]
    """
    names = model.graph.names if targets is None else tuple(targets)
    table = _marginal(enumerate_joint(model, given=given, likelihood=likelihood), names)
    best = np.argsort(-table, axis=None, kind="stable")[:k]
    found = []
    for place in best[table.reshape(-1)[best] > 0]:
        numbers = np.unravel_index(place, table.shape)
        labels = {name: model[name].states[int(number)] for name, number in zip(names, numbers, strict=True)}
        found.append((labels, float(np.log(table.reshape(-1)[place]))))
    return found


def _marginal(joint: Factor, names: Sequence[str]) -> np.ndarray:
    """The joint summed over all but `names`, axes in the order of `names`."""
    kept = [name for name in joint.names if name in names]
    table = joint.values.numpy().sum(tuple(axis for axis, name in enumerate(joint.names) if name not in names))
    return table.transpose([kept.index(name) for name in names])


def random_model(generator: np.random.Generator, variables: int = 5, *, kind: Kind = "chain") -> Model:
    """A random model in which at least one world is possible.

    Its tables have zeros; some variables have one state, some no term at all; parts are disconnected; scopes recur, in
    other orders too; Markov networks and chain graphs may have constants (empty scopes), and chain graphs variables
    that are parents without a conditional of their own.

    Args:
        generator: the source of randomness.
        variables: how many variables.
        kind: 'bayesian' (conditionals only), 'markov' (potentials only) or 'chain' (both).

    Example:
        >>> random_model(np.random.default_rng(0), 3, kind="bayesian").graph.kind
        'directed'
    """
    found = [Variable(f"x{i}", int(generator.choice([1, 2, 3, 4], p=[0.1, 0.5, 0.3, 0.1]))) for i in range(variables)]
    world = {v: int(generator.integers(v.size)) for v in found}  # stays possible
    zeros = float(generator.choice([0.0, 0.3, 0.7]))
    if kind == "bayesian":
        return BayesianNetwork(
            *_conditionals(generator, found, world, zeros, 1.0), variables=_shuffled(generator, found)
        )
    potentials = _potentials(generator, found, world, zeros)
    if kind == "markov":
        return MarkovNetwork(*potentials, variables=found)
    terms = [*_conditionals(generator, found, world, zeros, 0.6), *potentials]
    return Model(*_shuffled(generator, terms), variables=_shuffled(generator, found))


def _conditionals(
    generator: np.random.Generator, variables: list[Variable], world: dict[Variable, int], zeros: float, share: float
) -> list[Local]:
    """A conditional for a share of the variables, each with parents among those before it."""
    terms: list[Local] = []
    for place, child in enumerate(variables):
        if generator.random() < share:
            given = _some(generator, variables[:place], 3)
            table = _numbers(generator, [*given, child], world, zeros)
            table[..., int(generator.integers(child.size))] += 1e-3  # no row may be all zero
            terms.append(Tabular(child, given, table / table.sum(-1, keepdims=True)))
    return terms


def _potentials(
    generator: np.random.Generator, variables: list[Variable], world: dict[Variable, int], zeros: float
) -> list[Local]:
    """Tables over random scopes; some scopes recur with their axes in another order, some are empty."""
    terms: list[Local] = []
    scope: list[Variable] = []
    for _ in range(int(generator.integers(len(variables) + 2))):
        scope = _shuffled(generator, scope) if generator.random() < 0.2 else _some(generator, variables, 3)
        terms.append(Table(scope, _numbers(generator, scope, world, zeros)))
    return terms


def _numbers(
    generator: np.random.Generator, scope: Sequence[Variable], world: dict[Variable, int], zeros: float
) -> np.ndarray:
    """Positive numbers over three orders of magnitude, a share of zeros among them but not at `world`."""
    shape = tuple(v.size for v in scope)
    table = np.array(10.0 ** generator.uniform(-2, 1, shape))
    kept = np.array(generator.random(shape) >= zeros)
    kept[tuple(world[v] for v in scope)] = True
    return table * kept


def _some(generator: np.random.Generator, variables: Sequence[Variable], most: int) -> list[Variable]:
    count = int(generator.integers(min(most, len(variables)) + 1))
    return [variables[int(i)] for i in generator.permutation(len(variables))[:count]]


def _shuffled(generator: np.random.Generator, items: list[Item]) -> list[Item]:
    return [items[int(i)] for i in generator.permutation(len(items))]


def random_evidence(generator: np.random.Generator, model: Model) -> tuple[dict[str, str], dict[str, list[float]]]:
    """States of a few variables and likelihoods of a few others that are possible together.

    Args:
        generator: the source of randomness.
        model: as for `enumerate_joint`.

    Returns:
        `given` (labels by name) and `likelihood` (vectors by name, with zeros), either of which may be empty.

    Example:
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> random_evidence(np.random.default_rng(1), BayesianNetwork(Tabular(coin, [], [0.0, 1.0])))
        ({'coin': 'tails'}, {})
    """
    joint = enumerate_joint(model).values.numpy()
    place = generator.choice(joint.size, p=joint.reshape(-1) / joint.sum())
    world = np.unravel_index(place, joint.shape)
    hard_share, soft_share = generator.choice([0.0, 0.3, 0.8]), generator.choice([0.0, 0.3])
    given, likelihood = {}, {}
    for variable, state in zip(model.variables, world, strict=True):
        if generator.random() < hard_share:
            given[variable.name] = variable.states[int(state)]
        elif generator.random() < soft_share:
            weights = generator.random(variable.size) * (generator.random(variable.size) < 0.8)
            weights[int(state)] = 0.5
            likelihood[variable.name] = weights.tolist()
    return given, likelihood


def random_case(seed: int, kind: Kind = "chain", most: int = 6) -> tuple[Model, dict[str, str], dict[str, list[float]]]:
    """A random model of at most `most` variables with evidence that is possible in it: model, given, likelihood.

    Example:
        >>> model, given, likelihood = random_case(0, "markov")
        >>> brute_log_z(model, given=given, likelihood=likelihood) > -np.inf
        True
    """
    generator = np.random.default_rng(seed)
    model = random_model(generator, int(generator.integers(1, most + 1)), kind=kind)
    return model, *random_evidence(generator, model)


def random_targets(seed: int, model: Model, count: int = 3) -> list[tuple[str, ...]]:
    """Joint targets of one to three variables each, that may overlap.

    Example:
        >>> random_targets(0, random_case(0)[0], 2)
        [('x5',), ('x0', 'x3')]
    """
    generator, names = np.random.default_rng(seed), model.graph.names
    return [
        tuple(names[int(i)] for i in generator.permutation(len(names))[: int(generator.integers(1, 4))])
        for _ in range(count)
    ]
