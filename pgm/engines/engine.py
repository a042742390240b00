"""What every engine offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior


@runtime_checkable
class Engine(Protocol):
    """How to answer: a frozen record of options."""

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
