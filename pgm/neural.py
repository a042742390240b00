"""Neural conditionals: any distribution whose parameters any module computes, and samplers without a density."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import one_hot

from .columns import vector
from .conditionals import Conditional
from .errors import PlanError, ShapeError
from .quick import LogOdds, LogScaleNormal, Together
from .terms import Capabilities
from .values import placed
from .variable import Variable

Family = Callable[..., Distribution]
ROWS = 7  # rows that a net is tried on; not a usual length of anything else


class Neural(Conditional):
    """p(child | given) = family(net(given)): any module computes the parameters of any distribution.

    The net takes one tensor a parent, in its own precision: numbers `[*batch, *event]` as they are, a finite parent as
    one-hot rows `[*batch, states]`; without parents it takes nothing. What it returns goes to the family: a tensor as
    the only argument, a tuple as several, a dict by name. Axes of the distribution's batch that belong to the child's
    event are taken as independent. At construction the net is called once, on zeros, to learn the capabilities and
    check the shapes.

    Args:
        child: any variable; a net with a single output fits `Real(1)`, not `Real()`.
        given: its parents, in the order of the net's arguments; `Joined(net)` puts them side by side.
        family: a torch or Pyro distribution class, or any function that returns a distribution; None when the net
            itself returns one (a zuko flow does).
        net: a module or function.

    Raises:
        ShapeError: when the distribution does not have the child's event shape for each row of parents.

    Example:
        >>> from pgm import Binary, Real
        >>> z, x = Variable("z", Real(2)), Variable("x", Binary(784))
        >>> decoder = nn.Sequential(nn.Linear(2, 200), nn.ReLU(), nn.Linear(200, 784))
        >>> pixels = Neural(x, [z], bernoulli, decoder)
        >>> pixels.log_prob(torch.zeros(5, 2), torch.zeros(5, 784)).shape
        torch.Size([5])
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], family: Family | None, net: Callable[..., Any]
    ) -> None:
        super().__init__(child, given)
        self.family, self.net = family, net
        with _trial(self):
            made = self.distribution(*_zeros(self))
        _check_shape(self, tuple(made.batch_shape + made.event_shape), len(made.event_shape))
        self.reparameterised = made.has_rsample

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.enumerable, self.reparameterised, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        made = self._made(self.net(*_inputs(self, self.net, given)))
        spare = len(self.child.shape) - len(made.event_shape)
        return Together(made, spare) if spare > 0 else made

    def _made(self, output: Any) -> Distribution:
        if self.family is None:
            made = output
        elif isinstance(output, dict):
            made = self.family(**output)
        else:
            made = self.family(*output) if isinstance(output, tuple) else self.family(output)
        if not isinstance(made, Distribution):
            source = "net" if self.family is None else "family"
            raise ShapeError(
                f"{self.subject}: the {source} returned a {type(made).__name__}, expected a distribution; name a "
                "family such as normal, or let the net return one."
            )
        return made


class Implicit(Conditional):
    """A sampler without a density, child = net(given, noise) with standard Gaussian noise: a generator.

    Args:
        child: any variable.
        given: its parents, in the order of the net's first arguments (which are those of `Neural`).
        net: a module or function; takes one tensor a parent and the noise `[*batch, *noise]`, all of one batch, and
            returns the child.
        noise: the event shape of the noise, or its length.

    Raises:
        ShapeError: when the net does not return one value of the child a row.

    Example:
        >>> from pgm import Real
        >>> x = Variable("x", Real())
        >>> Implicit(x, [], lambda noise: noise.square().sum(-1), noise=3).draw(shape=[10]).shape  # chi-squared
        torch.Size([10])

    Reference: Mohamed and Lakshminarayanan (2016), Learning in implicit generative models.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], net: Callable[..., Tensor], noise: int | Sequence[int]
    ) -> None:
        super().__init__(child, given)
        self.net = net
        self.noise = (noise,) if isinstance(noise, int) else tuple(noise)
        with _trial(self):
            drawn = self.draw(*_zeros(self), shape=() if self.given else (ROWS,))
        _check_shape(self, tuple(drawn.shape), len(self.child.shape), rows=True)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=not self.child.finite, has_log_prob=False)

    @property
    def enumerable(self) -> bool:
        return False

    def distribution(self, *given: Tensor) -> Distribution:
        raise PlanError(
            f"{self.subject}: {self.child.name!r} has no log_prob, it can only be sampled. Observe nothing below it, "
            "or use Neural with a density."
        )

    def draw(self, *given: Tensor, shape: Sequence[int] = ()) -> Tensor:
        events = [parent.shape for parent in self.given]
        batches = [value.shape[: value.dim() - len(event)] for value, event in zip(given, events, strict=True)]
        batch = (*shape, *torch.broadcast_shapes(*batches))
        wide = [value.expand(*batch, *event) for value, event in zip(given, events, strict=True)]
        values = _inputs(self, self.net, wide)
        (like,) = placed(self, values[:1] or [torch.zeros(())])
        noise = torch.randn(*batch, *self.noise, dtype=like.dtype, device=like.device)
        if isinstance(self.net, Joined):
            noise = vector(noise, len(self.noise))
        return self.net(*values, noise)


class Joined(nn.Module):
    """A net of one argument made into one of several: their numbers are put side by side, `[*batch, columns]`.

    `Neural` and `Implicit` flatten each parent for it: one column for a number, several for an array or a state.

    Args:
        net: takes one tensor `[*batch, columns]`.

    Example:
        >>> Joined(nn.Identity())(torch.zeros(5, 2), torch.ones(5, 1)).shape
        torch.Size([5, 3])
    """

    def __init__(self, net: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net = net

    def forward(self, *values: Tensor) -> Any:
        if len(values) == 1:
            return self.net(*values)
        batch = torch.broadcast_shapes(*(value.shape[:-1] for value in values))
        return self.net(torch.cat([value.expand(*batch, value.shape[-1]) for value in values], -1))


def bernoulli(logits: Tensor) -> Distribution:
    """Independent zeros and ones with these log odds: a family for `Neural`."""
    return LogOdds(logits)


def categorical(logits: Tensor) -> Distribution:
    """One state, with unnormalised log probabilities along the last axis: a family for `Neural`."""
    return torch.distributions.Categorical(logits=logits, validate_args=False)


def normal(mean_and_log_std: Tensor) -> Distribution:
    """Independent Gaussians: the first half of the last axis is the means, the second half the log standard deviations.

    A family for `Neural`.

    Example:
        >>> normal(torch.zeros(5, 4)).mean.shape
        torch.Size([5, 2])
    """
    mean, log_std = mean_and_log_std.chunk(2, -1)
    return LogScaleNormal(mean, log_std)


def _inputs(term: Conditional, net: Callable[..., Any], given: Sequence[Tensor]) -> list[Tensor]:
    """What a net sees of the parents: numbers as they are (as columns when joined), states as one-hot rows."""
    values = placed(term, [_features(parent, value) for parent, value in zip(term.given, given, strict=True)])
    if not isinstance(net, Joined):
        return values
    axes = [1 if parent.finite else len(parent.shape) for parent in term.given]
    return [vector(value, event) for value, event in zip(values, axes, strict=True)]


def _features(parent: Variable, value: Tensor) -> Tensor:
    return one_hot(value.long(), parent.size).to(torch.get_default_dtype()) if parent.finite else value


def _zeros(term: Conditional) -> list[Tensor]:
    """Rows of zeros for the parents."""
    kinds = [torch.long if parent.finite else torch.get_default_dtype() for parent in term.given]
    return placed(term, [torch.zeros(ROWS, *p.shape, dtype=k) for p, k in zip(term.given, kinds, strict=True)])


@contextmanager
def _trial(term: Conditional) -> Iterator[None]:
    """Nothing is learned from a call in here: no gradients, no random numbers used up, layers in evaluation mode."""
    training = [module for module in term.modules() if module.training]
    term.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=()):
            yield
    except ShapeError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        names = ", ".join(parent.name for parent in term.given) or "nothing"
        raise ShapeError(f"{term.subject}: net and family do not fit {ROWS} rows of [{names}]: {error}") from None
    finally:
        for module in training:
            module.training = True


def _check_shape(term: Conditional, shape: tuple[int, ...], event: int, rows: bool = False) -> None:
    """Raise a `ShapeError` unless it is one value of the child for each row of the trial."""
    child = term.child
    expected = (*((ROWS,) if term.given or rows else ()), *child.shape)
    if shape != expected or event != len(child.shape):
        raise ShapeError(
            f"{term.subject}: for {ROWS} rows of parents the result has shape {shape}, expected {expected} = "
            f"[rows, *event of {child.name!r}]; look at the last layer and the family (one output fits Real(1))."
        )
