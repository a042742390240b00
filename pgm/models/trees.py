"""Trees learned from data, with their tables: alone, and under a class."""

from __future__ import annotations

from ..learn.columns import Columns, Data
from ..learn.fit_graph import fit_graph
from ..learn.priors import Priors
from ..learn.tree import chow_liu
from ..model import BayesianNetwork


def chow_liu_tree(data: Data, root: str | None = None, *, prior: Priors = None) -> BayesianNetwork:
    """The tree of greatest likelihood, with its tables: the closest of all trees to the data's distribution.

    Args:
        data: labels; see `Columns.of`.
        root: name of the variable without a parent; by default the first.
        prior: of the tables; by default they are the frequencies in the data.

    Raises:
        GraphError: when the root is no column, or the data are fractions.

    Example:
        >>> from pgm import infer
        >>> tree = chow_liu_tree({"rain": ["no", "no", "yes", "yes"], "wet": ["no", "no", "no", "yes"]})
        >>> infer(tree, ["rain"], given={"wet": "no"})["rain", "yes"].item()
        0.333...

    Reference: Chow and Liu (1968), Approximating discrete probability distributions with dependence trees.
    """
    columns = Columns.of(data)
    columns.require("chow_liu_tree", finite=True)
    return fit_graph(chow_liu(columns, root).graph, columns, prior=prior)


def tree_augmented_naive_bayes(label: str, data: Data, *, prior: Priors = None) -> BayesianNetwork:
    """A class above the best tree of its features: each feature depends on the class and on one other feature.

    Args:
        label: the name of the column that is the class.
        data: labels of the class and the features; see `Columns.of`.
        prior: of the tables; by default they are the frequencies in the data.

    Raises:
        GraphError: when the label is no column, or the data are fractions.

    Example:
        >>> rows = {"ill": [0, 0, 1, 1, 0, 1], "cough": [0, 1, 0, 1, 1, 0], "fever": [0, 1, 1, 0, 1, 1]}
        >>> tree_augmented_naive_bayes("ill", rows).graph.parents
        {'ill': (), 'cough': ('ill',), 'fever': ('ill', 'cough')}

    Reference: Friedman, Geiger and Goldszmidt (1997), Bayesian network classifiers.
    """
    columns = Columns.of(data)
    columns.require("tree_augmented_naive_bayes", finite=True)
    return fit_graph(chow_liu(columns, given=label).graph, columns, prior=prior)
