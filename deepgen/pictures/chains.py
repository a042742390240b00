"""Chains of Boltzmann machines in pictures: how energies fall as they cool, and whether they are in equilibrium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pgm.pictures.style import BAR, BAR_LIGHT, INK, QUIET

from ..zoo.boltzmann.equilibrium import Equilibrium
from ..zoo.boltzmann.ground_state import GroundState
from .style import COLOURS, TEXT, Where, charts, headed, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30


def cooling(found: GroundState, *, title: str | None = None, path: Where | None = None) -> Figure:
    """The energy of every restart at every sweep, their mean, and how hot it was.

    Args:
        found: what annealing came by.
        title: above the energies.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        FileError: when the picture cannot be written.

    Example:
        >>> from deepgen import boltzmann_machine, ground_state
        >>> from pgm import Binary, Variable
        >>> figure = cooling(ground_state(boltzmann_machine(Variable("v", Binary(6)), 4, deviation=2.0)))
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['energy, nats', 'temperature']
    """
    figure, (axes,) = charts(1, 1, 560, 340)
    cooled(axes, found)
    headed(axes, title or f"Least energy {found.energy:.4g} nats, found by {found.share:.0%} of the restarts")
    return saved(figure, path)


def equilibrium(found: Equilibrium, exact: tuple[Tensor, Tensor] | None = None, *, path: Where | None = None) -> Figure:
    """How often chains had which energy, and for how many sweeps they remember it.

    Args:
        found: the chains.
        exact: energies of all states and their probabilities, `[states]` each, as `energies` gives them.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        FileError: when the picture cannot be written.

    Example:
        >>> import deepgen
        >>> from pgm import Binary, Variable
        >>> machine = deepgen.boltzmann_machine(Variable("v", Binary(6)), 4, deviation=2.0)
        >>> found = deepgen.equilibrium(machine, chains=4, sweeps=50, burn=10)
        >>> figure = equilibrium(found, deepgen.energies(machine))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['energy, nats', 'sweeps later']
    """
    figure, (left, right) = charts(1, 2, 440, 320)
    histogram(left, found.energies, exact)
    headed(left, "Energies of the chains" + (" (bars) and of the machine (line)" if exact else ""))
    right.axhline(0, color=BAR_LIGHT, lw=0.8)
    right.plot(found.autocorrelation.numpy(), color=BAR, lw=1.3)
    right.set(xlabel="sweeps later", ylabel="correlation", xlim=(0, None))
    headed(right, f"Memory of the energy: {found.effective_samples['energy'].item():,.0f} effective draws")
    return saved(figure, path)


def cooled(axes: Axes, found: GroundState) -> None:
    """Energies of all restarts against sweeps, their mean in dark, with the temperature at the right."""
    sweeps = range(len(found.energies))
    energies = found.energies.cpu()
    axes.plot(sweeps, energies.numpy(), color=BAR_LIGHT, lw=0.6, alpha=0.6)
    axes.plot(sweeps, energies.mean(1).numpy(), color=INK, lw=1.4)
    axes.set(xlabel="sweep", ylabel="energy, nats", xlim=(0, len(sweeps) - 1))
    other = axes.twinx()
    other.plot(sweeps, found.temperatures.numpy(), color=COLOURS[1], lw=1.3)
    other.set(yscale="log")
    other.set_ylabel("temperature", color=COLOURS[1], fontsize=TEXT)
    other.tick_params(which="both", colors=COLOURS[1], labelsize=TEXT, length=3, width=0.8)
    other.spines[:].set_visible(False)


def histogram(axes: Axes, energies: Tensor, exact: tuple[Tensor, Tensor] | None = None) -> None:
    """Shares of energies in bars, with those of the exact distribution as a line."""
    seen = energies.flatten().double().cpu()
    edges = torch.linspace(seen.min().item(), seen.max().item() + 1e-6, BINS + 1, dtype=torch.float64)
    shares = torch.histogram(seen, edges).hist / len(seen)
    axes.bar(edges[:-1].numpy(), shares.numpy(), width=(edges[1] - edges[0]).item(), align="edge", color=BAR_LIGHT)
    if exact is not None:
        levels, p = (each.double().cpu() for each in exact)
        true = torch.histogram(levels, edges, weight=p).hist
        axes.stairs(true.numpy(), edges.numpy(), color=INK, lw=1.2)
    axes.set(xlabel="energy, nats", ylabel="share")
    axes.yaxis.label.set_color(QUIET)
