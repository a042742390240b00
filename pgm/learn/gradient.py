"""Learning by gradients: any differentiable model, in coordinates in which every step leaves a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ..ask import log_evidence
from ..causes import NoisyAnd, NoisyMax, NoisyOr
from ..conditionals import Tabular
from ..energies import Quadratic
from ..errors import EvidenceError, PlanError, ShapeError
from ..evidence import Evidence
from ..model import Model
from ..potentials import Table
from ..terms import Local, Numbers
from .em import Progress
from .fit import Data, read_data, read_weights
from .fitted import Fitted
from .statistics import tied

Optimiser = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
Map = Callable[[Tensor], Tensor]
LBFGS: Optimiser = partial(
    torch.optim.LBFGS,
    max_iter=1,
    max_eval=25,
    history_size=20,
    tolerance_grad=0.0,
    tolerance_change=0.0,
    line_search_fn="strong_wolfe",
)
WALL = 1e10  # nats
ADAM: Optimiser = partial(torch.optim.Adam, lr=0.01)


def fit_by_gradient(
    model: Model,
    data: Data,
    *,
    steps: int = 500,
    tolerance: float = 1e-5,
    batch: int | None = None,
    weights: Numbers | None = None,
    optimiser: Optimiser | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Parameters that make data more probable, by gradient ascent of the mean over rows of log f(row) - log Z.

    f(row) is the product of all terms, what is missing in the row summed out exactly, and Z its sum over all rows,
    which is 1 without potentials. This works for whatever has a differentiable density: potentials, noisy causes,
    logistic regressions, neural networks. Rows of probabilities are moved as the softmax of free numbers, single
    probabilities as the sigmoid, tables of potentials as the exponential; what is exactly 0 stays 0. Parameters that
    require no gradient stay as they are. Ctrl-C ends early; so does a sum or a gradient that is no finite number:
    `Fitted.stopped` says which, and the model is the last good one.

    Args:
        model: any model whose conditionals have a density; its parameters are the start.
        data: as for `fit`; where cells are missing the model must be one that exact inference can answer.
        steps: at most.
        tolerance: of the gradient of the mean over all rows: below it in every free number, learning has converged.
        batch: how many rows, drawn anew, each step looks at; all when None.
        weights: how much each row counts, `[rows]`; 1 when None.
        optimiser: takes the free tensors and returns an optimiser, such as `partial(torch.optim.SGD, lr=0.1)`; by
            default L-BFGS on all rows and Adam on batches.
        seed: of the batches.
        progress: called after each step with their number so far and the mean.

    Raises:
        PlanError: when nothing requires a gradient, exact inference cannot answer, or `batch` is not 1 or more.
        EvidenceError: on unknown names and labels, no rows, or weights that are all 0.

    Example:
        >>> from pgm import MarkovNetwork, Variable, infer
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> found = fit_by_gradient(MarkovNetwork(Table([coin], [1.0, 1.0])), {"coin": ["tails"] * 3 + ["heads"]})
        >>> round(float(infer(found.model)["coin", "tails"]), 4), found.converged
        (0.75, True)

    Reference: Liu and Nocedal (1989), On the limited memory BFGS method; Kingma and Ba (2015), Adam.
    """
    work = deepcopy(model)
    evidence = read_data(work, data, "fit_by_gradient")
    rows = Rows(work, evidence, read_weights(weights, evidence.rows))
    if not bool(rows.weights.any()):
        raise EvidenceError("fit_by_gradient: weights are all 0, expected some above 0.")
    if batch is not None and batch < 1:
        raise PlanError(f"fit_by_gradient: batch is {batch}, expected 1 row or more.")
    moved = coordinates(work)
    if not moved:
        raise PlanError("fit_by_gradient: no parameter requires a gradient, so there is nothing to learn.")
    make = optimiser or (LBFGS if batch is None else ADAM)
    ascent = Ascent(rows, moved, make([each.free for each in moved]), batch, torch.Generator().manual_seed(seed))
    history, converged, stopped = ascent.run(steps, tolerance, progress)
    with torch.no_grad():
        log_likelihood = float(rows.log_likelihood(np.arange(evidence.rows)))
    kept = tuple(term.subject for term in _originals(work) if not any(p.requires_grad for p in term.parameters()))
    return Fitted(work, log_likelihood, tuple(history), converged, kept, stopped)


@dataclass(frozen=True, eq=False)
class Rows:
    """The data, and how probable the model makes them."""

    model: Model
    evidence: Evidence
    weights: Tensor

    def log_likelihood(self, which: np.ndarray) -> Tensor:
        """The weighted sum of log p over some rows."""
        weights = self.weights[which]
        logs = self._logs({name: values[which] for name, values in self._columns().items()}).cpu()
        total = (weights * logs)[weights > 0].sum()
        return total - weights.sum() * log_evidence(self.model).cpu() if self.model.potentials else total

    def _logs(self, given: dict[str, Tensor]) -> Tensor:
        """log f of rows: at once where all is seen, by exact inference otherwise."""
        if len(given) == len(self.model.variables) and not any(map(_has_holes, given.values())):
            return self.model.log_prob(given)
        return log_evidence(self.model, given=given)

    def _columns(self) -> dict[str, Tensor]:
        names = self.model.graph.names
        hard = {names[v]: torch.tensor(states) for v, states in self.evidence.hard.items()}
        return hard | {names[v]: numbers for v, numbers in self.evidence.real.items()}


def _has_holes(values: Tensor) -> bool:
    return bool((values.isnan() if values.is_floating_point() else values < 0).any())


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A parameter of the model, and the free tensor that it is a function of.

    Args:
        name: of the parameter, for messages.
        parameter: what the model computes with.
        free: what the optimiser moves, without bounds.
        to_parameter: from one to the other.
    """

    name: str
    parameter: nn.Parameter
    free: Tensor
    to_parameter: Map

    @torch.no_grad()
    def write(self) -> None:
        """Put into the model what the free tensor stands for."""
        self.parameter.copy_(self.to_parameter(self.free))

    def pull(self) -> None:
        """Carry the gradient from the model's parameter to the free tensor."""
        gradient = torch.zeros_like(self.parameter) if self.parameter.grad is None else self.parameter.grad
        self.free.grad, self.parameter.grad = None, None
        self.to_parameter(self.free).backward(gradient)


def coordinates(model: Model) -> list[Coordinate]:
    """One for each parameter that requires a gradient, even if several terms hold it."""
    found: dict[nn.Parameter, Coordinate] = {}
    for term in _originals(model):
        for name, parameter in term.named_parameters():
            if parameter.requires_grad and parameter.numel() and parameter not in found:
                to_free, to_parameter = _maps(term, name)
                free = to_free(parameter.detach().clone()).requires_grad_()
                found[parameter] = Coordinate(f"{term.subject}.{name}", parameter, free, to_parameter)
    return list(found.values())


def _originals(model: Model) -> list[Local]:
    return [each.original for each in tied(model) if any(True for _ in each.original.parameters())]


def _maps(term: Local, name: str) -> tuple[Map, Map]:
    """To the free numbers, and back."""
    if isinstance(term, (Tabular, NoisyMax)):
        return torch.log, partial(torch.softmax, dim=-1)
    if isinstance(term, (NoisyOr, NoisyAnd)):
        return torch.logit, torch.sigmoid
    if isinstance(term, Table):
        return torch.log, torch.exp
    if isinstance(term, Quadratic) and name == "precision":
        return _same, _symmetric
    return _same, _same


def _same(tensor: Tensor) -> Tensor:
    return tensor * 1  # a node of its own, so that it has a gradient


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.mT) / 2


@dataclass(frozen=True, eq=False)
class Ascent:
    """An optimiser, and what it moves and looks at."""

    rows: Rows
    moved: Sequence[Coordinate]
    optimiser: torch.optim.Optimizer
    batch: int | None
    generator: torch.Generator

    def run(self, steps: int, tolerance: float, progress: Progress | None) -> tuple[list[float], bool, str]:
        """The mean at each step, whether the gradient vanished, and why it ended early."""
        history: list[float] = []
        good = [each.free.detach().clone() for each in self.moved]
        stopped, converged = "", False
        try:
            while len(history) < steps and not converged:
                which = self._drawn()
                mean = -self._look(which)
                good = [each.free.detach().clone() for each in self.moved]
                history.append(mean)
                converged = self.batch is None and self._steepest() < tolerance
                if not converged:
                    self.optimiser.step(partial(self._within, which))
                if progress is not None:
                    progress(len(history), mean)
            self._look(self._drawn())
        except (KeyboardInterrupt, ArithmeticError, ShapeError) as error:
            stopped = str(error) or "interrupted"
            for each, free in zip(self.moved, good, strict=True):
                each.free.data.copy_(free)
        for each in self.moved:
            each.write()
        return history, converged, stopped

    def _drawn(self) -> np.ndarray:
        """The rows of one step."""
        total = self.rows.evidence.rows
        if self.batch is None:
            return np.arange(total)
        return torch.randint(total, (self.batch,), generator=self.generator).numpy()

    def _look(self, which: np.ndarray) -> float:
        """Minus the mean of some rows, and its gradient in the free tensors.

        Raises:
            ArithmeticError: naming what is no finite number.
        """
        for each in self.moved:
            each.write()
        with torch.enable_grad():
            loss = -self.rows.log_likelihood(which) / (len(which) * self.rows.weights.mean())
        _require_finite(loss, "the mean of log p")
        loss.backward()
        for each in self.moved:
            each.pull()
            assert each.free.grad is not None
            _require_finite(each.free.grad, f"the gradient of {each.name}")
        return float(loss.detach())

    def _within(self, which: np.ndarray) -> float:
        """The same inside a step: a wall where there is no finite number, at which a line search turns round."""
        try:
            return self._look(which)
        except (ArithmeticError, ShapeError):
            for each in self.moved:
                each.free.grad = torch.zeros_like(each.free)
            return WALL

    def _steepest(self) -> float:
        return max(float(each.free.grad.abs().max()) for each in self.moved if each.free.grad is not None)


def _require_finite(tensor: Tensor, what: str) -> None:
    if not bool(tensor.isfinite().all()):
        raise ArithmeticError(f"{what} is no finite number")
