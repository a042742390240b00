"""What options mean: evidence by name, lists of names, sizes of memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..engines.exact import Exact
from ..errors import EvidenceError, GraphError, PlanError
from ..model import Model
from ..variable import quoted


@dataclass(frozen=True)
class Known:
    """The evidence given by options: labels, likelihood vectors, and the distributions of Jeffrey's rule."""

    given: Mapping[str, str]
    likelihood: Mapping[str, list[float]]
    jeffrey: Mapping[str, list[float]]


def known(
    model: Model,
    given: Sequence[str] | None,
    likelihood: Sequence[str] | None = None,
    jeffrey: Sequence[str] | None = None,
) -> Known:
    """The evidence that options give for a model.

    Raises:
        EvidenceError: on an unknown variable, a variable given twice, or what is no number.
    """
    return Known(
        _pairs(model, given, "--given", "NAME=STATE"),
        _vectors(model, likelihood, "--likelihood"),
        _vectors(model, jeffrey, "--jeffrey"),
    )


def _pairs(model: Model, options: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in options or ():
        if "=" not in text:
            raise EvidenceError(f"{option} {text!r}: there is no '=', expected {form}.")
        name, value = split_at_name(text, model.graph.by_name)
        if name not in model.graph.by_name:
            raise EvidenceError(f"{option}: {name!r} is not a variable; there are {quoted(model.graph.names)}.")
        if found.setdefault(name, value) != value:
            raise EvidenceError(f"{option}: {name!r} is given as {found[name]!r} and as {value!r}; give one of them.")
    return found


def split_at_name(text: str, names: Collection[str]) -> tuple[str, str]:
    """NAME=REST split where the name is the longest that is known, else at the first '='.

    Example:
        >>> split_at_name("x=1=on", {"x", "x=1"}), split_at_name("y=a=b", {"x"})
        (('x=1', 'on'), ('y', 'a=b'))
    """
    cuts = [match.start() for match in re.finditer("=", text)]
    cut = max((cut for cut in cuts if text[:cut] in names), default=cuts[0])
    return text[:cut], text[cut + 1 :]


def _vectors(model: Model, options: Sequence[str] | None, option: str) -> dict[str, list[float]]:
    form = "NAME=.2,.8 with one number a state"
    return {name: _numbers(name, text, option) for name, text in _pairs(model, options, option, form).items()}


def _numbers(name: str, text: str, option: str) -> list[float]:
    numbers = []
    for piece in text.split(","):
        try:
            numbers.append(float(piece))
        except ValueError:
            raise EvidenceError(
                f"{option} of {name!r}: {piece!r} is not a number, expected one a state, separated by commas."
            ) from None
    return numbers


def names_in(model: Model, lists: Sequence[str] | None) -> list[str] | None:
    """Names listed with commas between them, each the longest that is a variable; None when nothing is listed.

    Raises:
        GraphError: naming what is no variable.
    """
    if not lists:
        return None
    return [name for text in lists for name in _split_names(text, model.graph.by_name)]


def _split_names(text: str, names: Collection[str]) -> list[str]:
    found, pieces = [], text.split(",")
    while pieces:
        joined = list(accumulate(pieces, lambda a, b: f"{a},{b}"))
        count = max((count for count, name in enumerate(joined, 1) if name in names), default=0)
        if not count:
            raise GraphError(f"targets: {pieces[0]!r} is not a variable; there are {quoted(names)}.")
        found.append(joined[count - 1])
        pieces = pieces[count:]
    return found


def engine(memory: str | None, seconds: float | None) -> Exact:
    """The exact engine within the limits that options set."""
    return Exact(memory=None if memory is None else size(memory), seconds=seconds)


def size(text: str) -> float:
    """Bytes from a number with a unit: B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).

    Raises:
        PlanError: when it is not one.

    Example:
        >>> size("4GB"), size("1.5 KiB")
        (4000000000.0, 1536.0)
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kmgt]?)(i?)b?", text.strip(), re.IGNORECASE)
    if match is None or (match[3] and not match[2]) or not float(match[1]):
        raise PlanError(f"--memory {text!r}: expected a size above 0, such as 4GB or 512MiB.")
    power = " kmgt".index(match[2].lower() or " ")
    return float(match[1]) * (1024.0 if match[3] else 1000.0) ** power
