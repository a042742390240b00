"""What learning parameters returns."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import Model


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model whose parameters were learned, and how that went.

    Args:
        model: a new model; the one that was given is as it was.
        log_likelihood: of all rows, sum_n w_n log p(row n), in nats; what is missing in a row is summed out.
        history: what was maximised (the log-likelihood, plus the log density of the prior up to a constant) after each
            iteration from the best start; by gradients, the mean over the rows looked at before each step.
        converged: False when the iterations ran out, or learning ended early.
        kept: the conditionals and potentials whose parameters were not learned.
        stopped: why learning ended early; empty when it did not.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, fit
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> found = fit(BayesianNetwork(Tabular(coin, [], [0.5, 0.5])), {"coin": ["heads", "tails"]})
        >>> found.iterations, round(found.log_likelihood, 4)
        (1, -1.3863)
    """

    model: Model
    log_likelihood: float
    history: tuple[float, ...]
    converged: bool
    kept: tuple[str, ...] = ()
    stopped: str = ""

    @property
    def iterations(self) -> int:
        """How many iterations the best start took."""
        return len(self.history)

    def __repr__(self) -> str:
        steps = f"{self.iterations} iteration{'s' * (self.iterations != 1)}"
        end = "converged" if self.converged else self.stopped or "not converged"
        rest = f"; kept {', '.join(self.kept)}" if self.kept else ""
        return f"Fitted(log-likelihood {self.log_likelihood:.4f}, {steps}, {end}{rest})"
