"""Everything that training depends on, as tensors and facts: put away and taken up again to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pgm.errors import FileError, PlanError

from .average import Average
from .checkpoint import Checkpoint
from .player import Player

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(eq=False)
class State:
    """A run between two turns.

    Args:
        modules: by name.
        players: the phases at work.
        average: of parameters, if any.
        accelerator: devices and processes.
        settings: what a resumed run must have in common with this one.
        turn, batches, seconds: turns and batches that are over, and how long they took.
    """

    modules: Mapping[str, nn.Module]
    players: Sequence[Player]
    average: Average | None
    accelerator: Accelerator
    settings: Mapping[str, Any]
    turn: int = 0
    batches: int = 0
    seconds: float = 0.0

    def checkpoint(self) -> Checkpoint:
        """The state as it is now; every process has to ask."""
        tensors = {f"module.{place}": value for place, value in self.values().items()}
        facts: dict[str, Any] = {"settings": dict(self.settings), "batches": self.batches, "seconds": self.seconds}
        for player in self.players:
            name = player.phase.name
            own, facts[f"phase.{name}"] = player.state()
            tensors |= {f"optimiser.{name}.{place}": value for place, value in own.items()}
        if self.average is not None:
            tensors |= dict(zip((f"average.{n}" for n in self.average.names), self.average.values, strict=True))
            facts["averaged"] = self.average.steps
        return Checkpoint(self.turn, tensors | self._randomness(), facts)

    def values(self) -> dict[str, Tensor]:
        """All parameters and buffers by name."""
        return {f"{n}.{key}": value for n, module in self.modules.items() for key, value in module.state_dict().items()}

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            PlanError: when it belongs to a run with other settings.
            FileError: when something is missing from it.
        """
        facts, tensors = checkpoint.facts, checkpoint.tensors
        there = facts.get("settings", {})
        for name, value in self.settings.items():
            if there.get(name) != value:
                raise PlanError(f"fit: the run to resume has {name} {there.get(name)!r}, this one {value!r}.")
        try:
            self.put(_below(tensors, "module."))
            for player in self.players:
                name = player.phase.name
                player.load(_below(tensors, f"optimiser.{name}."), facts[f"phase.{name}"])
            if self.average is not None:
                for name, value in zip(self.average.names, self.average.values, strict=True):
                    value.copy_(tensors[f"average.{name}"])
                self.average.steps = facts["averaged"]
            self._set_randomness(tensors)
            self.turn, self.batches, self.seconds = checkpoint.turn, facts["batches"], facts["seconds"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise FileError(
                f"fit: the checkpoint of turn {checkpoint.turn} does not fit the modules: {error}."
            ) from None

    def put(self, values: Mapping[str, Tensor]) -> None:
        """Parameters and buffers by name into the modules."""
        for name, module in self.modules.items():
            module.load_state_dict(_below(values, f"{name}."))

    def wrong(self) -> str | None:
        """The name of the first parameter that is not finite."""
        named = [(f"{n}.{key}", p) for n, m in self.modules.items() for key, p in m.named_parameters()]
        good = torch.stack([parameter.isfinite().all() for _, parameter in named]).tolist()
        return next((name for (name, _), fine in zip(named, good, strict=True) if not fine), None)

    def _randomness(self) -> dict[str, Tensor]:
        """Where torch's own randomness stands, in each process."""
        from accelerate.utils import gather_object

        device = self.accelerator.device
        own = {"cpu": torch.get_rng_state()}
        if device.type == "cuda":
            own["cuda"] = torch.cuda.get_rng_state(device)
        everyone = gather_object([own]) if self.accelerator.num_processes > 1 else [own]
        return {f"random.{rank}.{kind}": state for rank, each in enumerate(everyone) for kind, state in each.items()}

    def _set_randomness(self, tensors: Mapping[str, Tensor]) -> None:
        own = _below(tensors, f"random.{self.accelerator.process_index}.")
        torch.set_rng_state(own["cpu"])
        if "cuda" in own and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"], self.accelerator.device)


def _below(values: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
