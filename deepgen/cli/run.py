"""Running the command line: exit codes, and errors as one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgm.cli.run import Program, failed
from pgm.cli.run import run as run_program

from .app import COMMANDS, program

if TYPE_CHECKING:
    import typer

NAMES = ["train", *(command.__name__ for command in COMMANDS)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `deepgen` and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run `deepgen` with these arguments.

    Args:
        arguments: what follows `deepgen` on the command line.

    Returns:
        The exit code: 0, 1 when whoever read the output stopped reading, 2 after an error (one line on stderr says
        which), 130 when training was interrupted, which keeps what there is.

    Example:
        >>> run(["sample", "run", "--no-such-option"])
        2
    """
    if arguments[:1] != ["train"]:
        return _run(arguments, program())
    from .train import commands, unknown

    wrong = unknown(arguments[1:])
    return failed(wrong) if wrong else _run(arguments, program(commands()))


def _run(arguments: Sequence[str], app: typer.Typer) -> int:
    return run_program(arguments, Program("deepgen", app, NAMES, "try a smaller --batch, or another --device"))
