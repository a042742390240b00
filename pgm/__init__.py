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
    from .conditionals import Tabular as Tabular
    from .engines.exact import Exact as Exact
    from .model import BayesianNetwork as BayesianNetwork
    from .model import MarkovNetwork as MarkovNetwork
    from .model import Model as Model
    from .potentials import Table as Table
    from .variable import Variable as Variable

_HOME = {
    "ask": ("infer", "log_evidence", "mpe", "plan_for", "sample"),
    "conditionals": ("Conditional", "Tabular"),
    "engines.exact": ("Exact",),
    "errors": ("EvidenceError", "FileError", "GraphError", "PlanError", "ShapeError"),
    "factor": ("Factor",),
    "graph": ("Graph",),
    "model": ("BayesianNetwork", "MarkovNetwork", "Model"),
    "potentials": ("Potential", "Table"),
    "posterior": ("Explanation", "Posterior", "Samples"),
    "variable": ("Finite", "Variable"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'pgm' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
