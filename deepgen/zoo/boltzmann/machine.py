"""Boltzmann machines of any shape: a model of potentials, and which of its layers are seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.errors import EvidenceError, GraphError, PlanError, ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Exclusive, Layered, Linear, Total, Width, Within
from ...potentials.linear import count, numbers, value
from .blocks import Blocks
from .layers import Layers, State
from .sampling import drawn
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
        """Values `[*batch, *event]` as vectors of numbers of its own precision, of layers that it has.

        Raises:
            ShapeError: when a value has another shape.
            EvidenceError: when a state is none.
        """
        known, kind = self.model.graph.by_name, next(self.model.parameters()).dtype
        return {name: _numbers(known[name], found).to(kind) for name, found in values.items() if name in known}

    def values(self, state: State) -> dict[str, Tensor]:
        """Vectors of numbers as values `[*batch, *event]`."""
        return {name: value(self.model[name], found) for name, found in state.items()}

    def units(self, name: str) -> Units:
        terms = self._touching[name]
        blocks = next((term.blocks for term in terms if isinstance(term, Exclusive)), None)
        if blocks is not None:
            return Blocks(blocks)
        width = next((term.precision for term in terms if isinstance(term, Width)), None)
        return units_of(self.model[name], width, next((term for term in terms if isinstance(term, Total)), None))

    def within(self, name: str) -> Tensor | None:
        found = [term.weights / term.temperature for term in self._touching[name] if isinstance(term, Within)]
        return sum(found[1:], found[0]) if found else None

    def field(self, name: str, state: State) -> Tensor:
        said, _ = self._said(name, state)
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

    def log_sum(self, state: State, summed: Sequence[str]) -> Tensor:
        """log of the sum of exp(score) over some layers, exactly, `[*batch]`, in nats.

        Args:
            state: of all others.
            summed: names of layers whose units are independent given these.

        Raises:
            PlanError: when they are not.
        """
        return self.summed(state, summed)[0]

    def summed(self, state: State, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """That, and the fields of the layers that are summed, `[*batch, numbers]` by name, which took most of the work.

        Args:
            state, names: as for `log_sum`.

        Raises:
            PlanError: as `log_sum`.
        """
        self.require_independent(names)
        others = [term for term in self._layered if not any(v.name in names for v in term.scope)]
        parts = [term.score(*(state[v.name] for v in term.scope)) for term in others]
        fields = {}
        for name in names:
            said, origins = self._said(name, state)
            fields[name] = sum(said[1:], said[0])
            parts.append(self.units(name).log_sum(fields[name]))
            parts += [-(one @ origin) for one, origin in zip(said, origins, strict=True) if origin is not None]
        return sum(parts[1:], parts[0]), fields

    def free_energy(self, seen: Mapping[str, Tensor]) -> Tensor:
        """-log of the sum over hidden layers, `[*batch]`, in nats: log p(v) = -F(v) - log Z.

        Args:
            seen: visible and given layers, `[*batch, *event]` by name.

        Raises:
            PlanError: when hidden units are coupled with one another.
            EvidenceError: when a layer is missing.
        """
        self.require_seen(seen)
        return -self.log_sum(self.state(seen), [v.name for v in self.hidden])

    def sample(
        self,
        rows: int,
        known: Mapping[str, Tensor] | None = None,
        *,
        burn: int = 1000,
        seed: int | None = None,
        progress: bool = True,
    ) -> dict[str, Tensor]:
        """Draws of all layers, `[rows, *event]` by name, each from a Gibbs chain of its own.

        They are as good as the chains have mixed, which `equilibrium` looks at.

        Args:
            rows: how many.
            known: layers, or units of them, that stay as they are: values `[*event]` or `[rows, *event]` by name, with
                NaN (of states -1) where they are to be drawn. Whatever is `given` has to be here.
            burn: sweeps of each chain.
            seed: of these draws; torch's own randomness when None.
            progress: whether to show a bar when it takes long; Ctrl-C keeps the draws as they are then.

        Raises:
            EvidenceError: on values that a layer cannot have, or none of what is always given.
            ShapeError: when a value has another shape.

        Example:
            >>> from pgm import Binary
            >>> from deepgen.zoo.boltzmann import rbm
            >>> half = torch.tensor([1.0, 1.0, torch.nan, torch.nan])
            >>> rbm(Variable("image", Binary(4)), 3).sample(5, {"image": half}, burn=10)["image"][:, :2]
            tensor([[1., 1.],
                    [1., 1.],
                    [1., 1.],
                    [1., 1.],
                    [1., 1.]])

        Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
        images.
        """
        return drawn(self, rows, known or {}, burn, seed, progress)

    def require_seen(self, values: Mapping[str, Tensor]) -> None:
        """Raise an `EvidenceError` unless all layers that are seen or given have values."""
        missing = [v.name for v in (*self.visible, *self.given) if v.name not in values]
        if missing:
            raise EvidenceError(
                f"Machine: there is no value of {', '.join(map(repr, missing))}; use sample() or completed() where "
                "something is missing."
            )

    def require_independent(self, names: Iterable[str]) -> None:
        """Raise a `PlanError` unless all units of these layers are independent given the others."""
        for term in self.model.terms:
            inside = [v.name for v in term.scope if v.name in names]
            if len(inside) > 1 or (inside and isinstance(term, Within)):
                raise PlanError(
                    f"Machine: units of {', '.join(map(repr, inside))} are coupled with one another, so that no sum "
                    "over them has a closed form; use expanded() on small ones, log_z() by AIS on large ones."
                )

    def _said(self, name: str, state: State) -> tuple[list[Tensor], list[Tensor | None]]:
        """What each potential says to a layer, and the numbers of the layer at which that potential is 1."""
        said, origins = [], []
        for term in self._touching[name]:
            if isinstance(term, Linear):
                names = [v.name for v in term.scope]
                place = names.index(name)
                others = [other for other in names if other != name] or ([name] if isinstance(term, Within) else [])
                said.append(term.field(place, *(state[other] for other in others)))
                origins.append(term.origin(place))
        return said, origins

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


def _numbers(variable: Variable, found: Tensor) -> Tensor:
    shape = tuple(found.shape[found.dim() - len(variable.shape) :])
    if shape != variable.shape:
        raise ShapeError(
            f"Machine: {variable.name!r} has shape {tuple(found.shape)}, expected (*batch, "
            f"{', '.join(map(str, variable.shape))})."
        )
    try:
        return numbers(variable, found)
    except RuntimeError as error:
        if not variable.finite:
            raise
        low, high = found.min().item(), found.max().item()
        raise EvidenceError(
            f"Machine: {variable.name!r} goes from {low:g} to {high:g}, expected states from 0 to {variable.size - 1}."
        ) from error
