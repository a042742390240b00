"""From noise to data: in any number of steps, guided, around what is known, or from a start that is there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import EvidenceError, GraphError, PlanError, ShapeError
from pgm.variable import Variable, quoted

from ...networks.rest import resting
from .denoiser import Denoiser
from .route import Leg

Watch = Callable[[Leg, Tensor, Tensor], object]
"""Is shown each leg of the way, x_t at its beginning and the x_0 that the network has in mind there."""


@dataclass(frozen=True)
class Sampler:
    """What is done at every leg of the way.

    Args:
        guidance: how much further than a conditioned prediction to go, away from the unconditioned one; 0 for not.
        clip: the least and the most that x_0 may be; None for any number.
        repeats: how often each leg is taken with a known part, with noise in between, so that the rest fits it.
        progress: whether to show a bar on a terminal once it takes long.
        watch: is shown every leg.

    Raises:
        PlanError: when a leg is not taken at all.

    Reference: Ho and Salimans (2022), Classifier-free diffusion guidance; Lugmayr et al. (2022), RePaint, for repeats.
    """

    guidance: float = 0.0
    clip: tuple[float, float] | None = None
    repeats: int = 1
    progress: bool = True
    watch: Watch | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise PlanError(f"sample: repeats is {self.repeats}, expected 1 or more.")


@dataclass(frozen=True, eq=False)
class Known:
    """A part of every row that is known.

    Args:
        values: `[*batch, *event]`; what is not known does not count.
        mask: 1 or True where they are known, `[*event]` or `[*batch, *event]`.

    Raises:
        ShapeError: when the mask does not fit the values.
    """

    values: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if not _fits(self.mask.shape, self.values.shape):
            raise ShapeError(
                f"sample: mask has shape {tuple(self.mask.shape)}, expected that of the values, "
                f"{tuple(self.values.shape)}, or of one row."
            )

    def put(self, now: Tensor, kept: float) -> Tensor:
        """x_t with the known part as it is by then, with so much of its variance kept."""
        there = kept**0.5 * self.values + (1 - kept) ** 0.5 * torch.randn_like(now)
        return torch.where(self.mask.bool(), there, now)


def known_part(
    known: Tensor | None, mask: Tensor | None, like: Tensor, shades: tuple[float, float] | None = None
) -> Known | None:
    """What is known of rows, if anything.

    Raises:
        ShapeError: when only one of the two is there, or they do not fit.
        EvidenceError: when what is known is beyond the shades, where there are any.
    """
    if (known is None) != (mask is None):
        raise ShapeError("sample: known values and their mask belong together; one of them is missing.")
    if known is None or mask is None:
        return None
    if not _fits(known.shape, like.shape):
        expected = f"{tuple(like.shape)}, or that of one row"
        raise ShapeError(f"sample: known values have shape {tuple(known.shape)}, expected {expected}.")
    part = Known(known.to(like).expand(like.shape), mask.to(like.device))
    require_shades(part.values[part.mask.bool().expand(like.shape)], shades, "known values")
    return part


def _fits(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether values of a shape can be spread over a whole."""
    ends = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(one in (1, all_) for one, all_ in ends)


def require_shades(values: Tensor, shades: tuple[float, float] | None, what: str, subject: str = "sample") -> None:
    """Raise an `EvidenceError` when there are shades, and values beyond them."""
    if shades is None or not values.numel():
        return
    low, high = values.min().item(), values.max().item()
    if not (shades[0] <= low and high <= shades[1]):  # numbers that are none are no shades either
        bounds = f"{shades[0]:g} to {shades[1]:g}"
        raise EvidenceError(f"{subject}: {what} go from {low:g} to {high:g}, expected {bounds}, as in `centred` data.")


def columns(variables: Sequence[Variable], batch: Mapping[str, Tensor], subject: str) -> list[Tensor]:
    """The columns of a batch that are called as some variables are.

    Raises:
        GraphError: when there is none.
    """
    missing = next((v.name for v in variables if v.name not in batch), None)
    if missing is not None:
        raise GraphError(f"{subject}: there is no column {missing!r}; there are {quoted(batch) or 'none'}.")
    return [batch[v.name] for v in variables]


def given_values(
    variables: Sequence[Variable], given: Mapping[str, Tensor] | None, rows: int, places: int = 1
) -> list[Tensor]:
    """The values of what a model is conditioned on, one for each row or place, in the order of the variables.

    Raises:
        PlanError: when there are no rows, or one of the variables is not given.
        GraphError: when something else is given.
        ShapeError: when there is not a value for each row.
        EvidenceError: when a number stands for no state.
    """
    if rows < 1:
        raise PlanError(f"sample: rows is {rows}, expected 1 or more.")
    values, names = given or {}, [variable.name for variable in variables]
    stranger = next((name for name in values if name not in names), None)
    if stranger is not None:
        raise GraphError(
            f"sample: {stranger!r} is given, but the model is conditioned on {quoted(names) or 'nothing'}."
        )
    for variable in variables:
        if variable.name not in values:
            raise PlanError(f"sample: {variable.name!r} is not given; give its values, [{rows}, *event].")
        _require_values(variable, values[variable.name], rows, places)
    return [values[name] for name in names]


def _require_values(variable: Variable, values: Tensor, rows: int, places: int) -> None:
    name, shape = variable.name, (rows, *variable.shape)
    if values.shape != shape and (places == 1 or values.shape != (rows, places, *variable.shape)):
        also = f", or [rows, {places}, *event]" if places > 1 else ""
        raise ShapeError(f"sample: {name!r} has shape {tuple(values.shape)}, expected {shape} = [rows, *event]{also}.")
    if not variable.finite:
        return
    if values.is_floating_point():
        raise EvidenceError(f"sample: {name!r} holds {values.dtype}, expected the numbers of its states, torch.int64.")
    wrong = values[(values < 0) | (values >= variable.size)]
    if wrong.numel():
        raise EvidenceError(f"sample: {name!r} holds {wrong[0].item()}, expected 0 to {variable.size - 1}.")


def require_guided(guidance: float, given: Sequence[Variable], dropped: float) -> None:
    """Raise a `PlanError` when there is guidance, but nothing given, or the network never learned to do without."""
    if guidance and not (given and dropped):
        why = "never learned to do without labels; make it with dropped=0.1" if given else "is given nothing"
        raise PlanError(f"sample: guidance is {guidance}, but the model {why}.")


def require_start(start: Tensor, draw: Tensor, strength: float, name: str) -> None:
    """Raise a `ShapeError` unless a start is like a draw, a `PlanError` unless its strength is a share."""
    if start.shape != draw.shape:
        shapes = f"{tuple(start.shape)}, expected {tuple(draw.shape)}"
        raise ShapeError(f"sample: start has shape {shapes} = [rows, *event of {name!r}].")
    if not 0 <= strength <= 1:
        raise PlanError(f"sample: strength is {strength}, expected 0 to 1.")


@torch.no_grad()
def walk(
    denoiser: Denoiser,
    now: Tensor,
    given: Sequence[Tensor] = (),
    *,
    legs: Sequence[Leg],
    sampler: Sampler,
    known: Known | None = None,
) -> Tensor:
    """x_0 from x_t, `[rows, *event]`; Ctrl-C returns what the network has in mind by then.

    The network is at rest meanwhile, so that dropout is for training alone.

    Args:
        denoiser: the way back.
        now: x_t where the first leg begins, `[rows, *event]`.
        given: what else the denoiser is told; zeros stand for nothing, as while training with guidance.
        legs: which way to go; none leaves x_t as it is, but for what is known.
        sampler: what to do at each of them.
        known: the part that is known.
    """
    start = now
    with resting(denoiser), Watched(len(legs), "steps", sampler.progress) as numbers:
        for number in numbers:
            leg = legs[number]
            for repeat in range(sampler.repeats if known is not None and leg.before < 1 else 1):
                if repeat:  # back up by one step of noise
                    now = leg.alpha**0.5 * now + (1 - leg.alpha) ** 0.5 * torch.randn_like(now)
                before = now
                now, start = _step(denoiser, before, leg, given, sampler)
                if known is not None:
                    now = known.put(now, leg.before)
            if sampler.watch is not None:
                sampler.watch(leg, before, start)
    found = start if numbers.interrupted else now
    return found if known is None else known.put(found, 1.0)


def _step(
    denoiser: Denoiser, now: Tensor, leg: Leg, given: Sequence[Tensor], sampler: Sampler
) -> tuple[Tensor, Tensor]:
    """x_{t-1} drawn, and the x_0 that the network has in mind."""
    said, between = _said(denoiser, now, leg.step, given, sampler.guidance)
    start = leg.of_said * said + leg.of_seen * now
    if sampler.clip is not None:
        start = start.clamp(*sampler.clip)
    mean = leg.start * start + leg.now * now
    if not leg.deviation:
        return mean, start
    deviation = leg.deviation * (1.0 if between is None else (leg.growth * (between + 1) / 2).exp())
    return mean + deviation * torch.randn_like(now), start


def _said(
    denoiser: Denoiser, now: Tensor, step: int, given: Sequence[Tensor], guidance: float
) -> tuple[Tensor, Tensor | None]:
    """The prediction, moved away from what it would be if nothing were given; both are made at once."""
    steps = torch.full((len(now),), step, device=now.device)
    if not guidance:
        return denoiser.said(now, steps, *given)
    both = (torch.cat([value, torch.zeros_like(value)]) for value in given)
    said, between = denoiser.said(torch.cat([now, now]), torch.cat([steps, steps]), *both)
    told, blind = said.chunk(2)
    return told + guidance * (told - blind), None if between is None else between[: len(now)]
