"""What an engine says about how far to trust an answer, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def trust(engine: str, diagnostics: Mapping[str, Any]) -> list[str]:
    """The reasons of an engine on lines of their own, then its numbers on one line.

    Args:
        engine: its name.
        diagnostics: what it says, by name; tensors, lists and mappings do not fit on a line and are left out.

    Example:
        >>> trust("LoopyBP", {"converged": True, "iterations": 12, "residual": 3.21e-7, "interrupted": False})
        ['LoopyBP: converged yes, iterations 12, residual 3.2e-07']
    """
    reasons = [f"{name}: {value}" for name, value in diagnostics.items() if isinstance(value, str)]
    said = [
        f"{name.replace('_', ' ')} {_short(value)}"
        for name, value in diagnostics.items()
        if isinstance(value, (bool, int, float)) and not (name == "interrupted" and not value)  # the rule needs no word
    ]
    return [*reasons, *([f"{engine}: {', '.join(said)}"] if said else [])]


def _short(value: bool | int | float) -> str:
    """Four decimals as in the rest of an answer, two where it is large, powers of ten where nothing would be left."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value % 1 == 0:
        return f"{value:.0f}"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.4f}" if abs(value) < 1e3 else f"{value:.2f}"
