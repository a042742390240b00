"""Recipe for restricted Boltzmann machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..evaluate.bounds import error
from ..evaluate.figure import Figure
from ..evaluate.rows import Rows
from ..training.phase import Phase, sgd
from ..zoo.boltzmann.contrast import sparse
from ..zoo.boltzmann.fast import fast_persistent
from ..zoo.boltzmann.gibbs import Chains
from ..zoo.boltzmann.labels import discriminative, label_log_prob
from ..zoo.boltzmann.learning import contrastive_divergence, persistent
from ..zoo.boltzmann.likelihood import likelihood
from ..zoo.boltzmann.machine import Machine
from ..zoo.boltzmann.monitors import health, monitored
from ..zoo.boltzmann.restricted import rbm
from ..zoo.boltzmann.tempering import tempered
from .machines import shown
from .recipe import Recipe
from .setup import Setup

BURN = 50  # sweeps from where chains are to what is shown
ROWS = 500  # that are looked at for the health of a machine


@dataclass(frozen=True)
class RBM(Recipe):
    """A restricted Boltzmann machine; with labels it is of both, draws by label and classifies.

    Args:
        hidden: units.
        learning: 'persistent', 'fast', 'tempered' or 'contrastive'.
        sweeps: of chains a step of learning.
        chains: that go on from step to step.
        centring: share of the way that centres go to the means of the data each step; 0 for none.
        momentum: share of the last step that is repeated.
        weight_decay: of weights.
        sparsity: how often hidden units should be on; None for no cost.
        discriminative: whether it also learns to tell labels, by turns.
    """

    hidden: int = 128
    learning: Literal["persistent", "fast", "tempered", "contrastive"] = "persistent"
    sweeps: int = 1
    chains: int = 100
    centring: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0
    sparsity: float | None = None
    discriminative: bool = False
    rate: float = 0.05
    decay: bool = True

    def setup(self, data: Data) -> Setup:
        x, label = self.x(data), self.label(data)
        if self.discriminative and label is None:
            raise PlanError("RBM: discriminative is True, and there are no labels to tell; set labels too.")
        machine = rbm(x, self.hidden, label=label, mean=data[x.name].mean(0))
        options = {**self.options(data), "optimiser": sgd(self.rate, self.momentum, self.weight_decay)}
        learns = monitored(self._phase(machine, options), machine, data, self.load("test"))
        also = (discriminative(machine, label, **options),) if label and self.discriminative else ()
        chains = learns.modules.get("chains")

        def sample(rows: int, labels: Tensor | None) -> Tensor:
            held = chains.state if isinstance(chains, Chains) else machine.state(_rows(data, machine))
            return shown(machine, held, rows, {label.name: labels} if label and labels is not None else {}, BURN)[
                x.name
            ]

        return Setup(machine.modules, (learns, *also), sample, lambda held: figures(machine, held, data, label))

    def _phase(self, machine: Machine, options: dict[str, Any]) -> Phase:
        costs: dict[str, Any] = {"centring": self.centring}
        costs["penalty"] = None if self.sparsity is None else sparse(self.sparsity)
        if self.learning == "contrastive":
            return contrastive_divergence(machine, self.sweeps, **costs, **options)
        ways: dict[str, Callable[..., Phase]] = {
            "persistent": persistent,
            "fast": fast_persistent,
            "tempered": tempered,
        }
        return ways[self.learning](machine, self.chains, steps=self.sweeps, **costs, **options)


def figures(machine: Machine, held: Data, data: Data, label: Variable | None) -> Sequence[Figure]:
    """log p of held-out rows, labels that are told right, and how hidden units and free energies are."""
    found = [likelihood(machine, held)]
    rows = Rows(held, len(held), 0, machine.device)[0]
    how = f"{len(held):,} rows of {held.name}"
    if label is not None:
        right = (label_log_prob(machine, label, rows).argmax(-1) == rows[label.name]).double()
        found.append(Figure("labels told right", right.mean().item(), "exact", how, error(right)))
    state = health(machine, _rows(data, machine), rows)
    gap = Figure("free-energy gap", state["overfitting"].item(), "exact", "held-out less training, in deviations")
    return (*found, gap, Figure("dead hidden units", state["dead"].item(), "exact", f"of {ROWS} training rows"))


def _rows(data: Data, machine: Machine) -> dict[str, Tensor]:
    """Some rows of the data, where the machine is."""
    return Rows(data, ROWS, 0, machine.device)[0]
