"""Networks of binary layers as networks of single bits, which exact inference can enumerate."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent

from pgm.columns import column_names
from pgm.conditionals import Conditional
from pgm.domains import Binary
from pgm.errors import PlanError
from pgm.logistic import Logistic
from pgm.model import BayesianNetwork, Model
from pgm.variable import Variable

TOLERANCE = 1e-9  # nats, by which log odds in double precision may seem not to be linear


def expanded(model: Model, given: Mapping[str, Tensor] | None = None) -> BayesianNetwork:
    """The same distribution with a variable for each bit, `h1[0]`, `h1[1]`, ...: exact answers for small networks.

    Each layer's log odds are read off at all-zero parents and at each parent bit alone, so that nothing of how the
    model draws is used; they become `Logistic` conditionals in double precision, with parameters of their own.

    Args:
        model: conditionals of `Binary` variables with log odds that are linear in `Binary` parents.
        given: values `[*event]` of the other parents, such as a label, by name.

    Raises:
        PlanError: when a conditional is not like that.

    Example:
        >>> import pgm
        >>> from deepgen.zoo.sigmoid import sigmoid_belief_network
        >>> pair = sigmoid_belief_network(Variable("x", Binary(3)), 2)
        >>> network, seen = expanded(pair.model), bits(pair.model["x"], torch.tensor([[1.0, 0.0, 1.0]]))
        >>> network
        BayesianNetwork(5 variables: h1[0], h1[1], x[0], x[1], x[2]; 5 conditionals)
        >>> pgm.infer(network, ["h1[0]"], given=seen)["h1[0]"].shape
        torch.Size([1, 2])

    Reference: Neal (1992), Connectionist learning of belief networks.
    """
    return BayesianNetwork(*logistic(model, given), name=model.name)


def logistic(model: Model, given: Mapping[str, Tensor] | None = None) -> list[Logistic]:
    """The conditionals of `expanded`, of a model that may have other terms besides."""
    known = {name: value.double() if value.is_floating_point() else value for name, value in (given or {}).items()}
    exact = deepcopy(model).double()
    names = (name for name in exact.graph.topological if name in exact.conditionals and name not in known)
    return [bit for name in names for bit in _expanded(exact.conditionals[name], known)]


def bits(variable: Variable, values: Tensor) -> dict[str, Tensor]:
    """Values of a `Binary` variable `[*batch, *event]` as states of its bits, `[*batch]` by name.

    Example:
        >>> bits(Variable("x", Binary(2)), torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        {'x[0]': tensor([0, 1]), 'x[1]': tensor([1, 1])}
    """
    flat = values.flatten(values.dim() - len(variable.shape)) if variable.shape else values.unsqueeze(-1)
    return dict(zip(column_names(variable), flat.long().unbind(-1), strict=True))


@torch.no_grad()
def _expanded(piece: Conditional, known: Mapping[str, Tensor]) -> list[Logistic]:
    """A conditional of each bit of the child."""
    parents = [parent for parent in piece.given if parent.name not in known]
    if not all(isinstance(variable.domain, Binary) for variable in (*parents, piece.child)):
        raise PlanError(f"expanded: {piece!r} is not of Binary variables alone; name values of others in `given`.")
    names = [name for parent in parents for name in column_names(parent)]
    probes = torch.cat([torch.zeros(1, len(names)), torch.eye(len(names)), torch.ones(1, len(names))]).double()
    found = _log_odds(piece, parents, known, probes)  # [probes, bits]
    bias, weights = found[0], found[1:-1] - found[0]
    if not torch.allclose(bias + weights.sum(0), found[-1], rtol=TOLERANCE, atol=TOLERANCE):
        raise PlanError(f"expanded: the log odds of {piece!r} are not linear in its parents' bits.")
    above = [Variable(name) for name in names]
    children = [Variable(name) for name in column_names(piece.child)]
    return [Logistic(child, above, weights[:, place], bias[place]) for place, child in enumerate(children)]


def _log_odds(piece: Conditional, parents: list[Variable], known: Mapping[str, Tensor], probes: Tensor) -> Tensor:
    """The log odds of the child's bits at rows of parents' bits, `[rows, bits]`."""
    blocks = probes.split([len(column_names(parent)) for parent in parents], -1) if parents else ()
    values = {p.name: block.reshape(-1, *p.shape) for p, block in zip(parents, blocks, strict=True)}
    values |= {name: value.expand(len(probes), *value.shape) for name, value in known.items()}
    made = piece.distribution(*(values[parent.name] for parent in piece.given))
    while isinstance(made, Independent):
        made = made.base_dist
    if not isinstance(made, Bernoulli):
        raise PlanError(f"expanded: {piece!r} is {type(made).__name__}, expected Bernoulli.")
    return made.logits.expand(len(probes), *piece.child.shape).reshape(len(probes), -1)
