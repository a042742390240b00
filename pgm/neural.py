"""Neural conditionals: any distribution whose parameters any module computes, and samplers without a density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.nn.functional import one_hot

from .conditionals import Conditional
from .errors import PlanError, ShapeError
from .terms import Capabilities
from .variable import Variable

Family = Callable[..., Distribution]


class Neural(Conditional):
    """p(child | given) = family(net(given)): any module computes the parameters of any distribution.

    The net takes one tensor a parent: numbers `[*batch, *event]` as they are, a finite parent as one-hot rows
    `[*batch, states]`. What it returns goes to the family: a tensor as the only argument, a tuple as several, a dict by
    name. Axes of the distribution's batch that belong to the child's event are taken as independent. At construction
    the net is called once, on zeros, to learn the capabilities and check the shapes.

    Args:
        child: any variable.
        given: its parents, in the order of the net's arguments; `Joined(net)` puts them side by side.
        family: a torch or Pyro distribution class, or any function that returns a distribution; None when the net
            itself returns one (a zuko flow does).
        net: a module or function.

    Raises:
        ShapeError: when the distribution does not have the child's event shape.

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
        made = self._probe()
        self.reparameterised = made.has_rsample

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.enumerable, self.reparameterised, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        made = self._made(self.net(*map(_features, self.given, given)))
        spare = len(self.child.shape) - len(made.event_shape)
        return Independent(made, spare, validate_args=False) if spare > 0 else made

    def _made(self, output: Any) -> Distribution:
        if self.family is None:
            return output
        if isinstance(output, dict):
            return self.family(**output)
        return self.family(*output) if isinstance(output, tuple) else self.family(output)

    @torch.no_grad()
    def _probe(self) -> Distribution:
        """The distribution at one row of zeros, with layers in evaluation mode, so that nothing is learned from it."""
        training = self.training
        self.eval()
        given = [_zeros(parent, next(self.parameters(), torch.zeros(()))) for parent in self.given]
        try:
            made = self.distribution(*given)
        except (RuntimeError, ValueError) as error:
            raise ShapeError(f"{self.subject}: net and family do not fit one row of zeros: {error}") from None
        self.train(training)
        shape = tuple(made.batch_shape + made.event_shape)
        if tuple(made.event_shape) != self.child.shape:
            raise ShapeError(
                f"{self.subject}: for one row of parents the distribution has shape {shape}, expected "
                f"{(*([1] * bool(given)), *self.child.shape)} = [rows, *event of {self.child.name!r}]; "
                "look at the last layer of the net and at the family."
            )
        return made


class Implicit(Conditional):
    """A sampler without a density, child = net(given, noise) with standard Gaussian noise: a generator.

    Args:
        child: any variable.
        given: its parents, in the order of the net's first arguments (which are those of `Neural`).
        net: a module or function; takes one tensor a parent and the noise `[*batch, *noise]`, and returns the child.
        noise: the event shape of the noise, or its length.

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
        values = [_features(parent, value) for parent, value in zip(self.given, given, strict=True)]
        batches = [value.shape[: value.dim() - len(p.shape)] for p, value in zip(self.given, given, strict=True)]
        batch = (*shape, *torch.broadcast_shapes(*batches))
        like = next((value for value in values if value.is_floating_point()), torch.zeros(()))
        like = next(self.parameters(), like)
        return self.net(*values, torch.randn(*batch, *self.noise, dtype=like.dtype, device=like.device))


class Joined(nn.Module):
    """A net of one argument made into one of several: their numbers are put side by side, `[*batch, columns]`.

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
        batch = torch.broadcast_shapes(*(value.shape[:-1] for value in values))
        return self.net(torch.cat([value.expand(*batch, value.shape[-1]) for value in values], -1))


def bernoulli(logits: Tensor) -> Distribution:
    """Independent zeros and ones with these log odds: a family for `Neural`."""
    return torch.distributions.Bernoulli(logits=logits, validate_args=False)


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
    return torch.distributions.Normal(mean, log_std.exp(), validate_args=False)


def _features(parent: Variable, value: Tensor) -> Tensor:
    """What a net sees of a parent: numbers as they are, states as one-hot rows."""
    return one_hot(value.long(), parent.size).to(torch.get_default_dtype()) if parent.finite else value


def _zeros(parent: Variable, like: Tensor) -> Tensor:
    if parent.finite:
        return torch.zeros(1, dtype=torch.long, device=like.device)
    return torch.zeros(1, *parent.shape, dtype=like.dtype, device=like.device)
