"""log p of what is seen: exact where hidden units are independent, otherwise bounded by mean field; less log Z."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pgm.engines.progress import Watched

from ...data.data import Data
from ...evaluate.bounds import counted, error
from ...evaluate.figure import Figure, Side
from ...evaluate.rows import Rows, at_rest
from ...training.fitting import require_fitting
from .annealed import annealed_log_z
from .clamped import mean_field
from .exact import SOON, bits_of, log_z, smallest
from .gibbs import sweep
from .machine import Machine


@torch.no_grad()
def log_product_bound(machine: Machine, seen: Mapping[str, Tensor], rounds: int = 30) -> Tensor:
    """log of the sum over hidden layers of the product of all potentials, or a bound below it, `[*batch]`.

        max_q E_q[score(v, h)] + H(q) <= log sum_h exp score(v, h)

    q makes all units independent in as few layers as can be; all others are summed exactly given the means of these, so
    that nothing is lost where hidden units are not coupled with one another: then it is minus the free energy.

    Args:
        machine: a machine.
        seen: visible and given layers, `[*batch, *event]` by name.
        rounds: of mean field, each of which brings it nearer.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import dbm
        >>> machine = dbm(Variable("v", Binary(6)), 4, 3, deviation=1.0)
        >>> some, more = (log_product_bound(machine, {"v": torch.ones(1, 6)}, rounds) for rounds in (1, 30))
        >>> bool(more >= some)
        True

    Reference: Saul, Jaakkola and Jordan (1996), Mean field theory for sigmoid belief networks; Salakhutdinov and Hinton
    (2009), Deep Boltzmann machines.
    """
    known = machine.state(seen)
    kept = smallest(machine, tuple(known))
    summed = [v.name for v in machine.hidden if v.name not in kept]
    if not kept:
        return machine.log_sum(known, summed)
    state, entropy = mean_field(1)(machine, known)[0], torch.zeros((), device=machine.device)
    for _ in range(rounds - 1):  # layers of one kind and then those of the other, so that no round lowers the bound
        state = sweep(machine, state, [*summed, *kept], means=True)
    state = sweep(machine, state, summed, means=True)
    for name in kept:
        field, units = machine.field(name, state), machine.units(name)
        state[name] = mean = units.mean(field)
        entropy = entropy + units.log_sum(field) - (field * mean).sum(-1)
    return machine.log_sum({name: state[name] for name in (*known, *kept)}, summed) + entropy


def log_z_figure(machine: Machine, *, means: Mapping[str, Tensor] | None = None, **options: Any) -> Figure:
    """log Z, exactly where that takes no more than a million states, otherwise by annealed importance sampling.

    Args:
        machine: with nothing given.
        means: means of layers in the data, `[*event]` by name, at which annealing begins.
        options: of `annealed_log_z`.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> print(log_z_figure(rbm(Variable("v", Binary(784)), 3, deviation=0.0)))
        log Z = 545.5 nats (exact)
    """
    if bits_of(machine, smallest(machine)) <= SOON:
        return Figure("log Z", log_z(machine), "exact", "exact", unit="nats")
    return annealed_log_z(machine, means=means, **options)


def normalised(found: Figure, log_z: Figure) -> Figure:
    """A figure of an unnormalised log density less log Z.

    A lower bound stays one: of an estimated log Z the upper end of its interval is taken. What was exact becomes an
    estimate, with an interval, where log Z is one.

    Args:
        found: exact or a lower bound, in nats.
        log_z: exact, or an estimate with an interval.

    Example:
        >>> log_z = Figure("log Z", 200.0, "estimate", "AIS", interval=(199.5, 200.25))
        >>> print(normalised(Figure("log p(x)", 100.0, "lower bound", "mean field", unit="nats"), log_z))
        log p(x) >= -100.2 nats (mean field; log Z up to 200.25: AIS)
        >>> print(normalised(Figure("log p(x)", 100.0, "exact", "summed", unit="nats"), log_z))
        log p(x) ~ -100 in [-100.2, -99.5] nats (summed; log Z: AIS)
    """
    if log_z.interval is None:
        return _less(found, log_z.value, found.side, f"log Z {log_z.how}")
    low, high = log_z.interval
    if found.side == "lower bound":
        return _less(found, high, "lower bound", f"log Z up to {high:.2f}: {log_z.how}")
    interval = (found.value - high, found.value - low)
    return _less(found, log_z.value, "estimate", f"log Z: {log_z.how}", interval)


def likelihood(
    machine: Machine,
    data: Data,
    log_z: Figure | None = None,
    *,
    rounds: int = 30,
    batch: int = 500,
    seed: int = 0,
    progress: bool = True,
) -> Figure:
    """The mean log p of what is seen: exact, an estimate with an interval, or a lower bound, as the machine allows.

    Where hidden units are coupled with one another mean field bounds it from below. log Z is exact or annealed.

    Args:
        machine: with nothing given.
        data: a column for each visible layer.
        log_z: where it is known already; by default `log_z_figure`, begun at the means of the data.
        rounds: of mean field.
        batch: rows at a time.
        seed: of annealing, and of what data draw anew.
        progress: whether to show a bar when it takes long.

    Returns:
        A figure in nats, with its standard error over rows.

    Raises:
        GraphError: when a column is missing.
        ShapeError: when a column does not fit the variable of its name.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import dbm
        >>> rows = Data({"v": torch.ones(20, 6)}, "ones")
        >>> print(likelihood(dbm(Variable("v", Binary(6)), 4, 3, deviation=0.0), rows))
        log p(v) >= -4.159 ± 0 nats (mean field, 30 rounds, 20 rows of ones; log Z exact)

    Reference: Salakhutdinov and Murray (2008), On the quantitative analysis of deep belief networks; Salakhutdinov and
    Hinton (2009), Deep Boltzmann machines.
    """
    for v in machine.visible:
        data[v.name]
    require_fitting(data, machine.modules, "likelihood")
    if log_z is None:
        log_z = log_z_figure(machine, means=means_of(machine, data), seed=seed, progress=progress)
    parts = []
    with at_rest(machine.model, seed=seed) as device, torch.no_grad():
        rows = Rows(data, batch, seed, device)
        with Watched(len(rows), "batches", progress) as steps:
            for step in steps:
                seen = {v.name: rows[step][v.name] for v in machine.visible}
                parts.append(log_product_bound(machine, seen, rounds).double())
    values, loose = torch.cat(parts), bool(smallest(machine, tuple(v.name for v in machine.visible)))
    how = f"{f'mean field, {rounds} rounds' if loose else 'hidden units summed'}, {counted(values, data)}"
    name = f"log p({', '.join(v.name for v in machine.visible)})"
    found = Figure(name, values.mean().item(), "lower bound" if loose else "exact", how, error(values), "nats")
    return normalised(found, log_z)


def means_of(machine: Machine, data: Data) -> dict[str, Tensor]:
    """The means in data of visible layers of bits and numbers, `[*event]` by name."""
    return {v.name: data[v.name].mean(0).to(machine.device) for v in machine.visible if not v.finite}


def _less(found: Figure, log_z: float, side: Side, how: str, interval: tuple[float, float] | None = None) -> Figure:
    return replace(found, value=found.value - log_z, side=side, how=f"{found.how}; {how}", interval=interval)
