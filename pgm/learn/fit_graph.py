"""From a learned graph to a model: the usual conditional for each variable, fitted to the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..conditionals import Conditional, Tabular
from ..gaussians import LinearGaussian
from ..graph import Structured
from ..model import BayesianNetwork
from ..variable import Variable
from .columns import Columns, Data
from .fit import fit
from .priors import Priors


def fit_graph(graph: Structured, data: Data, *, prior: Priors = None) -> BayesianNetwork:
    """A directed graph with parameters from complete rows: tables of labels, linear regressions of fractions.

    Args:
        graph: the structure, such as `hill_climb(data).graph` or `pc(data).extension()`.
        data: see `Columns.of`; the states are those of the graph's variables.
        prior: as for `fit`; `Dirichlet(equivalent_rows=1)` keeps states possible that no row shows.

    Raises:
        GraphError: when a variable of the graph is no column.

    Example:
        >>> from pgm import hill_climb, infer
        >>> rows = {"rain": ["no", "yes"] * 8, "wet": ["no", "yes"] * 8}
        >>> model = fit_graph(hill_climb(rows).graph, rows)
        >>> infer(model, ["rain"], given={"wet": "yes"})["rain", "yes"].item()
        1.0

    Reference: Koller and Friedman (2009), Probabilistic Graphical Models, section 17.2.
    """
    columns = Columns.of(data, () if isinstance(data, Columns) else graph.graph.variables)
    known, parents = graph.graph.by_name, graph.graph.parents
    blank = BayesianNetwork(*(_blank(known[name], [known[each] for each in parents[name]]) for name in parents))
    places = columns.places(parents, "fit_graph")
    rows = columns.values[places].astype("int64" if columns.finite else "float64")
    fitted = fit(blank, dict(zip(parents, rows, strict=True)), prior=prior).model
    return BayesianNetwork(*fitted.conditionals.values(), variables=graph.graph.variables)


def _blank(child: Variable, given: Sequence[Variable]) -> Conditional:
    """A conditional whose parameters say nothing yet."""
    if not child.finite:
        return LinearGaussian(child, given, torch.zeros(len(given), dtype=torch.float64), 0.0, 1.0)
    return Tabular(child, given, torch.full([v.size for v in (*given, child)], 1 / child.size, dtype=torch.float64))
