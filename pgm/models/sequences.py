"""Sequences that hidden states explain: hidden Markov models and linear dynamical systems."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..conditionals import Conditional, Tabular
from ..domains import Finite
from ..gaussians import Gaussian, LinearGaussian
from ..learn.fit import fit
from ..model import BayesianNetwork
from ..temporal.template import Template, before
from ..terms import Numbers
from ..variable import Variable
from .emissions import Form, emission, identity, uniform
from .factors import factor_analysis
from .mixture import complete
from .starts import clusters


def hidden_markov_model(
    state: Variable,
    x: Variable,
    rows: Numbers | None = None,
    *,
    covariance: Form = "diagonal",
    tied: bool = False,
    seed: int = 0,
) -> Template:
    """A hidden Markov chain that is seen through emissions, p(s_0) prod_t p(s_t | s_t-1) p(x_t | s_t), to be fitted.

    The domain of x says what is emitted: `Finite` labels, `Real` Gaussians, `Binary` or `Count` vectors.

    Args:
        state: the hidden state.
        x: what is seen at each step.
        rows: for numeric x what was seen, `[rows, *event]`, all sequences end to end: each state's emission starts as
            one cluster of k-means. Without rows, and for labels, tables start at random.
        covariance: of a `Real` x: 'diagonal', 'spherical' or 'full'.
        tied: whether all states share one covariance.
        seed: of the start.

    Example:
        >>> from pgm import Variable
        >>> hidden_markov_model(Variable("weather", 2), Variable("walk", ["yes", "no"]))
        Template(2 variables a step: weather, walk; carries weather)

    Reference: Rabiner (1989), A tutorial on hidden Markov models and selected applications in speech recognition.
    """
    generator = Generator().manual_seed(seed)
    seen = emission(x, [state], covariance, tied)
    if isinstance(x.domain, Finite):
        seen = Tabular(x, [state], _random_rows((state.size, x.size), generator))
    elif rows is not None:
        seen = _clustered(seen, complete(x, rows, "hidden_markov_model"), generator)
    change = Tabular(state, [before(state)], _random_rows((state.size, state.size), generator))
    return Template([uniform(state)], [change, seen])


def linear_dynamical_system(z: Variable, x: Variable, rows: Numbers) -> Template:
    """Hidden numbers that move linearly, z_t = z_t-1 A + noise, and are seen linearly, x_t = z_t C + offset + noise.

    Args:
        z: a `Real(k)` variable, the hidden state.
        x: a `Real(d)` variable with d >= k, what is seen at each step.
        rows: what was seen, `[rows, d]`, all sequences end to end, none missing: C starts as the loadings of factor
            analysis, and A as slow change of numbers of unit variance.

    Example:
        >>> import torch
        >>> from pgm import Real, Variable
        >>> linear_dynamical_system(Variable("z", Real(1)), Variable("x", Real(2)), torch.randn(20, 2))
        Template(2 variables a step: z, x; carries z)

    Reference: Ghahramani and Hinton (1996), Parameter estimation for linear dynamical systems.
    """
    seen = factor_analysis(z, x, rows).conditionals[x.name]
    unit, still = identity(z, "full"), torch.zeros(z.shape, dtype=torch.float64)
    change = LinearGaussian(z, [before(z)], SLOW * unit, still, (1 - SLOW**2) * unit)
    return Template([Gaussian(z, still, unit)], [change, seen])


SLOW = 0.9  # correlation of successive hidden numbers where EM starts


def _clustered(seen: Conditional, rows: Tensor, generator: Generator) -> Conditional:
    """The emission with each state as one cluster of the rows."""
    (state,), x = seen.given, seen.child
    chosen = clusters(rows, state.size, generator)
    return fit(BayesianNetwork(uniform(state), seen), {state.name: chosen, x.name: rows}).model.conditionals[x.name]


def _random_rows(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Rows drawn evenly from all that sum to 1."""
    weights = -torch.rand(shape, generator=generator, dtype=torch.float64).log()
    return weights / weights.sum(-1, keepdim=True)
