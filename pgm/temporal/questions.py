"""Questions about sequences, answered in time proportional to their length."""

from __future__ import annotations

from types import ModuleType
from typing import Literal

from torch import Tensor

from ..errors import PlanError
from ..moments import Moments
from ..variable import quoted
from . import finite, gaussian
from .beliefs import Beliefs, Paths
from .known import computed
from .particles import ParticleFilter
from .sequences import Given, Lengths, Sequences, read_sequences
from .slices import depended_on, informative
from .template import Template, now

Route = Literal["auto", "sequential", "parallel"]


def log_likelihood(
    template: Template,
    given: Given,
    lengths: Lengths = None,
    route: Route = "auto",
    engine: ParticleFilter | None = None,
) -> Tensor:
    """log p(given) of each sequence, everything hidden summed out; differentiable in all parameters.

    Its gradient in the logarithm of a table is the expected count of each entry. With potentials among the terms it is
    the logarithm of the unnormalised weight.

    Args:
        template: the model of a step.
        given: for each observed variable labels in a list, or state numbers in an integer array or tensor (-1 where
            missing), `[steps]` or `[rows, steps]`; for a numeric one numbers `[steps, *event]` or `[rows, steps,
            *event]` (NaN where missing). Sequences of different lengths are lists of different lengths.
        lengths: of the sequences, `[rows]`, where arrays are padded; what lies beyond is not looked at.
        route: 'sequential' (compiled loops on the CPU, steps one after the other), 'parallel' (prefix products: more
            arithmetic, few dependent steps) or 'auto': parallel on a GPU, sequential elsewhere (on the CPU the
            parallel one took 4 to 470 times as long in `benchmarks.temporal`).
        engine: `ParticleFilter()` for templates beyond exact answers; its likelihood is unbiased, not its logarithm.

    Returns:
        `[*batch]`, in nats; -inf where impossible.

    Raises:
        EvidenceError: on an unknown variable or state, or shapes that do not fit.
        PlanError: when there is no exact answer in linear time: finite and numeric variables are both hidden.

    Example:
        >>> from pgm import Tabular, Variable, before
        >>> sky, wet = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
        >>> change = Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [change, Tabular(wet, [sky], [[0.9, 0.1], [0.3, 0.7]])])
        >>> log_likelihood(weather, {"wet": [["no", "yes"], ["yes"]]}).detach()
        tensor([-1.9463, -1.5141], dtype=torch.float64)

    Reference: Rabiner (1989), A tutorial on hidden Markov models; Kalman (1960).
    """
    if engine is not None:
        data = _drawn(template, given, lengths, "log_likelihood")
        estimate = engine.log_likelihood(template, data)
        return estimate if data.batched else estimate[0]
    data = _read(template, given, lengths, "log_likelihood")
    found: Tensor = _way(template, data, "log_likelihood").log_likelihood(template, data, _parallel(route, data))
    return found if data.batched else found[0]


def filtering(
    template: Template,
    given: Given,
    lengths: Lengths = None,
    route: Route = "auto",
    engine: ParticleFilter | None = None,
) -> Beliefs:
    """p(x_t given everything up to t) of each hidden variable at each step, differentiable like `log_likelihood`.

    Nothing is computed for a gradient before one is asked for; that of moments and probabilities is found in the
    parallel form, in memory proportional to the steps. Under `torch.no_grad()` answers carry no graph.

    Args:
        template, given, lengths, route, engine: as for `log_likelihood`.

    Raises:
        EvidenceError: as for `log_likelihood`, and when what is given has probability 0.
        PlanError: as for `log_likelihood`, and with potentials, through which the future bears on the past.

    Example:
        >>> from pgm import LinearGaussian, Gaussian, Real, Variable, before
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> walk = LinearGaussian(x, [before(x)], [1.0], 0.0, 1.0)
        >>> noisy = Template([Gaussian(x, 0.0, 1.0)], [walk, LinearGaussian(y, [x], [1.0], 0.0, 1.0)])
        >>> print(filtering(noisy, {"y": [1.0, 1.0]}))
        t  x
        0  0.5000 ± 0.7071
        1  0.8000 ± 0.7746
        log evidence -2.9426
    """
    _require_directed(template, "filtering")
    if engine is not None:
        data = _drawn(template, given, lengths, "filtering")
        return _unbatched(engine.filtering(template, data), data)
    data = _read(template, given, lengths, "filtering")
    return _unbatched(_way(template, data, "filtering").filtering(template, data, _parallel(route, data)), data)


def smoothing(
    template: Template,
    given: Given,
    lengths: Lengths = None,
    route: Route = "auto",
    engine: ParticleFilter | None = None,
) -> Beliefs:
    """p(x_t given everything) of each hidden variable at each step, differentiable like `filtering`.

    Args:
        template, given, lengths, route, engine: as for `log_likelihood`.

    Raises:
        EvidenceError: as for `log_likelihood`, and when what is given has probability 0.
        PlanError: as for `log_likelihood`.

    Example:
        >>> from pgm import LinearGaussian, Gaussian, Real, Variable, before
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> walk = LinearGaussian(x, [before(x)], [1.0], 0.0, 1.0)
        >>> noisy = Template([Gaussian(x, 0.0, 1.0)], [walk, LinearGaussian(y, [x], [1.0], 0.0, 1.0)])
        >>> smoothing(noisy, {"y": [1.0, 1.0]})["x"].mean.detach()
        tensor([0.6000, 0.8000], dtype=torch.float64)

    Reference: Rauch, Tung and Striebel (1965), Maximum likelihood estimates of linear dynamic systems.
    """
    if engine is not None:
        data = _drawn(template, given, lengths, "smoothing")
        return _unbatched(engine.smoothing(template, data), data)
    data = _read(template, given, lengths, "smoothing")
    return _unbatched(_way(template, data, "smoothing").smoothing(template, data, _parallel(route, data)), data)


def prediction(template: Template, given: Given, steps: int, lengths: Lengths = None, route: Route = "auto") -> Beliefs:
    """p(x_T+k given everything) for the `steps` steps after the last one, of hidden and observed variables alike.

    Differentiable like `filtering`.

    Args:
        template, lengths, route: as for `log_likelihood`.
        given: as for `log_likelihood`, possibly nothing; inputs reach `steps` further than the rest.
        steps: how many, 1 or more.

    Raises:
        EvidenceError, PlanError: as for `filtering`.

    Example:
        >>> from pgm import Tabular, Variable, before
        >>> sky = Variable("sky", ["clear", "grey"])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])])
        >>> prediction(weather, {"sky": ["grey"]}, 2)["sky", "grey"].detach()
        tensor([0.6000, 0.4000], dtype=torch.float64)
    """
    _require_directed(template, "prediction")
    if steps < 1:
        raise PlanError(f"prediction: steps is {steps}, expected 1 or more.")
    data = _read(template, given, lengths, "prediction", steps)
    if data.computed:
        raise PlanError(
            f"prediction: {quoted(sorted(data.computed))} is computed from what is not known yet; draw with simulate."
        )
    return _unbatched(
        _way(template, data, "prediction").prediction(template, data, steps, _parallel(route, data)), data
    )


def viterbi(template: Template, given: Given, lengths: Lengths = None) -> Paths:
    """The most probable path of the hidden variables that are carried from step to step.

    argmax over x_0 ... x_T of p(x_0, ..., x_T, given), all other hidden variables summed out. For a linear-Gaussian
    template these are the smoothed means.

    Args:
        template, given, lengths: as for `log_likelihood`.

    Raises:
        EvidenceError, PlanError: as for `smoothing`.

    Example:
        >>> from pgm import Tabular, Variable, before
        >>> sky, wet = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
        >>> change = Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [change, Tabular(wet, [sky], [[0.9, 0.1], [0.3, 0.7]])])
        >>> viterbi(weather, {"wet": ["no", "yes", "yes"]}).labels("sky")
        ['clear', 'grey', 'grey']

    Reference: Viterbi (1967), Error bounds for convolutional codes.
    """
    data = _read(template, given, lengths, "viterbi")
    found: Paths = _way(template, data, "viterbi").viterbi(template, data)
    if data.batched or found.log_prob is None:
        return found
    return Paths(found.variables, {name: x[0] for name, x in found.values.items()}, found.log_prob[0])


def _read(template: Template, given: Given, lengths: Lengths, subject: str, ahead: int = 0) -> Sequences:
    return computed(template, read_sequences(template, given, lengths, subject, ahead), subject)


def _drawn(template: Template, given: Given, lengths: Lengths, subject: str) -> Sequences:
    """The data for an engine that draws, which computes what is a function of others itself."""
    _require_directed(template, subject)
    return read_sequences(template, given, lengths, subject)


def _way(template: Template, data: Sequences, subject: str) -> ModuleType:
    return finite if hidden_kind(template, data, subject) == "finite" else gaussian


def hidden_kind(template: Template, data: Sequences, subject: str) -> Literal["finite", "numeric"]:
    """Which kind of variables is hidden, of those that say anything about what was observed.

    Raises:
        PlanError: when both are.
    """
    hidden = {v.name for v in template.variables if v.name not in data.values}
    terms = informative(template, data, hidden)
    left = [now(v) for each in terms for t in each for v in t.scope if now(v).name in hidden]
    gaps = [v for v in template.variables if v.name in data.values and not data.full(v)]
    left += [v for v in gaps if depended_on(v.name, (*template.first, *template.later))]
    states, numeric = ([v.name for v in dict.fromkeys(left) if v.finite == wanted] for wanted in (True, False))
    if states and numeric:
        raise PlanError(
            f"{subject}: {quoted(states)} (finite) and {quoted(numeric)} (numeric) are both hidden, so that the number "
            "of Gaussians grows with every step. Use engine=ParticleFilter(), observe one kind in full, or unroll a "
            "few steps and use infer."
        )
    return "numeric" if numeric else "finite"


def _parallel(route: Route, data: Sequences) -> bool:
    """Whether to compute by prefix products: on a GPU, where every dependent step costs a launch."""
    if route not in ("auto", "sequential", "parallel"):
        raise PlanError(f"route is {route!r}, expected 'auto', 'sequential' or 'parallel'.")
    return data.lengths.device.type != "cpu" if route == "auto" else route == "parallel"


def _require_directed(template: Template, subject: str) -> None:
    if not template.directed:
        raise PlanError(
            f"{subject}: the template has potentials, through which later steps bear on earlier ones even unobserved; "
            "use smoothing."
        )


def _unbatched(found: Beliefs, data: Sequences) -> Beliefs:
    """The answer without the row axis when no batch was given."""
    if data.batched:
        return found
    marginals = {
        name: Moments(x.variables, x.flat[0], x.covariance[0]) if isinstance(x, Moments) else x[0]
        for name, x in found.marginals.items()
    }
    notes, errors = ({name: x[0] for name, x in each.items()} for each in (found.diagnostics, found.errors))
    return Beliefs(found.variables, marginals, found.log_evidence[0], notes, errors)
