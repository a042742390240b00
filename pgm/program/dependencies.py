"""The graph of a Pyro program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

import pyro
import torch
from pyro.infer.inspect import TrackProvenance, is_sample_site
from pyro.ops.provenance import detach_provenance, get_provenance
from pyro.poutine import trace
from torch.distributions import constraints

from ..domains import Binary, Count, Domain, Finite, Real
from ..errors import GraphError
from ..graph import Graph, Term
from ..model import Model
from ..variable import Variable

Site = Mapping[str, Any]


def from_pyro(program: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """The dependencies of a Pyro program as a graph: to draw, or to ask what separates what.

    Each sample site is one variable, a vectorised plate's copies together; observed ones too. Finite supports become
    states, others `Binary`, `Count` or `Real` with the event shape. `pyro.deterministic` sites are left out, and
    `pyro.factor`s become potentials of what they look at.

    Args:
        program: any Pyro program.
        args, kwargs: what it is called with.

    Raises:
        GraphError: when the program has no sample site, or is a model.

    Example:
        >>> import pyro.distributions as dist
        >>> def program():
        ...     z = pyro.sample("z", dist.Normal(0.0, 1.0))
        ...     pyro.sample("x", dist.Normal(z, 1.0), obs=torch.tensor(2.0))
        >>> graph = from_pyro(program)
        >>> graph.parents, graph.variables
        ({'z': (), 'x': ('z',)}, (Variable('z', Real()), Variable('x', Real())))

    Reference: Wingate, Goodman, Stuhlmueller and Siskind (2011), Nonstandard interpretations of probabilistic programs
    for efficient inference.
    """
    if isinstance(program, Model):
        raise GraphError(f"from_pyro: {program!r} is a model, expected a Pyro program; its graph is `model.graph`.")
    sites = _sites(program, *args, **kwargs)
    variables = tuple(Variable(site["name"], _domain(site)) for site in sites if not _is_factor(site))
    if not variables:
        raise GraphError(f"from_pyro: {program!r} has no sample site, expected one or more.")
    return Graph(variables, tuple(_term(site, {v.name for v in variables}) for site in sites))


@torch.no_grad()
def _sites(program: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Site]:
    """The sample sites and factors of one run whose values remember where they come from."""
    with torch.random.fork_rng(), pyro.validation_enabled(False), TrackProvenance():
        nodes = trace(program).get_trace(*args, **kwargs).nodes
    return [site for site in nodes.values() if is_sample_site(site)]


def _is_factor(site: Site) -> bool:
    return bool(site["infer"].get("is_auxiliary")) and detach_provenance(site["value"]).numel() == 0


def _term(site: Site, names: Set[str]) -> Term:
    found: frozenset[str] = get_provenance(site["fn"].log_prob(site["value"]))
    scope = tuple(name for name in sorted(found) if name in names and name != site["name"])
    return Term(scope) if _is_factor(site) else Term((*scope, site["name"]), site["name"])


def _domain(site: Site) -> Domain:
    fn, shape = site["fn"], tuple(site["fn"].event_shape)
    support = _elementary(fn.support)
    if support is constraints.one_hot:
        return Finite(range(shape[-1]))
    if not shape and fn.has_enumerate_support:
        values = detach_provenance(fn.enumerate_support(expand=False))
        return Finite(f"{value:g}" for value in values.reshape(-1).tolist())
    if support is constraints.boolean:
        return Binary(*shape)
    return Count(*shape) if support is constraints.nonnegative_integer else Real(*shape)


def _elementary(support: Any) -> Any:
    """The constraint on one number."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support
