"""Diffusion in pictures: noise added and taken away, how fast the signal falls, what the bound is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pgm.errors import PlanError, ShapeError
from pgm.pictures.style import BAR, INK, QUIET, TRACK

from ..zoo.diffusion.bound import Costs
from ..zoo.diffusion.model import Diffusion
from ..zoo.diffusion.noise import Noise
from ..zoo.diffusion.route import Leg
from .curves import labelled
from .sheet import Text, sheet
from .style import SMALL, TEXT, TITLE, Where, charts, colours, headed, saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = ("noise added", "taken away", "x_0 in mind")
SIDE = 130  # pixels of a small scatter
FARTHEST = 2.6  # from 0 that small scatters show, in units of noise: nearly all of it


def process(
    model: Diffusion,
    rows: Mapping[str, Tensor],
    *,
    columns: int = 9,
    seed: int = 0,
    title: str | None = None,
    path: Where | None = None,
    **options: Any,
) -> Figure:
    """Film strips of a diffusion model, with the same step t in each column, from x_0 on the left to x_T on the right.

    Above, noise is added to rows of data, from left to right: one way through q(x_t | x_{t-1}). Below, it is taken
    away from as many draws of noise, from right to left, and last there is the x_0 that the network has in mind at
    each step. Over every column stand t and the share of the variance that is signal.

    Args:
        model: of images or of points in the plane.
        rows: x and what the model is conditioned on, `[rows, *event]` by name: three or four images, many points.
        columns: how many steps are shown, with the first and the last.
        seed: of all draws.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.
        options: `steps`, `guidance` and `eta` of `Diffusion.sample`.

    Raises:
        ShapeError: when x is neither images nor points in the plane.
        PlanError: when there are fewer than 2 columns.

    Example:
        >>> from deepgen import cosine_noise, diffusion, swirl, timed_mlp
        >>> data = swirl(500)
        >>> model = diffusion(data.variable("x"), timed_mlp(8), noise=cosine_noise(20))
        >>> figure = process(model, {"x": data["x"]}, columns=5)
        >>> [axes.get_title() for axes in figure.axes[:5]]
        ['0, 100 %', '5, 85 %', '10, 49 %', '15, 14 %', '20, 0 %']

    Reference: Sohl-Dickstein et al. (2015), figure 1; Ho, Jain and Abbeel (2020), figure 6.
    """
    if columns < 2:
        raise PlanError(f"process: columns is {columns}, expected 2 or more.")
    x, given = rows[model.x.name], {v.name: rows[v.name] for v in model.given}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found, way = _way_back(model, x, given, options)
        shown = min(columns - 1, len(way))
        chosen = [len(way) - round(len(way) * place / shown) for place in range(1, shown + 1)]
        legs, noisy, minds = zip(*(way[place] for place in chosen), strict=True)
        strips = [[x, *_way_there(x, legs)], [found, *noisy], [found, *minds]]
    heads = ["0, 100 %", *(f"{leg.step}, {100 * leg.kept:.0f} %" for leg in legs)]
    said = title or "Step and share of signal: noise added rightwards, taken away leftwards"
    if x.dim() == 2 and x.shape[1] == 2:
        return _scatters(strips, heads, said, path)
    tiles = torch.stack([torch.stack([each.cpu() for each in strip], 1) for strip in strips]).flatten(0, 2)
    left = [word for way_ in WAYS for word in (way_, *[""] * (len(x) - 1))]
    return sheet(tiles, len(heads), Text(said, left=left, above=heads), shades=(-1.0, 1.0), band=len(x), path=path)


def _way_back(
    model: Diffusion, x: Tensor, given: Mapping[str, Tensor], options: Mapping[str, Any]
) -> tuple[Tensor, list[tuple[Leg, Tensor, Tensor]]]:
    """As many samples as there are rows; every leg with x_t and the x_0 in mind, from x_T on."""
    way: list[tuple[Leg, Tensor, Tensor]] = []
    found = model.sample(len(x), given, watch=lambda *seen: way.append(seen), **options)
    return found, way


def _way_there(x: Tensor, legs: tuple[Leg, ...]) -> list[Tensor]:
    """One way of rows through the steps at which legs begin, upwards."""
    now, kept, found = x, 1.0, list[Tensor]()
    for leg in legs:
        left = leg.kept / kept
        now, kept = left**0.5 * now + (1 - left) ** 0.5 * torch.randn_like(now), leg.kept
        found.append(now)
    return found


def _scatters(strips: list[list[Tensor]], heads: list[str], title: str, path: Where | None) -> Figure:
    """Small scatters in rows, all with the same limits."""
    figure, axes = charts(len(strips), len(heads), SIDE, SIDE)
    states = [state.detach().cpu() for strip in strips for state in strip]
    farthest = max(FARTHEST, states[0].abs().max().item() * 1.05)
    for place, (each, state) in enumerate(zip(axes, states, strict=True)):
        row, column = divmod(place, len(heads))
        across, up = state.T.tolist()
        each.scatter(across, up, s=max(0.4, min(4.0, 1000 / len(state))), color=BAR, alpha=0.6, linewidths=0)
        each.spines[:].set_visible(False)
        each.set(xlim=(-farthest, farthest), ylim=(-farthest, farthest), aspect="equal", xticks=[], yticks=[])
        if row == 0:
            each.set_title(heads[column], color=QUIET, fontsize=SMALL)
        if column == 0:
            each.set_ylabel(WAYS[row], fontsize=SMALL)
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=TITLE)
    return saved(figure, path)


def schedules(noises: Mapping[str, Noise], *, path: Where | None = None) -> Figure:
    """How fast the signal falls: its share of the variance, and the log of its ratio to the noise, by t / T.

    Args:
        noises: processes by name.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        ShapeError: when there is none.

    Example:
        >>> from deepgen import cosine_noise, linear_noise
        >>> figure = schedules({"cosine": cosine_noise(100), "linear": linear_noise(100)})
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['share of signal', 'log signal-to-noise ratio']

    Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models, figure 5; Kingma,
    Salimans, Poole and Ho (2021), Variational diffusion models, for the ratio.
    """
    if not noises:
        raise ShapeError("schedules: there are no processes, expected one or more by name.")
    figure, axes = charts(1, 2, 400, 300)
    for place, (chart, title) in enumerate(zip(axes, ("share of signal", "log signal-to-noise ratio"), strict=True)):
        lines = {}
        for (name, noise), colour in zip(noises.items(), colours(len(noises)), strict=True):
            values = (noise.kept, noise.snr.log())[place].detach().cpu()[place:]  # at step 0 the ratio is infinite
            times = torch.arange(place, noise.steps + 1) / noise.steps
            (lines[name],) = chart.plot(times, values, color=colour, lw=1.5)
        chart.set_xlabel("t / T")
        headed(chart, title)
        labelled(chart, lines)
    return saved(figure, path)


def bound_terms(costs: Costs, *, path: Where | None = None) -> Figure:
    """What minus the evidence lower bound is made of: its three terms, and the divergence of every step, in nats.

    Args:
        costs: of some rows, as `Diffusion.costs` gives them; their means are drawn.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Example:
        >>> from deepgen import cosine_noise, diffusion, swirl, timed_mlp
        >>> data = swirl(50)
        >>> model = diffusion(data.variable("x"), timed_mlp(8), noise=cosine_noise(20))
        >>> figure = bound_terms(model.costs({"x": data["x"]}))
        >>> len(figure.axes[1].lines[0].get_ydata())
        19

    Reference: Ho, Jain and Abbeel (2020), equation 5; Nichol and Dhariwal (2021), figure 2, for the terms by step.
    """
    terms = {"data  $L_0$": costs.data, "steps  $L_1$ to $L_{T-1}$": costs.steps.sum(0), "prior  $L_T$": costs.prior}
    figure, (bars, line) = charts(1, 2, 400, 300)
    numbers = [value.mean().item() for value in terms.values()]
    drawn = bars.barh(list(terms), numbers, color=BAR, height=0.6)
    bars.axvline(0, color=TRACK, lw=0.8)
    bars.bar_label(drawn, [f"{number:,.4g}" for number in numbers], padding=4, color=QUIET, fontsize=TEXT)
    bars.margins(x=0.35)
    bars.invert_yaxis()
    bars.spines[:].set_visible(False)
    bars.tick_params(length=0)
    bars.set_xticks([])
    headed(bars, f"minus the bound: {costs.total.mean().item():,.4g} nats")
    by_step = costs.steps.flatten(1).mean(1).detach().cpu()
    line.plot(range(2, len(by_step) + 2), by_step.tolist(), color=BAR, lw=1.3)
    if bool((by_step > 0).all()):
        line.set_yscale("log")
        line.minorticks_off()
    line.set_xlabel("t")
    headed(line, "$L_{t-1}$ in nats")
    return saved(figure, path)
