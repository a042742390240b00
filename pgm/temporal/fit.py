"""Learning the parameters of a template from sequences."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from ..errors import PlanError
from ..learn.em import Limits, Progress, expectation_maximisation
from ..learn.priors import Priors
from ..learn.statistics import learnable
from .em import problem_of
from .known import computed
from .sequences import Given, Lengths, read_sequences
from .template import Template


@dataclass(frozen=True, eq=False)
class FittedTemplate:
    """A template whose parameters were learned, and how that went.

    Args:
        template: a new one; the one that was given is as it was.
        log_likelihood: of all sequences together, in nats.
        history: what was maximised (log-likelihood plus log prior) after each iteration from the best start.
        converged: False when the iterations ran out, or learning ended early.
        stopped: why learning ended early; empty when it did not.
    """

    template: Template
    log_likelihood: float
    history: tuple[float, ...]
    converged: bool
    stopped: str = ""

    @property
    def iterations(self) -> int:
        """How many iterations the best start took."""
        return len(self.history)

    def __repr__(self) -> str:
        steps = f"{self.iterations} iteration{'s' * (self.iterations != 1)}"
        end = "converged" if self.converged else self.stopped or "not converged"
        return f"FittedTemplate(log-likelihood {self.log_likelihood:.4f}, {steps}, {end})"


def fit_sequences(
    template: Template,
    given: Given,
    lengths: Lengths = None,
    *,
    prior: Priors = None,
    restarts: int = 1,
    iterations: int = 500,
    tolerance: float = 1e-8,
    seed: int = 0,
    progress: Progress | None = None,
) -> FittedTemplate:
    """The parameters that make sequences most probable, by expectation maximisation.

    Each iteration replaces every table by expected relative counts and every regression by weighted least squares,
    summed over all steps of all sequences, until the sum of log-likelihood and log prior grows by less than `tolerance`
    times itself. Conditionals without a closed form stay as they are; to learn those, follow the gradient of
    `log_likelihood`. EM ends at a stationary point near its start, which are the parameters of the template, or random
    ones as in `fit`: in all starts but the first, and in that one where states of what is never seen are alike.

    Args:
        template: conditionals only.
        given, lengths: the sequences, as for `log_likelihood`.
        prior, restarts, seed, progress: as for `fit`; Ctrl-C ends early and keeps the best.
        iterations: of each start at most.
        tolerance: see above.

    Raises:
        PlanError: when there are potentials, or nothing has a closed form; or without a start or an iteration.
        EvidenceError: when the sequences have probability 0, or their likelihood has no bound.

    Example:
        >>> from pgm import Tabular, Variable, before
        >>> sky = Variable("sky", ["clear", "grey"])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])])
        >>> found = fit_sequences(weather, {"sky": ["clear", "clear", "grey", "clear"]})
        >>> found.template.later[0].table.detach()
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]], dtype=torch.float64)

    Reference: Baum, Petrie, Soules and Weiss (1970); Shumway and Stoffer (1982).
    """
    if not template.directed:
        raise PlanError("fit_sequences: the template has potentials; follow the gradient of log_likelihood instead.")
    if restarts < 1 or iterations < 1:
        raise PlanError(
            f"fit_sequences: restarts is {restarts} and iterations {iterations}, expected 1 or more of both."
        )
    work, found = deepcopy(template).double(), deepcopy(template)  # sums over many steps want double precision
    if not learnable(work.unroll(2)):
        raise PlanError("fit_sequences: no conditional has a closed form; follow the gradient of log_likelihood.")
    data = computed(work, read_sequences(work, given, lengths, "fit_sequences"), "fit_sequences")
    best = expectation_maximisation(
        problem_of(work, data, prior), restarts, Limits(iterations, tolerance), seed, progress
    )
    found.load_state_dict(work.state_dict())
    return FittedTemplate(found, best.log_likelihood, best.history, best.converged, best.stopped)
