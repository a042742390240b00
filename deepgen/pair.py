"""A generative model and its guide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Size, Tensor

from pgm.conditionals import Conditional
from pgm.model import Model
from pgm.variable import Variable

from .objectives.wake_sleep import dream

DRAWS = 256  # of a distribution whose mean has no formula


@dataclass(frozen=True, eq=False)
class Pair:
    """A generative model p(x, z) and what infers in it, the guide q(z | x).

    What is observed, latent and given follows from the two graphs and is never typed twice.

    Args:
        model: p(x, z), possibly given labels.
        guide: q(z | x), a conditional of each latent variable that is not summed exactly; it may compute further
            variables of its own by `Deterministic`s.

    Example:
        >>> from pgm import Binary, Real
        >>> from deepgen.zoo.vae import vae
        >>> pair = vae(Variable("image", Binary(8, 8)), latents=2, label=Variable("label", range(10)))
        >>> [v.name for v in pair.observed], [v.name for v in pair.latents], [v.name for v in pair.given]
        (['image'], ['z'], ['label'])
    """

    model: Model
    guide: Model

    @cached_property
    def latents(self) -> tuple[Variable, ...]:
        """The variables that the guide draws, in the model's order."""
        return tuple(v for v in self.model.variables if v.name in self.guide.conditionals)

    @cached_property
    def observed(self) -> tuple[Variable, ...]:
        """The variables that the guide looks at and the model explains."""
        return tuple(v for v in self._inputs if v.name in self.model.conditionals)

    @cached_property
    def given(self) -> tuple[Variable, ...]:
        """The variables that nothing explains, such as labels: they have to be given, always."""
        latent = {v.name for v in self.latents}
        known = [v for v in self.model.variables if v.name not in self.model.conditionals and v.name not in latent]
        others = [v for v in self._inputs if v.name not in self.model.graph.by_name]
        return (*known, *others)

    @property
    def _inputs(self) -> list[Variable]:
        return [v for v in self.guide.variables if v.name not in self.guide.conditionals]

    @property
    def modules(self) -> dict[str, Model]:
        """Both, by name, as phases take them."""
        return {"model": self.model, "guide": self.guide}

    def seen(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The columns of a batch that are about variables of the model."""
        return {name: value for name, value in batch.items() if name in self.model.graph.by_name}

    def sample(
        self, rows: int, given: Mapping[str, Tensor] | None = None, seed: int | None = None
    ) -> dict[str, Tensor]:
        """Draws of all variables of the model, parents first, `[rows, *event]` by name.

        Args:
            rows: how many.
            given: labels and whatever else the model is conditioned on, `[rows, *event]` by name.
            seed: of these draws; torch's own randomness when None.

        Raises:
            PlanError: when a label is not given, or the model has potentials.
        """
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            return dream(self.model, rows, given or {}, "sample")

    @torch.no_grad()
    def infer(self, batch: Mapping[str, Tensor], mean: bool = False) -> dict[str, Tensor]:
        """A batch with the latent variables drawn from the guide, `[*batch, *event]` by name.

        Args:
            batch: what is observed and given.
            mean: whether to take the guide's means instead of drawing, and the most probable of states.
        """
        values = dict(batch)
        for name in self.guide.graph.topological:
            if name not in values:
                conditional = self.guide.conditionals[name]
                given = [values[v.name] for v in conditional.given]
                values[name] = centre(conditional, *given) if mean else conditional.draw(*given)
        return values

    @torch.no_grad()
    def means(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean of each observed variable given its parents: what pictures show, `[*batch, *event]` by name.

        Args:
            values: of the parents, drawn by `sample` or `infer`.
        """
        found = {}
        for variable in self.observed:
            conditional = self.model.conditionals[variable.name]
            found[variable.name] = conditional.distribution(*(values[v.name] for v in conditional.given)).mean
        return found

    def __repr__(self) -> str:
        names = [", ".join(v.name for v in part) for part in (self.observed, self.latents, self.given)]
        return f"Pair({names[0]} explained by {names[1] or 'nothing'}{names[2] and f', given {names[2]}'})"


def centre(conditional: Conditional, *given: Tensor) -> Tensor:
    """The mean of numbers, the most probable of states, `[*batch, *event]`.

    Where a mean has no formula, as in a flow, it is that of some draws, always the same ones.

    Args:
        conditional: whose child it is.
        given: values of the parents.
    """
    made = conditional.distribution(*given)
    if conditional.child.finite:
        return made.mode
    try:
        return made.mean
    except NotImplementedError:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return made.sample(Size([DRAWS])).mean(0)
