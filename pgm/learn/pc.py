"""The PC algorithm: from tests of independence to a class of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from ..errors import GraphError
from ..variable import Variable
from .columns import Columns, Data
from .cpdag import CPDAG, Pair, completed
from .independence import Independence, chi_squared

Separator = Callable[[str, str, tuple[str, ...]], bool]


def pc(
    data: Data,
    alpha: float = 0.01,
    test: Callable[[Data], Independence] = chi_squared,
    *,
    max_condition: int | None = None,
    forbidden: Iterable[Pair] = (),
    required: Iterable[Pair] = (),
    progress: Callable[[int, int], object] | None = None,
) -> CPDAG:
    """The class of graphs that explains which variables are independent given which.

    Two variables are linked when no set of neighbours makes them independent (p-value above `alpha`); of two that are
    not linked, a common neighbour that is not in the set which separated them is a collider, and Meek's rules direct
    what then follows. Who is linked does not depend on the order of the columns.

    Args:
        data: see `Columns.of`.
        alpha: how small a p-value must be to count as dependence, between 0 and 1.
        test: a function from data to a test, such as `chi_squared`, `g_squared` or `partial_correlation`.
        max_condition: how many variables are conditioned on at most.
        forbidden: arrows (parent, child) that must not be there; both ways round forbid the link.
        required: arrows (parent, child) that must be.
        progress: called before each round with the number of variables conditioned on and of pairs left.

    Raises:
        GraphError: on an unknown name, or an alpha that is not between 0 and 1.

    Example:
        >>> rows = {"a": [0, 0, 1, 1] * 25, "b": [0, 1, 0, 1] * 25, "c": [0, 1, 1, 1] * 25}
        >>> pc(rows)
        CPDAG(3 variables: a -> c, b -> c)

    Reference: Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search, section 5.4.2; Colombo and
    Maathuis (2014) for the rounds; Meek (1995).
    """
    if not 0 < alpha < 1:
        raise GraphError(f"pc: alpha is {alpha!r}, expected a number between 0 and 1, such as 0.01.")
    columns = Columns.of(data)
    p_value = test(columns)
    return explain(
        columns.variables,
        lambda a, b, given: p_value(a, b, given) > alpha,
        max_condition=max_condition,
        forbidden=_known(columns, forbidden, "forbidden"),
        required=_known(columns, required, "required"),
        progress=progress,
    )


def explain(
    variables: Sequence[Variable],
    independent: Separator,
    *,
    max_condition: int | None = None,
    forbidden: Iterable[Pair] = (),
    required: Iterable[Pair] = (),
    progress: Callable[[int, int], object] | None = None,
) -> CPDAG:
    """The class of graphs that explains a list of independences, whatever their source; see `pc`.

    Args:
        variables: all variables.
        independent: from two names and a tuple of names given to whether the two are independent given those.
        max_condition, forbidden, required, progress: as for `pc`.

    Example:
        >>> from pgm import d_separated, from_networkx
        >>> import networkx
        >>> graph = from_networkx(networkx.DiGraph([("a", "c"), ("b", "c"), ("c", "d")]))
        >>> explain(graph.variables, lambda a, b, given: bool(d_separated(graph, a, b, given)))
        CPDAG(4 variables: a -> c, c -> d, b -> c)
    """
    kept, banned = set(required), set(forbidden)
    fixed = {frozenset(pair) for pair in kept}
    names = [variable.name for variable in variables]
    never = {pair for pair in banned if pair[::-1] in banned}
    near = {name: [other for other in names if other != name and (name, other) not in never] for name in names}
    apart = _skeleton(near, independent, fixed, len(names) if max_condition is None else max_condition, progress)
    linked = [(a, b) for a, b in combinations(names, 2) if b in near[a]]
    known = kept | {(b, a) for a, b in banned if b in near[a] and (a, b) not in kept}
    heads = _colliders(near, apart)
    heads = {(a, b) for a, b in heads if (b, a) not in heads | known and (a, b) not in banned}
    return completed(variables, linked, known | heads)


def _skeleton(
    near: dict[str, list[str]],
    independent: Separator,
    fixed: set[frozenset[str]],
    most: int,
    progress: Callable[[int, int], object] | None,
) -> dict[frozenset[str], tuple[str, ...]]:
    """Take out of `near` who is separated by some of their neighbours; returns what separated each such pair.

    Neighbours are those of the beginning of the round, so that the order of the tests makes no difference.
    """
    apart: dict[frozenset[str], tuple[str, ...]] = {}
    for size in range(most + 1):
        before = {name: tuple(others) for name, others in near.items()}
        pairs = [(a, b) for a in near for b in before[a] if len(before[a]) > size and frozenset((a, b)) not in fixed]
        if not pairs:
            break
        if progress is not None:
            progress(size, len(pairs))
        for a, b in pairs:
            pair = frozenset((a, b))
            if pair in apart:
                continue
            for given in combinations([other for other in before[a] if other != b], size):
                if independent(a, b, given):
                    apart[pair] = given
                    near[a].remove(b)
                    near[b].remove(a)
                    break
    return apart


def _colliders(near: dict[str, list[str]], apart: dict[frozenset[str], tuple[str, ...]]) -> set[Pair]:
    """Arrows into each common neighbour of two that are not linked which did not separate them."""
    return {
        (parent, child)
        for child, around in near.items()
        for one, other in combinations(around, 2)
        if other not in near[one] and child not in apart.get(frozenset((one, other)), (child,))
        for parent in (one, other)
    }


def _known(columns: Columns, pairs: Iterable[Pair], subject: str) -> list[Pair]:
    pairs = list(pairs)
    columns.pairs(pairs, f"pc: {subject}")  # raises on what is no arrow
    return pairs
