"""Models read, and text written aside and renamed, so that a failed run leaves the old file as it was."""

from __future__ import annotations

import gzip
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ..errors import FileError
from ..io import load, suffix_of
from ..model import Model


def load_model(path: Path) -> Model:
    """Read a model file; what its reader warns of goes to stderr, a line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = load(path)
    for warning in caught:
        print(f"warning: {' '.join(str(warning.message).split())}", file=sys.stderr)
    return model


@contextmanager
def text_out(path: Path | None) -> Iterator[TextIO]:
    """A stream to write to: a file that appears when all is written (gzipped when it ends in .gz), or stdout.

    Raises:
        FileError: when the file can not be written; known before anything is.
    """
    if path is None:
        yield sys.stdout
        return
    aside = _aside(path)
    try:
        with _opened(aside, path.suffix.lower() == ".gz") as stream:
            yield stream
        aside.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def require_model_file(path: Path) -> None:
    """Raise a `FileError` where saving a model would, before work is spent on it."""
    suffix_of(path)
    aside = _aside(path)
    try:
        aside.touch()
        aside.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def _aside(path: Path) -> Path:
    """The name under which a file is written before it takes its own."""
    if path.is_dir():
        raise FileError(f"{path}: is a folder, expected the name of a file to write.")
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _unwritable(path: Path, error: OSError) -> FileError:
    return FileError(f"{path}: can not be written ({error.strerror}); expected a writable folder.")


def _opened(path: Path, zipped: bool) -> TextIO:
    if zipped:
        return gzip.open(path, "wt", encoding="utf-8", newline="")
    return path.open("w", encoding="utf-8", newline="")
