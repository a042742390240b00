"""Probabilistic graphical models: define or load one, ask it anything, see it.

Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ask import infer as infer
    from .ask import log_evidence as log_evidence
    from .ask import mpe as mpe
    from .ask import plan_for as plan_for
    from .ask import sample as sample
    from .causes import NoisyAnd as NoisyAnd
    from .causes import NoisyMax as NoisyMax
    from .causes import NoisyOr as NoisyOr
    from .chordal import JunctionTree as JunctionTree
    from .chordal import Treewidth as Treewidth
    from .chordal import junction_tree as junction_tree
    from .chordal import treewidth as treewidth
    from .chordal import triangulate as triangulate
    from .conditionals import Conditional as Conditional
    from .conditionals import Deterministic as Deterministic
    from .conditionals import Logistic as Logistic
    from .conditionals import Tabular as Tabular
    from .engines.exact import Exact as Exact
    from .errors import EvidenceError as EvidenceError
    from .errors import FileError as FileError
    from .errors import GraphError as GraphError
    from .errors import PlanError as PlanError
    from .errors import ShapeError as ShapeError
    from .factor import Factor as Factor
    from .graph import Graph as Graph
    from .graph import Term as Term
    from .information import entropy as entropy
    from .information import kl_divergence as kl_divergence
    from .information import mutual_information as mutual_information
    from .io import load as load
    from .io import save as save
    from .model import BayesianNetwork as BayesianNetwork
    from .model import MarkovNetwork as MarkovNetwork
    from .model import Model as Model
    from .pictures import Picture as Picture
    from .pictures import plot as plot
    from .plan import Plan as Plan
    from .plan import Query as Query
    from .posterior import Explanation as Explanation
    from .posterior import Posterior as Posterior
    from .posterior import Samples as Samples
    from .potentials import LogLinear as LogLinear
    from .potentials import Pairwise as Pairwise
    from .potentials import Potential as Potential
    from .potentials import Table as Table
    from .potentials import agree as agree
    from .potentials import product as product
    from .potentials import spin as spin
    from .structure import Separation as Separation
    from .structure import ancestral as ancestral
    from .structure import d_separated as d_separated
    from .structure import markov_blanket as markov_blanket
    from .structure import moral as moral
    from .variable import Finite as Finite
    from .variable import Variable as Variable
    from .views import from_networkx as from_networkx
    from .views import to_networkx as to_networkx

_HOME = {
    "ask": "infer log_evidence mpe plan_for sample",
    "causes": "NoisyAnd NoisyMax NoisyOr",
    "chordal": "JunctionTree Treewidth junction_tree treewidth triangulate",
    "conditionals": "Conditional Deterministic Logistic Tabular",
    "engines.exact": "Exact",
    "errors": "EvidenceError FileError GraphError PlanError ShapeError",
    "factor": "Factor",
    "graph": "Graph Term",
    "information": "entropy kl_divergence mutual_information",
    "io": "load save",
    "model": "BayesianNetwork MarkovNetwork Model",
    "pictures": "Picture plot",
    "plan": "Plan Query",
    "posterior": "Explanation Posterior Samples",
    "potentials": "LogLinear Pairwise Potential Table agree product spin",
    "structure": "Separation ancestral d_separated markov_blanket moral",
    "variable": "Finite Variable",
    "views": "from_networkx to_networkx",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'pgm' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_MODULE[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
