"""A model as a Pyro program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from pyro.distributions import Delta, TorchDistribution
from pyro.ops.indexing import Vindex
from pyro.poutine.runtime import InferDict
from torch import Tensor, nn

from ..conditionals import Conditional, Deterministic
from ..errors import EvidenceError, GraphError, PlanError
from ..evidence import MISSING, Evidence, Given, Likelihood, read_evidence
from ..model import Model
from ..plates import Plate
from ..variable import Variable
from .blocks import Block, copies, sort
from .distributions import Wrapped, base, of_conditional

ROWS = "rows"
ASIDE: InferDict = {"is_auxiliary": True}  # what a guide may look at or compute without the model's drawing it


def as_pyro(model: Model, *, given: Given | None = None, likelihood: Likelihood | None = None) -> Program:
    """The model as a Pyro program: a module that Pyro's inference can take as it is.

    Its log density is `model.log_prob`, exactly, potentials and all. Each variable is a sample site of that name. The
    copies `x[0]`, `x[1]`, ... of a variable in a `Plate` are one site `x` inside a `pyro.plate` of the plate's name;
    several rows of evidence are one more plate, "rows", around everything. As Pyro has it, the axis of the outermost
    plate is the last batch axis. Potentials and likelihoods are `pyro.factor`s; variables without a conditional are
    drawn from a base distribution (uniform, standard normal, fair coin, Poisson(1)) whose density counts as one. A
    numeric `Deterministic` is a deterministic site. Unobserved finite variables are marked for parallel enumeration.
    Nothing enters Pyro's global parameter store: the parameters are the model's own, `program.parameters()`; train them
    with the module form of a bound, `Trace_ELBO()(program, guide)`. Pyro's samplers cannot move a numeric variable that
    is below an enumerated one; `NUTS` here can.

    Args:
        model: any model.
        given, likelihood: evidence, as for `infer`; what a call of the program gives is added to it.

    Returns:
        A module; calling it runs the program once and returns the values by site.

    Raises:
        GraphError: when a plate has the name of a variable or of another plate.
        PlanError: on evidence for what has no density: an `Implicit`, or a numeric `Deterministic`.

    Example:
        >>> from pyro import poutine
        >>> from pgm import BayesianNetwork, Tabular
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
        >>> trace = poutine.trace(as_pyro(net, given={"rain": "yes", "wet": "yes"})).get_trace()
        >>> trace.log_prob_sum().exp().item()
        0.16...

    Reference: Bingham et al. (2019), Pyro: deep universal probabilistic programming.
    """
    return Program(model, _columns(given), dict(likelihood or {}))


class Program(nn.Module):
    """A Pyro program made from a model; see `as_pyro`.

    Args:
        model: the model.
        given, likelihood: evidence that every call has.
    """

    def __init__(self, model: Model, given: Mapping[str, object], likelihood: Mapping[str, object]) -> None:
        super().__init__()
        self.model, self.given, self.likelihood = model, given, likelihood
        self.block = sort(model.pieces, model.variables)
        _check_names(self.block)

    def forward(self, given: Given | None = None) -> dict[str, Tensor]:
        """Run once.

        Args:
            given: evidence of this call, besides that of the program.
        """
        evidence = read_evidence(self.model.graph, {**self.given, **_columns(given)}, self.likelihood, "as_pyro")
        run = Run(self.model, evidence, _like(self.model))
        with ExitStack() as stack:
            plates = [pyro.plate(ROWS, evidence.rows)] if evidence.batched else []
            for plate in plates:
                stack.enter_context(plate)
            run.block(self.block, [_dim(plate) for plate in plates])
        return run.values

    def unfold(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values by site, `[*batch, *plates, *event]`, as values by the names of the model's variables.

        Args:
            values: as sites have them in a run without rows: the axis of the outermost plate last among the plates'.
        """
        found: dict[str, Tensor] = {}
        for block in self.block.walk:
            for variable in block.variables:
                if variable.name in values:
                    found |= _unfolded(variable, block.plates, values[variable.name])
        return found


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a program.

    Args:
        model, evidence: what runs.
        like: a tensor of the precision and device to compute in.
        values: those so far, by site.
        met: how often a potential of each description was met.
    """

    model: Model
    evidence: Evidence
    like: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)

    def block(self, block: Block, dims: list[int]) -> None:
        """All sites of a block, inside plates that have these axes."""
        for variable in block.variables:
            place = Place(variable, tuple(self._numbers(variable, block.plates)), self._sizes(block.plates), dims)
            self.values[variable.name] = self._site(place, block.conditionals.get(variable.name))
            self._weigh(place)
        for potential in block.potentials:
            self.met[repr(potential)] += 1
            count = self.met[repr(potential)]
            values = [self.values[v.name] for v in potential.scope]
            pyro.factor(repr(potential) + f" {count}" * (count > 1), potential.log_prob(*values).to(self.like))
        for inner in block.blocks:
            plate = pyro.plate(inner.plates[-1].name, len(inner.plates[-1]))
            with plate:
                self.block(inner, [*dims, _dim(plate)])

    def _numbers(self, variable: Variable, plates: Sequence[Plate]) -> Iterator[int]:
        """The places of a variable's copies among the model's variables."""
        return (self.model.graph.numbers[name] for name in copies(variable, plates))

    def _sizes(self, plates: Sequence[Plate]) -> list[int]:
        """The lengths of the axes: rows, if there are any, and plates."""
        return [self.evidence.rows] * self.evidence.batched + [len(plate) for plate in plates]

    def _site(self, place: Place, conditional: Conditional | None) -> Tensor:
        variable, name = place.variable, place.variable.name
        seen, mask = place.seen(self.evidence, self.like.device)
        given = [self.values[parent.name] for parent in conditional.given] if conditional else []
        if isinstance(conditional, Deterministic) and not conditional.enumerable and seen is None:
            made = conditional.draw(*given)
            point = Delta(made, event_dim=len(variable.shape)).mask(False)
            computed: Tensor = pyro.sample(name, point, obs=made, infer={"_deterministic": True, **ASIDE})
            return computed
        if seen is not None:
            _check_density(variable, conditional)
        if conditional is None:
            fn: TorchDistribution = Wrapped(base(variable, self.like), self.like.dtype, counts=False)
        else:
            fn = of_conditional(conditional, given, self.like.dtype)
        infer: InferDict = {"enumerate": "parallel"} if variable.finite and seen is None else {}
        if conditional is None and seen is not None and mask is None:
            infer = ASIDE
        value: Tensor = pyro.sample(name, fn, obs=seen, obs_mask=mask, infer=infer)
        return value

    def _weigh(self, place: Place) -> None:
        """Multiply in the likelihoods of a finite variable, if there are any."""
        if any(v in self.evidence.soft for v in place.numbers):
            weights = place.likelihood(self.evidence, self.like).log()
            name = place.variable.name
            pyro.factor(f"likelihood of {name}", Vindex(weights)[..., self.values[name]])


@dataclass(frozen=True, eq=False)
class Place:
    """Where the values of a variable and its copies lie.

    Args:
        variable: the variable.
        numbers: the places of its copies among the model's variables, the innermost plate varying fastest.
        sizes: lengths of the axes around it, rows first and the innermost plate last.
        dims: where Pyro has put each of them, counted from the right of the batch.
    """

    variable: Variable
    numbers: tuple[int, ...]
    sizes: list[int]
    dims: list[int]

    def seen(self, evidence: Evidence, device: torch.device) -> tuple[Tensor | None, Any]:
        """What is observed, and where when it is not everywhere; None and None when nothing is."""
        event = self.variable.shape
        if self.variable.finite:
            known = {v: torch.tensor(states) for v, states in evidence.hard.items()}
            absent = torch.full((evidence.rows,), MISSING)
        else:
            known, absent = evidence.real, torch.full((evidence.rows, *event), torch.nan)
        values = self._placed(torch.stack([known.get(v, absent) for v in self.numbers], 1).to(device), event)
        there = values != MISSING if self.variable.finite else ~torch.isnan(values)
        observed = there.flatten(-len(event)).all(-1) if event else there
        if bool(observed.all()):
            return values, None
        if not bool(there.any()):
            return None, None
        self._check_whole(observed, there)
        some = values[observed][0]  # in the domain, whatever that is, where it does not count
        filler = observed.reshape(*observed.shape, *[1] * len(event))
        return torch.where(filler, values, some), observed

    def likelihood(self, evidence: Evidence, like: Tensor) -> Tensor:
        """Vectors over the states, ones where there is no likelihood."""
        ones = torch.ones(evidence.rows, self.variable.size, dtype=torch.float64)
        vectors = {v: torch.tensor(weights) for v, weights in evidence.soft.items()}
        stacked = torch.stack([vectors.get(v, ones) for v in self.numbers], 1)
        return self._placed(stacked.to(like), (self.variable.size,))

    def _placed(self, values: Tensor, event: tuple[int, ...]) -> Tensor:
        """`[rows, copies, *event]` with the rows and plates where Pyro wants them."""
        wide = values.reshape([*self.sizes, *event])
        order = sorted(range(len(self.dims)), key=self.dims.__getitem__)
        shape = [1] * -min(self.dims, default=0)
        for size, dim in zip(self.sizes, self.dims, strict=True):
            shape[dim] = size
        return wide.permute([*order, *range(len(order), wide.dim())]).reshape([*shape, *event])

    def _check_whole(self, observed: Tensor, there: Tensor) -> None:
        event = tuple(range(observed.dim(), there.dim()))
        if event and bool((there.flatten(observed.dim()).any(-1) & ~observed).any()):
            raise EvidenceError(
                f"as_pyro: {self.variable.name!r} is missing in part of its {self.variable.shape}; expected all "
                "numbers of a value, or NaN for all."
            )


def _columns(given: Given | None) -> dict[str, Any]:
    """Evidence by name, whether a mapping or a DataFrame."""
    return {} if given is None else {name: given[name] for name in given}


def _check_names(block: Block) -> None:
    """Raise a `GraphError` where a plate has the name of a site: Pyro counts plates among the sites."""
    plates = [each.plates[-1].name for each in block.walk if each.plates]
    sites = [variable.name for each in block.walk for variable in each.variables]
    for number, name in enumerate(plates):
        if name in sites or name in plates[:number] or name == ROWS:
            taken = "a variable" if name in sites else "the rows of evidence" if name == ROWS else "another plate"
            raise GraphError(f"as_pyro: plate {name!r} has the name of {taken}; in a program each needs its own.")


def _check_density(variable: Variable, conditional: Conditional | None) -> None:
    certain = isinstance(conditional, Deterministic) and not variable.finite
    if conditional is not None and (certain or not conditional.capabilities.has_log_prob):
        raise PlanError(
            f"as_pyro: {variable.name!r} is observed, but {conditional.subject} has no density. Observe something "
            "below it that adds noise, such as a LinearGaussian or Neural child."
        )


def _like(model: Model) -> Tensor:
    """An empty tensor of the widest precision among the parameters, where they are."""
    found = [each for each in model.parameters() if each.is_floating_point()]
    precision = max((each.dtype for each in found), key=lambda dtype: dtype.itemsize, default=torch.float64)
    return torch.zeros(0, dtype=precision, device=found[0].device if found else None)


def _dim(plate: pyro.plate) -> int:
    """The axis that an entered plate has been given."""
    assert plate.dim is not None
    return plate.dim


def _unfolded(variable: Variable, plates: Sequence[Plate], value: Tensor) -> dict[str, Tensor]:
    depth, event = len(plates), len(variable.shape)
    first = value.dim() - event - depth
    axes = [*range(first), *reversed(range(first, first + depth)), *range(first + depth, value.dim())]
    moved = value.permute(axes).flatten(first, first + depth - 1) if depth else value.unsqueeze(first)
    return dict(zip(copies(variable, plates), moved.unbind(first), strict=True))
