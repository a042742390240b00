"""Running the command line: exit codes, and errors as one line."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from ..errors import ConvergenceWarning, EvidenceError, FileError, GraphError, PlanError, ShapeError
from .app import COMMANDS, app

UNREAD, FAILED = 1, 2


@dataclass(frozen=True, eq=False)
class Program:
    """A program of commands.

    Args:
        name: by which it is called.
        app: its commands with their options.
        commands: their names.
        smaller: what to do when memory runs out.
    """

    name: str
    app: typer.Typer
    commands: Sequence[str]
    smaller: str


PGM = Program("pgm", app, [command.__name__ for command in COMMANDS], "set a limit with --memory, such as --memory 1GB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `pgm` and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], program: Program = PGM) -> int:
    """Run a program with these arguments.

    Args:
        arguments: what follows its name on the command line.
        program: which.

    Returns:
        The exit code: 0, 1 when whoever read the output stopped reading, 2 after an error (one line on stderr says
        which), 130 when interrupted.

    Example:
        >>> run(["convert", "in.bif", "out.bif", "--no-such-option"])
        2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show is no reason to fail
    try:
        with _warnings_as_lines():
            command = typer.main.get_command(program.app)
            code = command.main(list(arguments) or ["--help"], prog_name=program.name, standalone_mode=False)
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (EvidenceError, FileError, GraphError, PlanError, ShapeError) as error:
        return failed(str(error))
    except typer.TyperException as error:
        return failed(f"{_command(arguments, program)}: {error.format_message().replace('Value error, ', '')}")
    except (BrokenPipeError, SystemExit):  # typer leaves with SystemExit when a pipe breaks
        _discard_output()
        return UNREAD
    except MemoryError:
        return failed(f"{_command(arguments, program)}: out of memory; {program.smaller}.")
    except Exception as error:
        return failed(f"{_command(arguments, program)}: {type(error).__name__}: {error}")


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Say on stderr what was warned of, each warning once and on one line, however the command ends."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            yield
        finally:
            for text in dict.fromkeys(" ".join(str(each.message).split()) for each in caught):
                print(f"warning: {text}", file=sys.stderr)


def failed(message: str) -> int:
    """Say what is wrong on one line of stderr."""
    print(" ".join(message.split()), file=sys.stderr)
    return FAILED


def _command(arguments: Sequence[str], program: Program) -> str:
    return " ".join([program.name, *(word for word in arguments[:1] if word in program.commands)])


def _discard_output() -> None:
    """Nobody reads any more; what is still buffered must not fail again when the interpreter flushes it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
