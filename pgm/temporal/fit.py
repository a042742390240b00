"""Learning the parameters of a template from sequences."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from ..errors import PlanError
from ..learn.closed_form import log_prior, write
from ..learn.priors import Priors
from ..learn.statistics import learnable
from .expected import finite_statistics, linear_statistics
from .known import computed
from .questions import hidden_kind
from .sequences import Given, Lengths, read_sequences
from .template import Template

ROUNDING = 1e-9  # of the sum, by which it may fall between two iterations


@dataclass(frozen=True, eq=False)
class FittedTemplate:
    """A template whose parameters were learned, and how that went.

    Args:
        template: a new one; the one that was given is as it was.
        log_likelihood: of all sequences together, in nats.
        history: what was maximised (log-likelihood plus log prior) before each iteration, and at the end.
        converged: False when the iterations ran out.
    """

    template: Template
    log_likelihood: float
    history: tuple[float, ...]
    converged: bool

    @property
    def iterations(self) -> int:
        """How many times the parameters were changed."""
        return len(self.history) - 1

    def __repr__(self) -> str:
        end = "converged" if self.converged else "not converged"
        return f"FittedTemplate(log-likelihood {self.log_likelihood:.4f}, {self.iterations} iterations, {end})"


def fit_sequences(
    template: Template,
    given: Given,
    lengths: Lengths = None,
    *,
    prior: Priors = None,
    iterations: int = 500,
    tolerance: float = 1e-8,
) -> FittedTemplate:
    """The parameters that make sequences most probable, by expectation maximisation from those of the template.

    Each iteration replaces every table by expected relative counts and every regression by weighted least squares,
    summed over all steps of all sequences, until the sum of log-likelihood and log prior grows by less than `tolerance`
    times itself. Conditionals without a closed form stay as they are; to learn those, follow the gradient of
    `log_likelihood`. EM ends at a stationary point near its start: states that start alike stay alike.

    Args:
        template: conditionals only; its parameters are the start.
        given, lengths: the sequences, as for `log_likelihood`.
        prior: as for `fit`.
        iterations: at most.
        tolerance: see above.

    Raises:
        PlanError: when there are potentials, or nothing has a closed form.
        EvidenceError: when the sequences have probability 0.

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
    work = deepcopy(template)
    model = work.unroll(2)  # its terms share their parameters with the template
    ties = learnable(model)
    if not ties:
        raise PlanError("fit_sequences: no conditional has a closed form; follow the gradient of log_likelihood.")
    data = computed(work, read_sequences(work, given, lengths, "fit_sequences"), "fit_sequences")
    count = linear_statistics if hidden_kind(work, data, "fit_sequences") == "numeric" else finite_statistics
    keys = {id(tie.original._parameters) for tie in ties}
    wanted = [term for term in (*work.first, *work.later) if id(term._parameters) in keys]
    history: list[float] = []
    while True:
        parts, totals = count(work, data, wanted)
        likelihood = float(totals.sum())
        history.append(likelihood + log_prior(model, prior))
        rise = history[-1] - history[-2] if len(history) > 1 else float("inf")
        if rise < -ROUNDING * max(1.0, abs(history[-1])):
            raise RuntimeError(f"fit_sequences: EM went down by {-rise!r}; this is a mistake in the library.")
        converged = rise <= tolerance * abs(history[-1])
        if converged or len(history) > iterations:
            return FittedTemplate(work, likelihood, tuple(history), converged)
        for tie in ties:
            if id(tie.original._parameters) in parts:
                write(tie.original, parts[id(tie.original._parameters)], prior)
