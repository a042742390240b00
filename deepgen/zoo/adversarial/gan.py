"""Generative adversarial networks as graphs: y -> x <- z without a density, and q(y | x) that tells where x is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.conditionals import Conditional, Tabular
from pgm.domains import Real
from pgm.errors import EvidenceError, GraphError, PlanError, ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...conditionals.discriminator import Discriminator
from ...conditionals.generated import SOURCES, Generated
from ...conditionals.standard import Standard
from ...networks import Network, mlp
from ...networks.rest import resting
from ...pair import Pair

FLAG = Variable("y", SOURCES)
DENSE = mlp(128, 128)


@dataclass(frozen=True, eq=False)
class Gan:
    """A generator without a density and what is inferred from its rows: y, whether they are real, by a discriminator.

    Args:
        pair: the model p(y) p(z) p(x | y, z), and the guide: q(y | x), and conditionals of whatever else is inferred.

    Raises:
        GraphError: when nothing of the model is generated, or nothing discriminates.

    Example:
        >>> found = gan(Variable("x", Real(2)), latents=2)
        >>> found, found.sample(5).shape
        (Gan(x from z), torch.Size([5, 2]))

    Reference: Goodfellow et al. (2014), Generative adversarial nets; Hu, Yang, Salakhutdinov and Xing (2018), On
    unifying deep generative models.
    """

    pair: Pair

    def __post_init__(self) -> None:
        kinds = (("model", self.pair.model, Generated), ("guide", self.pair.guide, Discriminator))
        for name, model, kind in kinds:
            if sum(isinstance(each, kind) for each in model.conditionals.values()) != 1:
                raise GraphError(f"Gan: the {name} is {model!r}, expected one {kind.__name__} conditional in it.")

    @cached_property
    def generator(self) -> Generated:
        """p(x | y, z, ...)."""
        return next(c for c in self.pair.model.conditionals.values() if isinstance(c, Generated))

    @cached_property
    def discriminator(self) -> Discriminator:
        """q(y | x, ...)."""
        return next(c for c in self.pair.guide.conditionals.values() if isinstance(c, Discriminator))

    @property
    def x(self) -> Variable:
        """What is generated."""
        return self.generator.child

    @property
    def flag(self) -> Variable:
        """y."""
        return self.discriminator.child

    @property
    def latents(self) -> tuple[Variable, ...]:
        """What rows are made of, the parents of x that have a prior."""
        priors = self.pair.model.conditionals
        return tuple(v for v in self.generator.given[1:] if v.name in priors)

    @cached_property
    def given(self) -> tuple[Variable, ...]:
        """What has to be given with rows, such as labels."""
        priors = self.pair.model.conditionals
        return tuple(v for v in self.generator.given[1:] if v.name not in priors)

    @cached_property
    def encoders(self) -> dict[str, Conditional]:
        """What the guide infers besides y, by variable."""
        return {name: c for name, c in self.pair.guide.conditionals.items() if c is not self.discriminator}

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """What the discriminator sees of that the guide infers for real rows, parents first."""
        seen = {v.name for v in self.discriminator.given}
        return tuple(name for name in self.pair.guide.graph.topological if name in seen and name in self.encoders)

    @property
    def modules(self) -> dict[str, torch.nn.Module]:
        """The graph that generates, the node that discriminates, and those that infer, by name."""
        return {"generator": self.pair.model, "discriminator": self.discriminator, **self.encoders}

    def fake(self, rows: int, given: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Generated rows with what they were made of, differentiable, `[rows, *event]` by name.

        Args:
            rows: how many.
            given: labels and whatever else the generator needs, `[rows, *event]` by name.

        Raises:
            PlanError: when some of it is missing, or something else is given.
            ShapeError: when it is not of so many rows, or of another shape.
        """
        values = dict(given or {})
        self._require_made_of(values, rows)
        for name in self.pair.model.graph.topological:
            conditional = self.pair.model.conditionals.get(name)
            if name not in values and conditional is not None and name not in (self.flag.name, self.x.name):
                values[name] = drawn(conditional, values, rows)
        values[self.x.name] = self.generator.generate(*(values[v.name] for v in self.generator.given[1:]))
        return values

    def real(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows of data with whatever else the discriminator sees, inferred by the guide, differentiable.

        Args:
            batch: `[rows, *event]` by name.
        """
        values = dict(batch)
        for name in self.judged:
            if name not in values:
                values[name] = drawn(self.encoders[name], values, len(values[self.x.name]))
        return values

    def scores(self, values: Mapping[str, Tensor]) -> Tensor:
        """Log odds that rows are real, or what a critic thinks of them, `[rows, *patches]`; of packs fewer.

        Args:
            values: what the discriminator sees, `[rows, *event]` by name.
        """
        found: Tensor = self.discriminator(*(values[v.name] for v in self.discriminator.given))
        return found

    @torch.no_grad()
    def sample(self, rows: int, given: Mapping[str, Tensor] | None = None, seed: int | None = None) -> Tensor:
        """Draws of x, `[rows, *event]`.

        Args:
            rows: how many.
            given: labels and whatever else the generator needs, `[rows, *event]` by name; latent variables too, to say
                what rows are made of.
            seed: of these draws; torch's own randomness when None.

        Raises:
            PlanError: when something that the generator needs is missing, or something else is given.
            ShapeError: when it is not of so many rows, or of another shape.
            EvidenceError: when a label is none of its states.
        """
        for variable in self.generator.given[1:]:
            if variable.finite and variable.name in (given or {}):
                _require_states(variable, (given or {})[variable.name])
        with torch.random.fork_rng(enabled=seed is not None), resting(self.pair.model):
            if seed is not None:
                torch.manual_seed(seed)
            return self.fake(rows, given)[self.x.name]

    def _require_made_of(self, values: Mapping[str, Tensor], rows: int) -> None:
        """Raise an error unless these are values for so many rows of what the generator sees."""
        known = {v.name: v for v in self.generator.given[1:]}
        missing, other = [v.name for v in self.given if v.name not in values], sorted(values.keys() - known.keys())
        if missing:
            raise PlanError(f"{self}: {' and '.join(missing)} must be given, for each of {rows} rows.")
        if other:
            raise PlanError(f"{self}: {', '.join(other)} is given, expected some of {', '.join(known)}.")
        for name, value in values.items():
            if tuple(value.shape) != (rows, *known[name].shape):
                raise ShapeError(
                    f"{self}: {name!r} is given with shape {list(value.shape)}, expected "
                    f"{[rows, *known[name].shape]}, a value for each of {rows} rows."
                )

    def __repr__(self) -> str:
        made, given = (", ".join(v.name for v in part) for part in (self.latents, self.given))
        infers = f", infers {', '.join(self.encoders)}" if self.encoders else ""
        return f"Gan({self.x.name} from {made or 'nothing'}{given and f' given {given}'}{infers})"


def gan(
    x: Variable,
    latents: int = 64,
    *,
    label: Variable | None = None,
    given: Sequence[Variable] = (),
    generator: Network = DENSE,
    discriminator: Network = DENSE,
    patches: Sequence[int] = (),
    pack: int = 1,
) -> Gan:
    """A generator G(z) of standard Gaussian z, and a discriminator of x, both given labels where there are any.

    Args:
        x: what is generated, `Real`: points, or images with shades from -1 to 1.
        latents: how many numbers z has; 0 for none, where something is given.
        label: a variable that both are told.
        given: further ones, such as another image.
        generator, discriminator: make their networks.
        patches, pack: of the discriminator.

    Raises:
        GraphError: when x is not `Real`, or is generated from nothing.

    Example:
        >>> gan(Variable("image", Real(8, 8)), label=Variable("label", range(10)))
        Gan(image from z given label)

    Reference: Goodfellow et al. (2014), Generative adversarial nets; Mirza and Osindero (2014), Conditional generative
    adversarial nets.
    """
    told = (*([label] if label is not None else []), *given)
    z = Variable("z", Real(latents)) if latents else None
    made_of = (*([z] if z is not None else []), *told)
    parts = [Standard(z)] if z is not None else []
    model = Model(flipped(), *parts, Generated(x, FLAG, made_of, generator), name="generator")
    guide = Model(Discriminator(FLAG, [x, *told], discriminator, patches, pack), name="discriminator")
    return Gan(Pair(model, guide))


def flipped() -> Tabular:
    """p(y): real and fake rows are equally many, and nothing is learned of that."""
    found = Tabular(FLAG, [], [0.5, 0.5])
    found.requires_grad_(False)
    return found


def _require_states(variable: Variable, numbers: Tensor) -> None:
    """Raise an `EvidenceError` where numbers are not those of states."""
    wrong = numbers[(numbers < 0) | (numbers >= variable.size)]
    if len(wrong):
        raise EvidenceError(
            f"sample: {variable.name!r} is {wrong[0].item():g} in a row, expected the number of one of its "
            f"{variable.size} states, 0 to {variable.size - 1}."
        )


def drawn(conditional: Conditional, values: Mapping[str, Tensor], rows: int) -> Tensor:
    """A draw of a conditional for each row, given the values of its parents."""
    parents = [values[v.name] for v in conditional.given]
    return conditional.draw(*parents) if parents else conditional.draw(shape=(rows,))
