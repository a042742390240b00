"""The best tree, exactly; and the mutual information of each pair of columns that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from ..errors import GraphError
from .columns import Columns, Data
from .learned import Learned, directed_graph
from .scores import Score, maximum_log_likelihood

NOTHING = np.array([-1])


def pairwise_information(data: Data, given: str | Iterable[str] = ()) -> Tensor:
    """What each column tells about each other, I(a; b | c) = sum f(a, b, c) log f(a, b | c) / (f(a | c) f(b | c)).

    f are frequencies in the data; for fractions, densities of the normal distribution fitted to them.

    Args:
        data: see `Columns.of`.
        given: names of the columns c that all is conditioned on.

    Returns:
        `[variables, variables]`, in nats, in the order of the columns; the entropies H(a | c) on the diagonal.

    Raises:
        GraphError: on a name that is no column.

    Example:
        >>> pairwise_information({"rain": ["no", "yes"], "wet": ["no", "yes"], "day": ["1", "1"]})
        tensor([[0.6931, 0.6931, 0.0000],
                [0.6931, 0.6931, 0.0000],
                [0.0000, 0.0000, 0.0000]], dtype=torch.float64)

    Reference: Cover and Thomas (2006), Elements of Information Theory, section 2.5.
    """
    columns = Columns.of(data)
    condition = tuple(columns.places(given, "pairwise_information").tolist())
    return torch.from_numpy(_gains(maximum_log_likelihood(columns), condition) / columns.rows)


def chow_liu(
    data: Data,
    root: str | None = None,
    score: Callable[[Data], Score] = maximum_log_likelihood,
    given: str | Iterable[str] = (),
) -> Learned:
    """The best of all trees: the spanning tree of greatest sum of mutual information, arrows away from the root.

    Args:
        data: see `Columns.of`.
        root: name of the variable without a parent; by default the first. It makes no difference to the likelihood.
        score: one that does not depend on which way an arrow points, such as `maximum_log_likelihood`, `bic` or `bdeu`;
            arrows that gain nothing are left out, so that `bic` finds the best forest.
        given: names of columns, such as a class, that are parents of all columns of the tree: the best such tree
            augments a naive Bayes network.

    Raises:
        GraphError: when the root is no column or is given, or every column is given.

    Example:
        >>> rows = {"a": [0, 0, 1, 1, 0, 1], "b": [0, 0, 1, 1, 0, 0], "c": [0, 0, 1, 0, 0, 0]}
        >>> chow_liu(rows, root="b").graph.parents
        {'a': ('b',), 'b': (), 'c': ('b',)}

    Reference: Chow and Liu (1968), Approximating discrete probability distributions with dependence trees; with a class
    given, Friedman, Geiger and Goldszmidt (1997), Bayesian network classifiers.
    """
    columns = Columns.of(data)
    condition = tuple(columns.places(given, "chow_liu: given").tolist())
    inside = [place for place in range(len(columns.names)) if place not in condition]
    if not inside:
        raise GraphError("chow_liu: every column is given; leave one or more for the tree.")
    first = inside[0] if root is None else int(columns.places(root, "chow_liu: root")[0])
    if first in condition:
        raise GraphError(f"chow_liu: root {root!r} is given; the tree is over the other columns.")
    scored = score(columns)
    gains = _gains(scored, condition)
    alone = sum(scored.families(place, (), NOTHING)[0] for place in condition) - float(np.trace(gains))
    np.fill_diagonal(gains, -np.inf)
    tree = _spanning_tree(gains, first)
    trace = alone + np.cumsum([gains[arrow] for arrow in tree])
    above: dict[str, list[str]] = {columns.names[place]: [columns.names[c] for c in condition] for place in inside}
    for parent, child in tree:
        above[columns.names[child]].append(columns.names[parent])
    score_of_tree = float(trace[-1]) if tree else float(alone)
    return Learned(directed_graph(columns.variables, above), score_of_tree, tuple(trace.tolist()))


def _gains(score: Score, given: tuple[int, ...]) -> np.ndarray:
    """What b as one more parent of a gains, `[a, b]`, symmetric; on the diagonal the score of a alone, less than 0."""
    count = len(score.variables)
    found = np.zeros((count, count))
    for a in (place for place in range(count) if place not in given):
        found[a, a] = 0.0 - score.families(a, given, NOTHING)[0]
        others = np.array([b for b in range(a) if b not in given], dtype=np.int64)
        found[a, others] = found[others, a] = score.families(a, given, others) + found[a, a]
    return found


def _spanning_tree(gains: np.ndarray, root: int) -> list[tuple[int, int]]:
    """Prim's tree as pairs of parent and child; where nothing more is gained another tree begins."""
    outside = np.ones(len(gains), dtype=bool)
    best, parent = np.full(len(gains), -np.inf), np.zeros(len(gains), dtype=int)
    found: list[tuple[int, int]] = []
    child = root
    while True:
        outside[child] = False
        nearer = outside & (gains[child] > best)
        best[nearer], parent[nearer] = gains[child, nearer], child
        if not outside.any():
            return found
        child = int(np.where(outside, best, -np.inf).argmax())
        if best[child] > 0:
            found.append((int(parent[child]), child))
        else:
            child = int(outside.argmax())
