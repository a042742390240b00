"""Games and autoencoders in one notation: y says whether a row is fake or real, and each makes one KL divergence small.

Read off the graphs: whether x has a density, what the guide infers, and whether its discriminator learns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest
from textwrap import wrap

import torch
from torch import Tensor
from torch.distributions import Distribution

from pgm.conditionals import Conditional, Deterministic
from pgm.errors import GraphError, PlanError
from pgm.model import Model
from pgm.terms import Capabilities
from pgm.variable import Variable

from ...conditionals.generated import FAKE, SOURCES
from ...pair import Pair
from .gan import FLAG, Gan, flipped

WIDTH = 40  # letters of a column


@dataclass(frozen=True)
class Reading:
    """One model in the notation of y: p(x | y) is what the model makes where y is 'fake', the data where it is 'real'.

    q^r is the discriminator with fake and real exchanged; a star marks one that is perfect and does not learn.

    Args:
        model: the name of the column.
        generates: the joint distribution.
        fake_rows: how they come about.
        visible: what is explained, in the sense of expectation maximisation.
        latent: what is inferred to explain it.
        inference: by which distribution.
        discriminator: who says what y is.
        minimised: the divergence that the generator makes small.
        direction: what follows from the place of the model's p in it.
        guide_learns: what the phase of the discriminator, or of the guide, makes large.
        model_learns: what the generator's phase makes large.
        wake_or_sleep: which phase of wake-sleep both extend.
    """

    model: str
    generates: str
    fake_rows: str
    visible: str
    latent: str
    inference: str
    discriminator: str
    minimised: str
    direction: str
    guide_learns: str
    model_learns: str
    wake_or_sleep: str


@dataclass(frozen=True)
class Unified:
    """Models side by side, printed as a table.

    Args:
        columns: one a model.
    """

    columns: tuple[Reading, ...]

    def __getitem__(self, model: str) -> Reading:
        return {column.model: column for column in self.columns}[model]

    def __str__(self) -> str:
        rows = [(each.name, [getattr(column, each.name) for column in self.columns]) for each in fields(Reading)]
        return "\n".join(line for name, cells in rows for line in _row(name.replace("_", " "), cells))


def unified(models: Mapping[str, Pair | Gan]) -> Unified:
    """Generative adversarial networks and variational autoencoders side by side, as what their graphs say they are.

    With p(x | y) of fake rows the generator's and of real ones the data's, p(y) = 1/2 and q^r(y | x) = q(1 - y | x),

        GAN: phi makes E log q(y | x) large, theta E log q^r(y | x); at q^r(x | y) ~ q^r(y | x) p(x) the latter has the
             gradient of JS(p(x | fake), p(x | real)) - E KL(p(x | y) || q^r(x | y))
        VAE: both make -KL(q(z | x) q*^r(y | x) || p(z, y | x)) large, on average over rows

    and codes that the guide reads, or latents that the discriminator sees, join y and x in these.

    Args:
        models: games, or pairs with one observed variable such as those of `vae`, by the names of their columns.

    Raises:
        GraphError: when a pair has potentials, or not one observed variable that it explains by latent ones.

    Example:
        >>> from pgm import Real
        >>> from deepgen.zoo.adversarial import gan
        >>> from deepgen.zoo.vae import vae
        >>> x = Variable("x", Real(2))
        >>> table = unified({"GAN": gan(x, 2), "VAE": vae(x, 2)})
        >>> table["GAN"].minimised, table["VAE"].minimised
        ('KL(p(x | y) || q^r(x | y)) - JS(p(x | fake), p(x | real))', 'KL(q(z | x) q*^r(y | x) || p(z, y | x))')

    Reference: Hu, Yang, Salakhutdinov and Xing (2018), On unifying deep generative models.
    """
    return Unified(tuple(reading(name, model) for name, model in models.items()))


def reading(name: str, model: Pair | Gan) -> Reading:
    """One column of the table of `unified`."""
    pair = model.pair if isinstance(model, Gan) else model
    if not any(map(_tells, pair.model.variables)):
        pair = flagged(pair)
    judge = next(c for c in pair.guide.conditionals.values() if _tells(c.child))
    made = next(c for c in pair.model.conditionals.values() if judge.child in c.given)
    inferred = [c for c in pair.guide.conditionals.values() if c is not judge and not isinstance(c, Deterministic)]
    return (_explained if made.capabilities.has_log_prob else _generated)(name, pair.model, made, judge, inferred)


def flagged(pair: Pair) -> Pair:
    """A pair with y: its x is that of fake rows, and its guide, which sees rows of data only, takes them for fake.

    That guess is the reverse q*^r(y | x) of a discriminator that is perfect. The evidence lower bound is that of the
    pair less log 2, since y costs KL(q*^r(y | x) || p(y)) = log 2.

    Args:
        pair: with one observed variable, such as `vae`.

    Raises:
        GraphError: when it has potentials, or not one observed variable that it explains by latent ones.

    Example:
        >>> from pgm import Real
        >>> from deepgen.objectives import elbo
        >>> from deepgen.zoo.vae import vae
        >>> found = flagged(vae(Variable("x", Real(2)), 1))
        >>> found, [v.name for v in found.guide.variables]
        (Pair(x explained by y, z), ['x', 'y', 'z'])
    """
    if pair.model.potentials or len(pair.observed) != 1 or not pair.latents:
        raise GraphError(
            f"unified: the pair is {pair!r}, expected a model of conditionals that explains one observed variable by "
            "latent ones, or a game."
        )
    (x,) = pair.observed
    parts = [Flagged(each) if name == x.name else each for name, each in pair.model.conditionals.items()]
    perfect = Deterministic(FLAG, [x], lambda rows: _all_fake(rows, len(x.shape)))
    return Pair(Model(flipped(), *parts, name=pair.model.name), Model(perfect, *pair.guide.terms, name=pair.guide.name))


def _all_fake(rows: Tensor, axes: int) -> Tensor:
    return torch.full(rows.shape[: rows.dim() - axes], FAKE, device=rows.device)


class Flagged(Conditional):
    """p(x | y, ...): where y is 'fake' a conditional with a density, where it is 'real' the data.

    The density of the data is not known, is changed by no parameter, and counts as 1.

    Args:
        fake: p(x | ...) where y is 'fake'.
    """

    def __init__(self, fake: Conditional) -> None:
        super().__init__(fake.child, [FLAG, *fake.given])
        self.fake = fake

    @property
    def capabilities(self) -> Capabilities:
        return self.fake.capabilities

    def distribution(self, *given: Tensor) -> Distribution:
        if bool((given[0] != FAKE).any()):
            raise PlanError(
                f"{self.subject}: rows of {self.child.name!r} whose {FLAG.name!r} is {SOURCES[1]!r} are those of the "
                f"data, whose distribution is not known; give {FLAG.name!r} as {SOURCES[0]!r}."
            )
        return self.fake.distribution(*given[1:])

    def log_prob(self, *values: Tensor) -> Tensor:
        flag, *others = values
        return self.fake.log_prob(*others) * (flag == FAKE)


def _generated(name: str, model: Model, made: Conditional, judge: Conditional, inferred: list[Conditional]) -> Reading:
    """A generator without a density: x is latent, y is what both players explain."""
    seen = {v.name for v in judge.given}
    beside = [c for c in inferred if c.child.name in seen]  # what the discriminator sees is latent, as x is
    codes = [c for c in inferred if c.child.name not in seen]  # others are explained, as y is
    y, x = (_names(of, *(c.child for c in others)) for of, others in ((judge.child, codes), (made.child, beside)))
    told = _names(*(v for v in made.given if v.name not in model.conditionals))
    of = _names(*(v for v in made.given if v != judge.child and v.name in model.conditionals))
    also, bar = told and f", {told}", told and f" | {told}"
    spread = f"I({x}; {y}{bar})" if codes else f"JS(p({x} | fake{also}), p({x} | real{also}))"
    return Reading(
        name,
        _joint(model),
        f"made by a network of {of}, without a density",
        y,
        x,
        f"p({x} | {y}{also}), the generator" + "".join(f", and {_of('q', c)}" for c in beside),
        f"{_of('q', judge)}, learned",
        f"KL(p({x} | {y}{also}) || q^r({x} | {y}{also})) - {spread}",
        "p comes first: it may leave out modes",
        f"E log {_of('q', judge)}",
        f"E log {' '.join([_of('q^r', judge), *(_of('q', c) for c in codes)])}",
        "sleep: both learn from rows of p(x | y)",
    )


def _explained(name: str, model: Model, made: Conditional, judge: Conditional, inferred: list[Conditional]) -> Reading:
    """A density of x: x is visible, y and whatever it is made of are latent."""
    x, z = made.child.name, _names(*(c.child for c in inferred))
    told = _names(*(v for v in made.given if v.name not in model.conditionals))
    also, bar = told and f", {told}", told and f" | {told}"
    q = " ".join([*(_of("q", c) for c in inferred), _of("q*^r", judge)])
    bound = f"E_q log {_of('p', made)} - KL(q || p({z}{bar}) p({judge.child.name}))"
    return Reading(
        name,
        _joint(model),
        f"drawn from a density, p({x} | {_names(*(v for v in made.given if v != judge.child))})",
        x,
        f"{z}, {judge.child.name}",
        f"{q}, the guide",
        f"{_of('q*', judge)}, perfect and fixed",
        f"KL({q} || p({z}, {judge.child.name} | {x}{also}))",
        "p comes second: it has to cover all rows of data",
        bound,
        bound,
        "wake: both learn from rows of data",
    )


def _tells(variable: Variable) -> bool:
    """Whether it says where a row is from."""
    return variable.finite and variable.states == SOURCES


def _joint(model: Model) -> str:
    """The factors of a model, parents first."""
    return " ".join(_of("p", model.conditionals[n]) for n in model.graph.topological if n in model.conditionals)


def _names(*variables: Variable) -> str:
    return ", ".join(v.name for v in variables)


def _of(letter: str, conditional: Conditional) -> str:
    """A conditional as a formula: p(x | y, z)."""
    given = _names(*conditional.given)
    return f"{letter}({conditional.child.name}{given and f' | {given}'})"


def _row(name: str, cells: Sequence[str]) -> Iterator[str]:
    """The lines of one row of the table."""
    columns = [[name], *(wrap(cell, WIDTH, break_long_words=False) for cell in cells)]
    for first, *others in zip_longest(*columns, fillvalue=""):
        yield f"{first:<15}{''.join(f'{other:<{WIDTH + 2}}' for other in others)}".rstrip()
