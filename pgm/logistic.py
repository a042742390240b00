"""Finite children of parents of any kind: logistic and softmax regression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from .columns import column_names, columns
from .conditionals import Conditional
from .errors import ShapeError
from .terms import Numbers, parameters, read_numbers, require_finite
from .variable import Variable


class Logistic(Conditional):
    """Logistic regression, p(child = second state | given) = 1 / (1 + exp(-(x(given) @ weights + bias))).

    A parent with two states is one column of x, its state number 0 or 1; any other finite parent is one column a state,
    1 where the parent is in that state; a numeric one is one column a number.

    Args:
        child: a variable with two states.
        given: its parents, in the order of the columns.
        weights: shape `[columns]`, in nats.
        bias: one number, in nats.

    Raises:
        ShapeError: naming each column when a shape does not fit, or when a number is not finite.

    Example:
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> Logistic(wet, [rain], [3.0], -1.0).factor().values.detach()
        tensor([[0.7311, 0.2689],
                [0.1192, 0.8808]], dtype=torch.float64)

    Reference: Neal (1992), Connectionist learning of belief networks.
    """

    def __init__(self, child: Variable, given: Sequence[Variable], weights: Numbers, bias: Numbers) -> None:
        super().__init__(child, given)
        require_finite([child], self.subject)
        if child.size != 2:
            raise ShapeError(f"{self.subject}: {child.name!r} has {child.size} states, expected 2; use Softmax.")
        names = [name for parent in self.given for name in column_names(parent)]
        self.weights, self.bias = parameters(
            read_numbers(weights, [names], f"{self.subject}: weights"), read_numbers(bias, [], f"{self.subject}: bias")
        )

    def distribution(self, *given: Tensor) -> Distribution:
        logit = columns(self.given, given, self.weights.dtype) @ self.weights + self.bias
        return Categorical(logits=torch.stack([torch.zeros_like(logit), logit], -1), validate_args=False)


class Softmax(Conditional):
    """Multinomial logistic regression, p(child | given) = softmax(x(given) @ weights + bias).

    Args:
        child: a variable with states.
        given: its parents, in the order of the columns, which are those of `Logistic`.
        weights: shape `[columns, child]`, in nats.
        bias: shape `[child]`, in nats.

    Raises:
        ShapeError: naming each column when a shape does not fit, or when a number is not finite.

    Example:
        >>> from pgm import Real
        >>> height, sport = Variable("height", Real()), Variable("sport", ["judo", "golf", "basketball"])
        >>> chosen = Softmax(sport, [height], [[-0.2, 0.0, 0.2]], [36.0, 0.0, -36.0])
        >>> chosen.distribution(torch.tensor(190.0)).probs.detach()
        tensor([0.0159, 0.1173, 0.8668], dtype=torch.float64)
    """

    def __init__(self, child: Variable, given: Sequence[Variable], weights: Numbers, bias: Numbers) -> None:
        super().__init__(child, given)
        require_finite([child], self.subject)
        names = [name for parent in self.given for name in column_names(parent)]
        self.weights, self.bias = parameters(
            read_numbers(weights, [names, child.states], f"{self.subject}: weights"),
            read_numbers(bias, [child.states], f"{self.subject}: bias"),
        )

    def distribution(self, *given: Tensor) -> Distribution:
        logits = columns(self.given, given, self.weights.dtype) @ self.weights + self.bias
        return Categorical(logits=logits, validate_args=False)
