"""Moves among latent variables: one unit at a time, from one row of data to another, by differences of rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cosine_similarity

from pgm.errors import ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ..pair import Pair
from .latent import Rows, Values, decoded, encoded, given_of, latent_of, shown
from .sheet import Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAT = 1e-4  # sine of an angle below which an arc is a line


@torch.no_grad()
def traversals(
    pair: Pair,
    rows: Rows | None = None,
    *,
    latent: str | None = None,
    label: object = None,
    units: int = 10,
    steps: int = 11,
    reach: float = 3.0,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """What each unit of a latent variable does: a row of images in which it alone changes, from -reach to reach.

    With data the units are in the order of their divergence KL(q(z_i | x) || p(z_i)) averaged over the rows, which is
    written beside them in nats (of an autoencoder, which has none, the variance of z_i over the rows), and everything
    else is as the guide sees the first row. Without data the units are in their own order, and the others at 0.

    Args:
        pair: whose observed variable is an image.
        rows: data, or a batch of them.
        latent: name of the variable; by default the first one of numbers. Variables that depend on it follow.
        label: what the model is conditioned on, without data.
        units: at most so many are shown.
        steps: images a row.
        reach: the largest value of the unit, in the units of z.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        PlanError: when there is no such variable.
        EvidenceError: when something is missing that is observed or given.
        ShapeError: when what is observed are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> figure = traversals(vae(Variable("image", Binary(8, 8)), latents=4), digits())

    Reference: Higgins et al. (2017), beta-VAE.
    """
    z, device = latent_of(pair, latent, "traversals"), next(pair.model.parameters()).device
    if rows is None:
        base: Values = {**given_of(pair, label, 1, "traversals"), z.name: torch.zeros(1, *z.shape, device=device)}
        chosen, costs = torch.arange(min(units, prod(z.shape))), list[str]()
    else:
        values = encoded(pair, rows, "traversals")
        use, unit = _use(pair, z, values)
        chosen = use.argsort(descending=True, stable=True)[:units]
        costs = [f"{use[number]:.2f} {unit}" for number in chosen.tolist()]
        base = {name: value[:1] for name, value in values.items() if name not in _after(pair, z)}
    places = torch.linspace(-reach, reach, steps, device=device)
    images = decoded(pair, _moved(base, z, chosen.to(device), places))
    left = [f"{z.name}[{unit}]  {cost}".rstrip() for unit, cost in zip_longest(chosen.tolist(), costs, fillvalue="")]
    above = [f"{round(place, 2) + 0.0:g}".replace("-", "−") for place in places.tolist()]
    return sheet(images, steps, Text(title, left=left, above=above), shades=shades, path=path)


def _use(pair: Pair, z: Variable, values: Values) -> tuple[Tensor, str]:
    """How much each unit is used, `[units]`, and in which unit that is measured.

    KL(q(z_i | x) || p(z_i)) in nats, averaged over rows; where one of the two is no density, or its mean has no
    formula, the variance over rows of the mean.
    """
    prior, posterior = _normal(pair.model, z, values), _normal(pair.guide, z, values)
    if prior is None or posterior is None:
        return values[z.name].flatten(1).var(0).cpu(), "variance"
    return kl_divergence(posterior, prior).reshape(-1, prod(z.shape)).mean(0).cpu(), "nats"


def _normal(model: Model, z: Variable, values: Values) -> Normal | None:
    """The Gaussian with the mean and the standard deviation of each unit, if they are known."""
    if z.name not in model.conditionals:
        return None
    conditional = model.conditionals[z.name]
    made = conditional.distribution(*(values[v.name] for v in conditional.given))
    try:
        return Normal(made.mean, made.stddev) if bool((made.stddev > 0).all()) else None
    except NotImplementedError:
        return None


def _after(pair: Pair, z: Variable) -> set[str]:
    """The names of all variables of the model that depend on one."""
    found = {z.name}
    for name in pair.model.graph.topological:
        if found.intersection(pair.model.graph.parents[name]):
            found.add(name)
    return found - {z.name}


def _moved(base: Values, z: Variable, chosen: Tensor, places: Tensor) -> Values:
    """One row for each unit and place, in which the unit is there, by name."""
    rows = len(chosen) * len(places)
    flat = base[z.name].reshape(1, -1).repeat(rows, 1)
    flat[torch.arange(rows, device=flat.device), chosen.repeat_interleave(len(places))] = places.repeat(len(chosen))
    others = {name: value.expand(rows, *value.shape[1:]) for name, value in base.items()}
    return others | {z.name: flat.reshape(rows, *z.shape)}


@torch.no_grad()
def interpolation(
    pair: Pair,
    one: Rows,
    other: Rows,
    *,
    steps: int = 9,
    spherical: bool = False,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """From one image to another by way of the latent variables, a row for each two.

    The outermost images are the data, those next to them their reconstructions. In between all latent variables of
    numbers are (1 - t) a + t b, or sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b with w the angle between a and b,
    which keeps the length that draws of a Gaussian in many dimensions have.

    Args:
        pair: whose observed variable is an image.
        one, other: data or batches, as many rows each. Labels that the model is conditioned on are those of `one`.
        steps: images between the data.
        spherical: whether to go along great circles.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        EvidenceError: when something is missing that is observed or given.
        ShapeError: when there are not as many rows in both, or what is observed are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> data = digits()
        >>> pair = vae(Variable("image", Binary(8, 8)))
        >>> figure = interpolation(pair, data.rows(slice(0, 3)), data.rows(slice(3, 6)))

    Reference: Shoemake (1985), Animating rotation with quaternion curves; White (2016), Sampling generative networks.
    """
    ends = [encoded(pair, rows, "interpolation") for rows in (one, other)]
    first, last = (shown(pair, values) for values in ends)
    if len(first) != len(last):
        raise ShapeError(f"interpolation: there are {len(first)} and {len(last)} rows, expected as many in both.")
    t = torch.linspace(0, 1, steps, device=first.device)
    between = {v.name: ends[0][v.name].repeat_interleave(steps, 0) for v in (*pair.latents, *pair.given)}
    path_of = along_circle if spherical else along_line
    for name in (v.name for v in pair.latents if not v.finite):
        between[name] = path_of(ends[0][name], ends[1][name], t).flatten(0, 1)
    inner = decoded(pair, between).unflatten(0, (len(first), steps))
    images = torch.cat([first[:, None], inner, last[:, None]], 1).flatten(0, 1)
    above = ["from", *(f"{part:.2g}" for part in t.tolist()), "to"]
    return sheet(images, steps + 2, Text(title, above=above), shades=shades, path=path)


def along_line(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points between two, `[rows, steps, *event]`."""
    t = t.reshape(-1, *[1] * (a.dim() - 1))
    return (1 - t) * a[:, None] + t * b[:, None]


def along_circle(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the arc between two, `[rows, steps, *event]`; on the line where the two are parallel."""
    x, y, t = a.flatten(1)[:, None], b.flatten(1)[:, None], t[:, None]
    angle = cosine_similarity(x, y, -1).clamp(-1, 1).acos()[..., None]
    flat = angle.sin() < FLAT
    sine = angle.sin().masked_fill(flat, 1.0)
    weights = ((1 - t) * angle).sin() / sine, (t * angle).sin() / sine
    found = torch.where(flat, 1 - t, weights[0]) * x + torch.where(flat, t, weights[1]) * y
    return found.unflatten(-1, a.shape[1:])


@torch.no_grad()
def arithmetic(
    pair: Pair,
    a: Rows,
    b: Rows,
    c: Rows,
    *,
    names: Sequence[str] = ("a", "b", "c"),
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """The images of a, b, c and a - b + c, where each is the mean of latent variables over some rows.

    Args:
        pair: whose observed variable is an image.
        a, b, c: data or batches of any number of rows. The result has the label of `c`, where there are labels.
        names: of the three.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        EvidenceError: when something is missing that is observed or given.
        ShapeError: when what is observed are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> data = digits()
        >>> a, b, c = (data.rows(slice(k, k + 1)) for k in range(3))
        >>> figure = arithmetic(vae(Variable("image", Binary(8, 8))), a, b, c)

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks.
    """
    terms = [encoded(pair, rows, "arithmetic") for rows in (a, b, c)]
    found: Values = {}
    for variable in (*pair.latents, *pair.given):
        one, less, more = (values[variable.name] for values in terms)
        if variable.finite:
            found[variable.name] = torch.stack([one[0], less[0], more[0], more[0]])
        else:
            one, less, more = (values.mean(0) for values in (one, less, more))
            found[variable.name] = torch.stack([one, less, more, one - less + more])
    under = [names[0], f"− {names[1]}", f"+ {names[2]}", "="]
    return sheet(decoded(pair, found), 4, Text(title, under), shades=shades, path=path)
