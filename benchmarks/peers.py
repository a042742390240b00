"""The peers, each as a function that answers one row: all posteriors as numbers by name, and log evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pgm.model import Model

Row = Mapping[str, str]
Ask = Callable[[Row], dict[str, np.ndarray]]


def pyagrum_network(model: Model):  # type: ignore[no-untyped-def]
    """The model in pyAgrum, from float64 arrays (its BIF reader keeps float32 only)."""
    import pyagrum as gum

    network = gum.BayesNet()
    for variable in model.variables:
        network.add(gum.LabelizedVariable(variable.name, "", list(variable.states)))
    for child, conditional in model.conditionals.items():
        for parent in conditional.given:
            network.addArc(parent.name, child)
    for child, conditional in model.conditionals.items():
        cpt, mine = network.cpt(child), [v.name for v in conditional.scope]
        order = list(reversed(cpt.names))  # its arrays have the first variable last
        table = conditional.factor().values.detach().numpy()
        cpt[:] = np.ascontiguousarray(table.transpose([mine.index(name) for name in order]))
    return network


def pyagrum_cold(model: Model) -> Ask:
    """A fresh LazyPropagation for each row: what a first question costs, the network being there."""
    import pyagrum as gum

    network = pyagrum_network(model)

    def ask(row: Row) -> dict[str, np.ndarray]:
        return _pyagrum_answer(gum.LazyPropagation(network), network, row)

    return ask


def pyagrum_warm(model: Model) -> Ask:
    """One LazyPropagation kept for all rows, as its users do."""
    import pyagrum as gum

    network = pyagrum_network(model)
    engine = gum.LazyPropagation(network)

    def ask(row: Row) -> dict[str, np.ndarray]:
        return _pyagrum_answer(engine, network, row)

    return ask


def _pyagrum_answer(engine, network, row: Row) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    engine.setEvidence(dict(row))
    engine.makeInference()
    return {name: engine.posterior(name) for name in network.names()}


def pgmpy_warm(model: Model) -> Ask:
    """pgmpy's VariableElimination, one query a variable."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.inference import VariableElimination
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork()
    network.add_nodes_from(model.graph.names)
    for child, conditional in model.conditionals.items():
        network.add_edges_from((parent.name, child) for parent in conditional.given)
        table = conditional.factor().values.detach().numpy()
        network.add_cpds(
            TabularCPD(
                child,
                conditional.child.size,
                table.reshape(-1, conditional.child.size).T,
                [v.name for v in conditional.given],
                [v.size for v in conditional.given],
                {v.name: list(v.states) for v in conditional.scope},
            )
        )
    engine = VariableElimination(network)

    def ask(row: Row) -> dict[str, np.ndarray]:
        hidden = [name for name in model.graph.names if name not in row]
        return {name: engine.query([name], dict(row), show_progress=False).values for name in hidden}

    return ask


PEERS = {"pyagrum": (pyagrum_cold, pyagrum_warm), "pgmpy": (pgmpy_warm, pgmpy_warm)}
