"""Information: entropy, mutual information and the divergence of two models, exactly and in nats.

Each is read off marginals over the scopes of terms, which inference gives all at once; the full joint is never made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .ask import infer
from .domains import Finite
from .errors import GraphError
from .evidence import Given
from .factor import Factor
from .model import Model
from .posterior import Posterior
from .variable import quoted


def entropy(model: Model, targets: Iterable[str] | None = None, *, given: Given | None = None) -> Tensor:
    """The uncertainty left, H = -sum_x p(x | given) log p(x | given).

    Over all variables it is log Z - sum_f E[log f] over the terms f, whatever the size of the model; over some, their
    joint must fit in memory.

    Args:
        model: any finite model.
        targets: names of the variables whose joint entropy is wanted; all when None.
        given: evidence, as for `infer`; what is observed is certain.

    Returns:
        `[*batch]`, in nats.

    Raises:
        EvidenceError: on evidence that is unknown or has probability 0.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> entropy(BayesianNetwork(Tabular(coin, [], [0.5, 0.5])))
        tensor(0.6931, dtype=torch.float64)

    Reference: Shannon (1948), A mathematical theory of communication.
    """
    names = tuple(dict.fromkeys(model.graph.names if targets is None else targets))
    _check_states(model, names, "entropy")
    if targets is None:
        factors = _detached(model)
        post = infer(model, _scopes(factors), given=given)
        return post.log_evidence - _expected_logs(post, factors)
    post = infer(model, [names] if names else [], given=given)
    table = post[names] if names else torch.ones((*post.batch, 1), dtype=torch.float64)
    return -torch.xlogy(table, table).flatten(len(post.batch)).sum(-1)


def mutual_information(
    model: Model, a: str | Sequence[str], b: str | Sequence[str], *, given: Given | None = None
) -> Tensor:
    """What one group of variables tells about another, I(a; b) = sum p(a, b) log p(a, b) / (p(a) p(b)).

    Args:
        model: any finite model.
        a, b: a name or several; the joint of both groups must fit in memory.
        given: evidence that everything is conditioned on, as for `infer`.

    Returns:
        `[*batch]`, in nats; 0 exactly when the groups are independent given the evidence.

    Raises:
        GraphError: when a group is empty.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable
        >>> one, two = Variable("one"), Variable("two")
        >>> mutual_information(MarkovNetwork(Table([one, two], [[1, 0], [0, 1]])), "one", "two")
        tensor(0.6931, dtype=torch.float64)

    Reference: Cover and Thomas (2006), Elements of Information Theory, section 2.3.
    """
    first, second = ((each,) if isinstance(each, str) else tuple(each) for each in (a, b))
    if not first or not second:
        raise GraphError("mutual_information: a group of variables is empty; name at least one in each.")
    names = tuple(dict.fromkeys((*first, *second)))
    _check_states(model, names, "mutual_information")
    post = infer(model, [names], given=given)
    table, batch = post[names], len(post.batch)
    ratio = table
    for group in (first, second):
        rest = [batch + axis for axis, name in enumerate(names) if name not in group]
        margin = table.sum(rest, keepdim=True) if rest else table
        ratio = ratio / torch.where(margin > 0, margin, 1.0)
    return torch.xlogy(table, torch.where(table > 0, ratio, 1.0)).flatten(batch).sum(-1)


def kl_divergence(p: Model, q: Model, *, given: Given | None = None) -> Tensor:
    """How far q is from p, KL(p, q) = sum_x p(x) log p(x) / q(x), both given the same evidence.

    Args:
        p: the model that the expectation is under.
        q: a model of the same variables; the structures may differ.
        given: evidence for both, as for `infer`.

    Returns:
        `[*batch]`, in nats; inf where q excludes what p allows.

    Raises:
        GraphError: when the variables or their states differ, in whatever order.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> fair, bent = (BayesianNetwork(Tabular(coin, [], [x, 1 - x])) for x in (0.5, 0.25))
        >>> kl_divergence(fair, bent)
        tensor(0.1438, dtype=torch.float64)

    Reference: Kullback and Leibler (1951), On information and sufficiency.
    """
    for model in (p, q):
        _check_states(model, model.graph.names, "kl_divergence")
    _check_same_variables(p, q)
    mine, theirs = _detached(p), _detached(q)
    post = infer(p, _scopes((*mine, *theirs)), given=given)
    other = infer(q, [], given=given)
    own = _expected_logs(post, mine) - post.log_evidence
    return own - (_expected_logs(post, theirs) - other.log_evidence)


def _check_same_variables(p: Model, q: Model) -> None:
    for name in dict.fromkeys((*p.graph.names, *q.graph.names)):
        one, two = p.graph.by_name.get(name), q.graph.by_name.get(name)
        if one is None or two is None:
            raise GraphError(f"kl_divergence: {name!r} is a variable of only one of the two models.")
        if one != two:
            raise GraphError(
                f"kl_divergence: {name!r} has states {quoted(one.states)} in p and {quoted(two.states)} in q."
            )


def _check_states(model: Model, names: Iterable[str], subject: str) -> None:
    """Raise a `GraphError` that names the first variable that is numeric: sums over states do not reach it."""
    for name in model.graph.require(names, subject):
        domain = model.graph.by_name[name].domain
        if not isinstance(domain, Finite):
            raise GraphError(f"{subject}: {name!r} is {domain!r}, expected variables with states; name those.")


def _detached(model: Model) -> list[Factor]:
    return [Factor(each.scope, each.values.detach().to("cpu", torch.float64)) for each in model.factors()]


def _scopes(factors: Iterable[Factor]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(factor.names for factor in factors if factor.scope))


def _expected_logs(post: Posterior, factors: Iterable[Factor]) -> Tensor:
    """The sum over factors of E[log f], `[*batch]`; what is impossible counts for nothing, even where f is 0."""
    total = torch.zeros(post.batch, dtype=torch.float64)
    for factor in factors:
        if factor.scope:
            weights = post[factor.names]
            logs = torch.xlogy(weights, factor.values)  # 0 where the weight is 0
            total = total + logs.flatten(len(post.batch)).sum(-1)
        else:
            total = total + factor.values.log()
    return total
