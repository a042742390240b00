"""Stochastic variational inference."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ..errors import EvidenceError, PlanError
from .coordinates import coordinates
from .draws import answer, gathered, seeded
from .guides import Guide, NormalGuide, PriorGuide, guide_of
from .joint import Joint
from .progress import counted
from .question import Question, ask, one_row

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior

FINAL_RATE = 0.01  # of the learning rate, reached at the last step


@dataclass(frozen=True)
class SVI:
    """Fits a guide q to the posterior by gradient ascent on the bound E_q[log p(z, evidence) - log q(z)].

    z are the numeric variables that are not observed; the finite ones are summed exactly inside the bound. Answers come
    from draws of the fitted guide, and `log_evidence` is the bound. `diagnostics` has the `history` of the bound, one
    number a step, its standard error at the end, `log_evidence_error`, and the trained copy of the `guide`. Stopping it
    with Ctrl-C answers with the guide as it is.

    Args:
        guide: a model with a conditional of each such variable, given others or what is observed; or a Pyro program of
            such sample sites (its modules are trained in place); both must be reparameterised. None takes a normal
            distribution, of transformed values where their support has bounds, which begins at the highest point of the
            posterior with its curvature there.
        steps: of Adam.
        learning_rate: at the start; it falls to a hundredth.
        particles: draws a step.
        covariance: of the normal guide: 'full', or 'diagonal' for independent numbers.
        samples: draws behind the answers.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import BayesianNetwork, Gaussian, LinearGaussian, Real, Variable, infer
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> net = BayesianNetwork(Gaussian(x, 0.0, 1.0), LinearGaussian(y, [x], [1.0], 0.0, 1.0))
        >>> post = infer(net, ["x"], given={"y": 2.0}, engine=SVI(steps=300))
        >>> round(post.log_evidence.item(), 3)  # log N(2; 0, 2)
        -2.266

    Reference: Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), Automatic differentiation variational inference.
    """

    guide: Model | Callable[..., Any] | None = None
    steps: int = 1000
    learning_rate: float = 0.05
    particles: int = 16
    covariance: Literal["full", "diagonal"] = "full"
    samples: int = 10_000
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("particles", 1), ("samples", 2)):
            if getattr(self, name) < least:
                raise PlanError(f"SVI: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if self.covariance not in ("full", "diagonal"):
            raise PlanError(f"SVI: covariance is {self.covariance!r}, expected 'full' or 'diagonal'.")
        if not self.learning_rate > 0:
            raise PlanError(f"SVI: learning_rate is {self.learning_rate!r}, expected a number above 0.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number, for one row of evidence."""
        one_row(evidence, "SVI")
        question = ask(model, targets, evidence, 0, "SVI")
        with seeded(self.seed, question.device) as generator:
            joint = question.joint(question.terms)
            guide = self._guide(question, joint)
            history = self._fit(joint, guide)
            with torch.no_grad():
                values, log_density = guide.draw(self.samples)
                bounds = (joint.log_prob(values) - log_density).expand(self.samples)
                if impossible == "raise" and not bool(torch.isfinite(bounds).all()):
                    raise EvidenceError(_impossible(question, bounds))
                error = bounds.std().item() / sqrt(self.samples)
                diagnostics = {"history": history, "log_evidence_error": error, "guide": guide}
                even = torch.where(torch.isfinite(bounds), 0.0, bounds)
                found = answer(question, joint, values, even, bounds.mean().item(), diagnostics, generator)
        return gathered([found], False, "SVI")

    def _guide(self, question: Question, joint: Joint) -> Guide:
        if not question.latent:
            return PriorGuide(question, Joint([], question.certain, question.known, {}, ()))
        if self.guide is None:
            return NormalGuide(coordinates(question), joint, self.covariance)
        return guide_of(self.guide, question)

    def _fit(self, joint: Joint, guide: Guide) -> Tensor:
        """Train the guide; the bound at each step."""
        history: list[Tensor] = []
        parameters = guide.trained
        if not parameters:
            return torch.zeros(0)
        adam = torch.optim.Adam(parameters, lr=self.learning_rate)
        with suppress(KeyboardInterrupt):
            for step in counted(self.steps, "steps", self.progress):
                adam.param_groups[0]["lr"] = self.learning_rate * FINAL_RATE ** (step / self.steps)
                values, log_density = guide.draw(self.particles)
                bound = (joint.log_prob(values) - log_density).mean()
                gradients = torch.autograd.grad(-bound, parameters, allow_unused=True)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                adam.step()
                history.append(bound.detach())
        return torch.stack(history) if history else torch.zeros(0)


def _impossible(question: Question, bounds: Tensor) -> str:
    if not question.latent:
        return "SVI: the evidence has probability 0."
    return (
        "SVI: the guide draws what the model and the evidence make impossible, so that the bound is "
        f"{bounds.min().item():g}; give a guide within the support, or use engine=Importance()."
    )
