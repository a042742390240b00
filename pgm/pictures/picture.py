"""A picture: DOT source that can be shown in a notebook and saved as SVG, PNG, PDF or DOT."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError
from ..io.text import write_bytes
from .render import render
from .sketch import LARGE

TEXT = (".dot", ".gv")
DRAWN = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Picture:
    """A drawing of a model, as DOT source; laid out only when it is shown or saved.

    Args:
        dot: the source, in the DOT language.
        view: which view of the graph it shows.
        nodes: how many nodes it has.

    Example:
        >>> Picture("digraph { a -> b }", "directed", 2)
        Picture(directed view, 2 nodes)
    """

    dot: str
    view: str
    nodes: int

    def svg(self) -> str:
        """The drawing as SVG text.

        Raises:
            FileError: when no program to draw with is found, or it fails.
        """
        return render(self.dot, "svg").decode()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture; the suffix says how.

        Args:
            path: ends in .svg, .png, .pdf, or .dot or .gv for the source.

        Returns:
            The path.

        Raises:
            FileError: on another suffix, a format the program cannot write, or a path that cannot be written.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in TEXT + DRAWN:
            raise FileError(f"plot: {str(path)!r} ends in {suffix!r}, expected one of {', '.join(DRAWN + TEXT)}.")
        content = self.dot.encode() if suffix in TEXT else self._drawn(suffix[1:])
        write_bytes(target, content)
        return target

    def _drawn(self, form: str) -> bytes:
        return render(self.dot, form, dpi=72 if self.nodes > LARGE else 192)

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"Picture({self.view} view, {self.nodes} nodes)"
