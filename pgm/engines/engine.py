"""What engines offer: all answer, some explain or draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..model import Model
    from ..posterior import Posterior
    from ..samples import Samples


@runtime_checkable
class Engine(Protocol):
    """How to answer: a frozen record of options."""

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""


@runtime_checkable
class Explainer(Protocol):
    """How to find most probable joint states."""

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """The k most probable joint states of variables by number."""


@runtime_checkable
class Sampler(Protocol):
    """How to draw samples of a posterior."""

    def draw(self, model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int) -> Samples:
        """n joint samples of variables by number, given one row of evidence."""


@runtime_checkable
class Differentiable(Protocol):
    """How to give the log evidence as a function of the model's parameters."""

    def log_evidence(self, model: Model, evidence: Evidence) -> Tensor:
        """log p(evidence), or what stands for it, `[*batch]`; -inf for evidence of probability 0."""
