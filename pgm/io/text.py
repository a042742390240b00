"""The text of a file: read and written plain or gzipped, with the line of whatever is wrong."""

from __future__ import annotations

import gzip
import os
import re
import warnings
import zlib
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import FileError

QUOTED = r'"(?:[^"\\\n]|\\.)*+"'
_PLAIN = re.compile(r"(?:[A-Za-z0-9_.+<>=-]|/(?!/))+")
_ITEM = re.compile(rf'{QUOTED}|[^",]+')
_WORD = re.compile(rf'{QUOTED}|[^",\s]+')
_SOLID = re.compile(r"\S")
_COMMENT = rf"{QUOTED}|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|(?:^|(?<=[;{{}}\n]))[ \t\r]*+[#%][^\n]*+"


@dataclass(frozen=True)
class Source:
    """The decoded text of one file; a place in it is an offset counted from 0.

    Args:
        path: where it came from, for messages.
        text: all of it; whoever blanks comments keeps the offsets.
        first: the number of its first line, for a piece of a longer file.
    """

    path: Path
    text: str
    first: int = 1

    @cached_property
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    def line(self, place: int) -> int:
        """The line of a place, counted from 1."""
        return bisect_left(self._line_ends, place) + self.first

    def error(self, place: int, message: str) -> FileError:
        """What is wrong at a place, ready to be raised."""
        return fault(self.path, self.line(place), message)


def fault(path: Path, line: int, message: str) -> FileError:
    """What is wrong on a line of a file, ready to be raised."""
    return FileError(f"{path}:{line}: {message}")


def read_bytes(path: Path) -> bytes:
    """All bytes of a file, decompressed when its name ends in .gz.

    Raises:
        FileError: when it can not be read, or its compression and its name disagree.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file; looked from the folder {Path.cwd()}.") from None
    except OSError as error:
        raise FileError(f"{path}: can not be read ({error.strerror}); expected a readable file.") from None
    zipped = data[:2] == b"\x1f\x8b"
    if path.suffix.lower() != ".gz":
        if zipped:
            raise FileError(f"{path}: is gzipped, but its name does not end in .gz; rename or unpack it.")
        return data
    if not zipped:
        raise FileError(f"{path}: is not gzipped, but its name ends in .gz; rename it without .gz.")
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path}: the gzip data is damaged or cut off ({error}); fetch the file again.") from None


def write_bytes(path: Path, data: bytes) -> None:
    """Write beside the file and rename, so that a failed write leaves the old file as it was.

    Raises:
        FileError: when the folder or file can not be written.
    """
    if path.suffix.lower() == ".gz":
        data = gzip.compress(data, mtime=0)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise FileError(f"{path}: can not be written ({error.strerror}); expected a writable folder.") from None


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; see `write_bytes`."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        bad = text[max(error.start - 20, 0) : error.end]
        raise FileError(f"{path}: {bad!r} can not be written as UTF-8; rename the variable or state.") from None
    write_bytes(path, data)


def decode(path: Path, data: bytes) -> Source:
    """The text of a file: UTF-8, or Latin-1 where it is not (files older than UTF-8)."""
    try:
        return Source(path, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Source(path, data.decode("latin-1"))


def without_comments(source: Source, mark: str = "") -> Source:
    """The source with comments blanked in place: //, /* */, and # or % where a statement could begin.

    Args:
        source: the text; what is in double quotes is kept.
        mark: a letter that begins a comment wherever it stands.

    Raises:
        FileError: when a /* comment is never closed.

    Example:
        >>> without_comments(Source(Path("a.bif"), "x; // why")).text
        'x;       '
    """

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("/*") and not found.endswith("*/", 2):
            raise source.error(match.start(), "the comment begun with '/*' is never closed; add '*/'.")
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    if not any(sign in source.text for sign in ("//", "/*", "#", "%")):
        return source
    pattern = _COMMENT + (rf"|{mark}[^\n]*+" if mark else "")
    return Source(source.path, re.sub(pattern, blank, source.text))


def quote(name: str) -> str:
    """A name as it stands in a file: in double quotes, with \\ before quotes and backslashes, unless it is plain.

    Example:
        >>> quote("rain"), quote("no rain")
        ('rain', '"no rain"')
    """
    return name if _PLAIN.fullmatch(name) else quoted_always(name)


def quoted_always(name: str) -> str:
    """A name in double quotes, whatever it is made of."""
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def unquote(token: str) -> str:
    """The name that a token stands for: stripped, and without its quotes.

    Example:
        >>> unquote(' "no rain"'), unquote(" rain ")
        ('no rain', 'rain')
    """
    token = token.strip()
    if len(token) >= 2 and token[0] == token[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", token[1:-1])
    return token


def items(text: str) -> list[str]:
    """The names in a list separated by commas; quoted names may hold commas, unquoted ones spaces.

    Example:
        >>> items('yes, "no, never", not now')
        ['yes', 'no, never', 'not now']
    """
    if '"' not in text:
        return [item for item in map(str.strip, text.split(",")) if item]
    return [unquote(token) for token in _ITEM.findall(text) if token.strip()]


def words(text: str) -> list[str]:
    """The names in a list separated by commas or spaces.

    Example:
        >>> words('yes "no, never"')
        ['yes', 'no, never']
    """
    return [unquote(token) for token in _WORD.findall(text)]


def numbers(source: Source, start: int, stop: int, subject: str) -> np.ndarray:
    """All numbers of a stretch of text, separated by spaces or commas, converted in bulk.

    Raises:
        FileError: naming the first token that is no finite number or is negative, with its line.

    Example:
        >>> numbers(Source(Path("a.bif"), "0.25, 7.5e-1"), 0, 12, "a")
        array([0.25, 0.75])
    """
    found = convert(source.text[start:stop])
    if found is None:
        raise first_bad(source, start, stop, subject)
    return found


def convert(text: str) -> np.ndarray | None:
    """The numbers in a text, or None when one is negative, not finite, or no number at all."""
    found = parse(text)
    if found is None or (found.size and not (found.min() >= 0 and found.max() < np.inf)):  # NaN fails both
        return None
    return found


def parse(text: str) -> np.ndarray | None:
    """The numbers in a text, of any sign, or None when there is something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how older numpy says that something else is there
        try:
            return np.fromstring(text.replace(",", " "), sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def first_bad(source: Source, start: int, stop: int, subject: str) -> FileError:
    """What is wrong with the first token from start to stop that is no finite number or is negative."""
    for match in re.finditer(r"[^\s,]+", source.text[start:stop]):
        value = _number(match[0])
        if not 0 <= value < np.inf:
            wrong = "is negative" if value < 0 else "is not a finite number"
            return source.error(start + match.start(), f"{subject}: {match[0]!r} {wrong}; expected numbers from 0 up.")
    return source.error(start, f"{subject}: expected numbers separated by spaces or commas.")


def _number(token: str) -> float:
    try:
        return float(token)
    except ValueError:
        return float("nan")


def glimpse(text: str) -> str:
    """What messages show of a text: the beginning of its first line."""
    return text.strip().split("\n")[0][:60].strip()


def skip_space(text: str, place: int) -> int:
    """The first place from there on that is not white space; the length of the text when there is none."""
    found = _SOLID.search(text, place)
    return found.start() if found else len(text)


def place_of_token(source: Source, start: int, stop: int, index: int) -> int:
    """Where the token of that index begins; the last one when there are fewer."""
    place = start
    for count, match in enumerate(re.finditer(r"[^\s,()]+", source.text[start:stop])):
        if count > index:
            break
        place = start + match.start()
    return place
