"""A figure that was measured: what it is, how sure it is, and on which side of the truth it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log
from typing import Any, Literal

Side = Literal["exact", "estimate", "lower bound", "upper bound"]
_SIGNS: Mapping[Side, str] = {"exact": "=", "estimate": "~", "lower bound": ">=", "upper bound": "<="}


@dataclass(frozen=True)
class Figure:
    """A number with its name, unit, standard error and kind.

    Args:
        name: what was measured, such as 'log p(x)'.
        value: the number.
        side: whether the quantity is this, about this, or at least or at most this.
        how: by what it was measured, with every setting: 'IWAE, k = 50, 10,000 rows'.
        error: the standard error of the value, where there is one.
        unit: 'nats', 'bits per dimension'; nothing for shares and distances.
        interval: a confidence interval, where there is one that is not symmetric.

    Example:
        >>> print(Figure("log p(x)", -98.31, "lower bound", "ELBO, 10,000 rows", 0.21, "nats"))
        log p(x) >= -98.31 ± 0.21 nats (ELBO, 10,000 rows)
    """

    name: str
    value: float
    side: Side
    how: str = ""
    error: float | None = None
    unit: str = ""
    interval: tuple[float, float] | None = None

    def bits(self, dimensions: int) -> Figure:
        """A log-likelihood in nats as bits per dimension, which are smaller the better.

        Args:
            dimensions: how many numbers a row has.

        Example:
            >>> print(Figure("log p(x)", -64.0, "lower bound", "ELBO", unit="nats").bits(64))
            bits per dimension <= 1.443 (ELBO)
        """
        scale = dimensions * log(2)
        swapped: dict[Side, Side] = {"lower bound": "upper bound", "upper bound": "lower bound"}
        error = None if self.error is None else self.error / scale
        interval = None if self.interval is None else (-self.interval[1] / scale, -self.interval[0] / scale)
        side = swapped.get(self.side, self.side)
        return Figure("bits per dimension", -self.value / scale, side, self.how, error, "", interval)

    def json(self) -> dict[str, Any]:
        """As plain values; what is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {_short(self.error, 2)}"
        within = "" if self.interval is None else f" in [{', '.join(_short(end, 4) for end in self.interval)}]"
        parts = [f"{self.name} {_SIGNS[self.side]} {_short(self.value, 4)}{error}{within}", self.unit]
        return " ".join(part for part in parts if part) + (f" ({self.how})" if self.how else "")


def _short(number: float, digits: int) -> str:
    """So many digits, or all before the point."""
    return f"{number:,.0f}" if 10 ** (digits - 1) <= abs(number) < 1e9 else f"{number:.{digits}g}"
