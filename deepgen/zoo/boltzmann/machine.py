"""Boltzmann machines of any shape: a model of potentials, and which of its layers are seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.errors import GraphError, PlanError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Layered, Linear, Total, Width, Within
from ...potentials.linear import count, numbers, value
from .layers import Layers, State
from .units import Units, units_of


@dataclass(frozen=True, eq=False)
class Machine(Layers):
    """p(visible, hidden | given) proportional to the product of potentials that are linear in every layer.

    Inside, layers are vectors of numbers, `[*batch, numbers]`, by name: a state. `state` makes one of values, `values`
    the other way round.

    Args:
        model: `Layered` potentials only.
        visible: what data say.
        given: what is always given, and never drawn.

    Raises:
        GraphError: when a layer is not in the model.
        PlanError: when the model has other terms.

    Example:
        >>> from pgm import Binary
        >>> from deepgen.zoo.boltzmann import rbm
        >>> machine = rbm(Variable("image", Binary(4)), 3)
        >>> machine
        Machine(image explained by h)
        >>> machine.free_energy({"image": torch.ones(2, 4)}).shape
        torch.Size([2])

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    """

    model: Model
    visible: tuple[Variable, ...]
    given: tuple[Variable, ...] = ()

    def __post_init__(self) -> None:
        self.model.graph.require([v.name for v in (*self.visible, *self.given)], "Machine")
        other = next((term for term in self.model.terms if not isinstance(term, Layered)), None)
        if other is not None:
            raise PlanError(f"Machine: {other!r} is no potential of layers, such as Bias, Coupling, Within or Width.")

    @cached_property
    def hidden(self) -> tuple[Variable, ...]:
        """The layers that are neither seen nor given."""
        return tuple(v for v in self.model.variables if v not in (*self.visible, *self.given))

    @property
    def modules(self) -> dict[str, Model]:
        """What learns, by name, as phases take it."""
        return {"model": self.model}

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.model.parameters()).device

    def zeros(self, name: str) -> Tensor:
        """A layer of nothing, `[numbers]`."""
        return next(self.model.parameters()).new_zeros(count(self.model[name]))

    def state(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values `[*batch, *event]` as vectors of numbers, of layers that it has."""
        known = self.model.graph.by_name
        return {name: numbers(known[name], found) for name, found in values.items() if name in known}

    def values(self, state: State) -> dict[str, Tensor]:
        """Vectors of numbers as values `[*batch, *event]`."""
        return {name: value(self.model[name], found) for name, found in state.items()}

    def units(self, name: str) -> Units:
        terms = self._touching[name]
        width = next((term.precision for term in terms if isinstance(term, Width)), None)
        return units_of(self.model[name], width, next((term.total for term in terms if isinstance(term, Total)), None))

    def within(self, name: str) -> Tensor | None:
        found = [term.weights / term.temperature for term in self._touching[name] if isinstance(term, Within)]
        return sum(found[1:], found[0]) if found else None

    def field(self, name: str, state: State) -> Tensor:
        said = []
        for term in self._touching[name]:
            if isinstance(term, Linear):
                names = [v.name for v in term.scope]
                others = [other for other in names if other != name] or ([name] if isinstance(term, Within) else [])
                said.append(term.field(names.index(name), *(state[other] for other in others)))
        return sum(said[1:], said[0])

    def score(self, state: State) -> Tensor:
        """Minus the energy, the log of the product of all potentials, `[*batch]`, in nats."""
        total: Tensor = torch.zeros((), device=self.device)
        for term in self._layered:
            total = total + term.score(*(state[v.name] for v in term.scope))
        return total

    def linear(self, state: State) -> Tensor:
        """That of the potentials that temperatures act on: without widths and numbers of ways, `[*batch]`."""
        linear = [term for term in self._layered if isinstance(term, Linear)]
        return torch.stack([term.score(*(state[v.name] for v in term.scope)) for term in linear]).sum(0)

    def log_sum(self, state: State, summed: Sequence[str], fields: State | None = None) -> Tensor:
        """log of the sum of exp(score) over some layers, exactly, `[*batch]`, in nats.

        Args:
            state: of all others.
            summed: names of layers whose units are independent given these.
            fields: of the summed layers, where they are known already.

        Raises:
            PlanError: when they are not.
        """
        self.require_independent(summed)
        total = self.score({**state, **{name: self.zeros(name) for name in summed}})
        for name in summed:
            field = self.field(name, state) if fields is None else fields[name]
            total = total + self.units(name).log_sum(field)
        return total

    def free_energy(self, seen: Mapping[str, Tensor]) -> Tensor:
        """-log of the sum over hidden layers, `[*batch]`, in nats: log p(v) = -F(v) - log Z.

        Args:
            seen: visible and given layers, `[*batch, *event]` by name.

        Raises:
            PlanError: when hidden units are coupled with one another.
        """
        return -self.log_sum(self.state(seen), [v.name for v in self.hidden])

    def require_independent(self, names: Iterable[str]) -> None:
        """Raise a `PlanError` unless all units of these layers are independent given the others."""
        for term in self.model.terms:
            inside = [v.name for v in term.scope if v.name in names]
            if len(inside) > 1 or (inside and isinstance(term, Within)):
                raise PlanError(
                    f"Machine: units of {', '.join(map(repr, inside))} are coupled with one another, so that no sum "
                    "over them has a closed form; use expanded() on small ones, log_z() by AIS on large ones."
                )

    @property
    def _layered(self) -> tuple[Layered, ...]:
        return tuple(term for term in self.model.terms if isinstance(term, Layered))

    @cached_property
    def _touching(self) -> dict[str, list[Layered]]:
        """The potentials of each layer."""
        found = {v.name: [term for term in self._layered if v in term.scope] for v in self.model.variables}
        bare = next((name for name, terms in found.items() if not any(isinstance(t, Linear) for t in terms)), None)
        if bare is not None:
            raise GraphError(f"Machine: nothing is said to {bare!r}; give it a Bias or a Coupling.")
        return found

    def __repr__(self) -> str:
        names = [", ".join(v.name for v in layers) for layers in (self.visible, self.hidden, self.given)]
        hidden = f" explained by {names[1]}" if names[1] else ""
        return f"Machine({names[0]}{hidden}{f' given {names[2]}' if names[2] else ''})"
