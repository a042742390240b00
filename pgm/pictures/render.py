"""The program that lays out and draws DOT: the system's Graphviz when there is one, else graphviz-pure."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError


@dataclass(frozen=True)
class Renderer:
    """A dot-compatible program.

    Args:
        path: of the executable.
        pdf: whether it writes PDF.
    """

    path: str
    pdf: bool

    @property
    def name(self) -> str:
        return Path(self.path).stem


def renderer() -> Renderer:
    """The first dot-compatible program found.

    Raises:
        FileError: when there is none.
    """
    system = shutil.which("dot")
    if system:
        return Renderer(system, pdf=True)
    pure = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if pure:
        return Renderer(pure, pdf=False)
    raise FileError(
        "plot: no program to draw with, expected `dot` or `graphviz-pure`. "
        "Run `pip install graphviz-pure`, or use `.dot`, which needs neither."
    )


def render(dot: str, form: str, dpi: int = 72) -> bytes:
    """A drawing of DOT text.

    Args:
        dot: the text.
        form: 'svg', 'png' or 'pdf', or another format that the program knows.
        dpi: pixels an inch, for formats that have pixels.

    Raises:
        FileError: when the program does not write the format, or fails.
    """
    program = renderer()
    if form == "pdf" and not program.pdf:
        raise FileError(
            f"plot: {program.name} writes no PDF. Install Graphviz, so that `dot` is found, or save as .svg or .png."
        )
    pixels = [f"-Gdpi={dpi}"] if form == "png" else []
    done = subprocess.run([program.path, f"-T{form}", *pixels], input=dot.encode(), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it wrote nothing"]
        raise FileError(f"plot: {program.name} failed to write {form}: {said[-1]}.")
    return done.stdout
