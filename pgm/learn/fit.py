"""Learning parameters: a model and data in, a model whose parameters fit the data best out."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from ..errors import EvidenceError, GraphError, PlanError, ShapeError
from ..evidence import Evidence, read_evidence
from ..model import Model
from ..terms import Numbers, read_array
from .closed_form import log_prior, maximise
from .count import Beliefs, part_of
from .em import Climb, Found, Limits, Problem, Progress, expectation_maximisation
from .expect import Expectation, unseen
from .fitted import Fitted
from .hidden import expectations
from .priors import Priors, require_fitting
from .statistics import Statistics, kept, learnable

Data = Any  # what `infer` takes as `given`: a mapping from names to columns, a DataFrame, or Samples


def fit(
    model: Model,
    data: Data,
    *,
    prior: Priors = None,
    weights: Numbers | None = None,
    restarts: int = 1,
    iterations: int = 500,
    tolerance: float = 1e-8,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """The parameters that make data most probable: argmax sum_n w_n log p(row n) + log p(parameters).

    Tables become relative counts and linear regressions weighted least squares (of columns that depend on each other
    the solution of least norm, columns brought to one scale). Where cells or whole variables are missing this is one
    step of expectation maximisation (EM), with exact posteriors; it is repeated until the sum grows by less than
    `tolerance` times itself. Rows of a table and regressions that no data speak of stay as they are; so does every
    conditional without a closed form (see `Fitted.kept`), and every one with a parameter that requires no gradient.
    Conditionals that share their parameters are fitted to all of their data. Ctrl-C ends early and keeps the best.

    The first start is the model as given, unless two states (or two numbers) of a variable that is never seen have the
    same effect on everything: these would stay the same for ever. Then, as in each further start, the states of such
    variables are taken together for one step, tables that mention them are mixed half and half with rows drawn
    uniformly, and biases and weights of regressions that do are each moved by a draw of the noise.

    Args:
        model: conditionals only; its graph says what depends on what, its parameters are the start.
        data: for each variable a list of labels or integers (-1 is missing), or numbers (NaN is missing), one a row;
            a DataFrame of those; or `Samples`. A variable that is left out is hidden.
        prior: a `Dirichlet` for all tables, a `NormalInverseWishart` for all regressions, or a mapping from children to
            their priors (in a plate, the children as they are named there).
        weights: how much each row counts, `[rows]`; 1 when None.
        restarts: how many starts; the best result is returned.
        iterations: of each start at most; one is enough when nothing is missing.
        tolerance: see above.
        seed: of the random starts.
        progress: called after each iteration with their number so far and the best value of the sum.

    Raises:
        PlanError: when the model has potentials, or nothing that can be learned this way (see `fit_by_gradient`); or
            without a start or an iteration.
        EvidenceError: on unknown names and labels, no rows, rows that the model says are impossible, or a likelihood
            without bound, as where a Gaussian shrinks to one row during EM.
        GraphError: on a prior for what is not learned, or of the wrong kind.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.5, 0.5]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> found = fit(net, {"rain": ["no", "yes", "no", "yes"], "wet": ["no", "yes", "no", "no"]})
        >>> found
        Fitted(log-likelihood -4.1589, 1 iteration, converged)
        >>> found.model.conditionals["wet"].table.detach()
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]], dtype=torch.float64)

    Reference: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm;
        Lauritzen (1995), The EM algorithm for graphical association models with missing data.
    """
    require_learnable(model)
    if restarts < 1 or iterations < 1:
        raise PlanError(f"fit: restarts is {restarts} and iterations {iterations}, expected 1 or more of both.")
    work, found = in_double_precision(model), deepcopy(model)
    require_fitting(prior, [each.original for each in learnable(work)])
    evidence = read_data(work, data, "fit")
    tasks = expectations(work, evidence, read_weights(weights, evidence.rows))
    if not any(task.holes for task in tasks):
        maximise(work, expected(work, tasks)[0], prior)
        log_likelihood = _log_likelihood(tasks)
        best = Climb((log_likelihood + log_prior(work, prior),), log_likelihood, converged=True)
    else:
        hidden, ties = unseen(work, evidence), learnable(work)

        def expectation() -> tuple[Found, float]:
            counted, likelihood = expected(work, tasks)
            return list(zip(ties, counted.parts, strict=True)), likelihood

        problem = Problem("fit", work, work, hidden, prior, expectation)
        best = expectation_maximisation(problem, restarts, Limits(iterations, tolerance), seed, progress)
    found.load_state_dict(work.state_dict())
    return Fitted(found, best.log_likelihood, best.history, best.converged, kept(found), best.stopped)


@torch.no_grad()
def expected(model: Model, tasks: Sequence[Expectation]) -> tuple[Statistics, float]:
    """The expected statistics of all rows, and their log-likelihood."""
    found, log_likelihood, ties = [], 0.0, learnable(model)
    for task in tasks:
        beliefs, logs = task.run()
        found.append(Statistics(tuple(part_of(tie, beliefs) for tie in ties), float(beliefs.weights.sum())))
        log_likelihood += _total(beliefs, logs)
    return reduce(add, found), log_likelihood


@torch.no_grad()
def _log_likelihood(tasks: Sequence[Expectation]) -> float:
    return sum(_total(*task.run()) for task in tasks)


def _total(beliefs: Beliefs, logs: Tensor) -> float:
    """The log-likelihood of weighted rows; those of no weight may be impossible."""
    return float((beliefs.weights * logs)[beliefs.weights > 0].sum())


def partial_fit(
    model: Model, chunk: Data, so_far: Statistics | None = None, *, prior: Priors = None, weights: Numbers | None = None
) -> tuple[Model, Statistics]:
    """Parameters from complete rows that come in chunks: the model fitted to all of them, and what to hand on.

    Args:
        model: as for `fit`.
        chunk: complete rows.
        so_far: what the last call returned; None at the first.
        prior, weights: as for `fit`.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> model = BayesianNetwork(Tabular(coin, [], [0.5, 0.5]))
        >>> _, heads = partial_fit(model, {"coin": ["heads"]})
        >>> found, both = partial_fit(model, {"coin": ["tails", "tails"]}, heads)
        >>> found.conditionals["coin"].table.detach(), both
        (tensor([0.3333, 0.6667], dtype=torch.float64), Statistics(3 rows, 1 conditionals))
    """
    found = statistics(model, chunk, weights)
    total = found if so_far is None else so_far + found
    return fitted(model, total, prior), total


def statistics(model: Model, data: Data, weights: Numbers | None = None) -> Statistics:
    """The sufficient statistics of complete rows: counts for tables; weight, mean and scatter for regressions.

    Those of several chunks of data, added, are those of all of it. The parameters of the model do not matter.

    Args:
        model, weights: as for `fit`.
        data: as for `fit`, without missing cells.

    Raises:
        EvidenceError: on a missing cell, an unknown name or label, or no rows.

    Example:
        >>> from pgm import BayesianNetwork, Gaussian, Real, Variable
        >>> model = BayesianNetwork(Gaussian(Variable("x", Real()), 0.0, 1.0))
        >>> statistics(model, {"x": [1.0, 3.0]}).parts[0].mean
        tensor([2.], dtype=torch.float64)
    """
    require_learnable(model)
    evidence = read_data(model, data, "statistics")
    tasks = expectations(model, evidence, read_weights(weights, evidence.rows))
    hole = next((name for task in tasks for name in task.holes), None)
    if hole is not None:
        raise EvidenceError(f"statistics: {hole!r} is missing in some row, expected complete rows; use fit.")
    return expected(model, tasks)[0]


def fitted(model: Model, found: Statistics, prior: Priors = None) -> Model:
    """A new model with the parameters that fit given statistics best.

    Args:
        model, prior: as for `fit`.
        found: from `statistics`.

    Raises:
        GraphError: when the statistics are not of this model.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> model = BayesianNetwork(Tabular(coin, [], [0.5, 0.5]))
        >>> fitted(model, statistics(model, {"coin": ["heads"] * 4 + ["tails"]})).conditionals["coin"].table.detach()
        tensor([0.8000, 0.2000], dtype=torch.float64)
    """
    parts = len(learnable(model))
    if len(found.parts) != parts:
        raise GraphError(f"fitted: the statistics have {len(found.parts)} parts, expected {parts}, those of {model!r}.")
    work = deepcopy(model)
    require_fitting(prior, [each.original for each in learnable(work)])
    maximise(work, found, prior)
    return work


def require_learnable(model: Model) -> None:
    """Raise a `PlanError` unless relative counts and least squares are the answer."""
    if model.potentials:
        raise PlanError(
            f"fit: {model.potentials[0]!r} is a potential, so that the best parameters have no closed form; use "
            "fit_by_gradient."
        )
    if not learnable(model):
        raise PlanError(
            "fit: no conditional has a closed form and parameters that require a gradient; use fit_by_gradient."
        )


def in_double_precision(model: Model) -> Model:
    """A copy in which rounding of what is learned does not hide whether the likelihood grows."""
    work = deepcopy(model)
    for each in learnable(work):
        each.original.double()
    return work


def read_data(model: Model, data: Data, subject: str) -> Evidence:
    """Rows of data, one at least."""
    evidence = read_evidence(model.graph, data, None, subject)
    if not evidence.batched or not evidence.rows:
        single = (evidence.hard or evidence.real) and not evidence.batched
        raise EvidenceError(
            f"{subject}: data hold {'single values' if single else 'no rows'}, expected a column for each variable "
            "that is seen, with one value a row."
        )
    return evidence


def read_weights(weights: Numbers | None, rows: int) -> Tensor:
    """How much each row counts, `[rows]`."""
    if weights is None:
        return torch.ones(rows, dtype=torch.float64)
    found = read_array(weights, [(rows, "rows")], 0, "fit: weights").double().cpu()
    if bool((found < 0).any()):
        row = int((found < 0).nonzero()[0])
        raise ShapeError(f"fit: weights: row {row} has {found[row]:g}, expected 0 or more.")
    return found
