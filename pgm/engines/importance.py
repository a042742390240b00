"""Importance sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, nan, sqrt
from typing import TYPE_CHECKING, Any

import torch

from ..errors import EvidenceError, PlanError
from .draws import Answer, answer, gathered, seeded
from .guides import Guide, PriorGuide, guide_of
from .joint import Joint
from .progress import counted
from .question import Question, ask

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior


@dataclass(frozen=True)
class Importance:
    """Draws from the prior, or from a guide, weighted by p(draw, evidence) / guide(draw).

    Only numeric variables are drawn; the finite ones are summed exactly given each draw. Without numeric unknowns the
    answers are exact. `diagnostics` has the `effective_samples`, and the standard error of the log evidence,
    `log_evidence_error`; far fewer effective samples than draws mean that a guide is needed.

    Args:
        samples: how many draws.
        guide: a model with a conditional of each numeric variable that is not observed, given others or what is
            observed; or a Pyro program of such sample sites; None draws from the priors.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Gaussian, LinearGaussian, Real, Variable, infer
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> net = BayesianNetwork(Gaussian(x, 0.0, 1.0), LinearGaussian(y, [x], [1.0], 0.0, 1.0))
        >>> round(infer(net, ["x"], given={"y": 2.0}, engine=Importance(100_000))["x"].mean.item(), 1)
        1.0

    Reference: Fung and Chang (1990), Weighing and integrating evidence; Casella and Robert (1996),
    Rao-Blackwellisation of sampling schemes.
    """

    samples: int = 10_000
    guide: Model | Callable[..., Any] | None = None
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise PlanError(f"Importance: samples is {self.samples!r}, expected 2 or more.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        asked = (
            ask(model, targets, evidence, row, "Importance")
            for row in counted(evidence.rows, "rows of evidence", self.progress)
        )
        return gathered([self._row(question, impossible) for question in asked], evidence.batched, "Importance")

    @torch.no_grad()
    def _row(self, question: Question, impossible: str) -> Answer:
        with seeded(self.seed, question.device) as generator:
            joint, guide = self._weighing(question)
            values, log_density = guide.draw(self.samples)
            log_weights = (joint.log_prob(values) - log_density).expand(self.samples)
            if impossible == "raise" and bool(torch.isneginf(log_weights).all()):
                raise EvidenceError(
                    f"Importance: all {self.samples} draws have probability 0 together with the evidence; give a guide."
                )
            effective = (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp().item()
            diagnostics = {
                "effective_samples": effective,
                "log_evidence_error": sqrt(max(1 / effective - 1 / self.samples, 0.0)) if effective > 0 else nan,
            }
            log_evidence = log_weights.logsumexp(0).item() - log(self.samples)
            return answer(question, joint, values, log_weights, log_evidence, diagnostics, generator)

    def _weighing(self, question: Question) -> tuple[Joint, Guide]:
        """The product of terms to weigh draws by, and where these come from; what is in both cancels."""
        if self.guide is not None:
            return question.joint(question.terms), guide_of(self.guide, question)
        priors = [prior for name, prior in question.priors.items() if name not in question.certain]
        own = {id(term) for term in question.terms}
        alone = {id(p) for p in priors if id(p) in own and not question.finite_scope(p)}
        density = Joint(
            [p for p in priors if id(p) not in alone], question.certain, question.known, {}, question.summed
        )
        return question.joint([t for t in question.terms if id(t) not in alone]), PriorGuide(question, density)
