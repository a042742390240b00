"""UAI result files: the answers to PR (log10 of the partition function), MAR (marginals) and MAP (an assignment)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FileError
from .network import digits
from .text import Source, decode, place_of_token, read_bytes, skip_space, without_comments, write_text

TASKS = ("PR", "MAR", "MAP")


@dataclass(frozen=True)
class Result:
    """The answer to one task for one row of evidence; what the task does not ask for is empty.

    Args:
        task: 'PR', 'MAR' or 'MAP'.
        log10: PR: log10 of the partition function, or of the probability of the evidence.
        marginals: MAR: for each variable in order, the probabilities of its states.
        states: MAP: for each variable in order, the number of its state.

    Raises:
        FileError: when the task is unknown.

    Example:
        >>> Result("MAP", states=(0, 1))
        Result(task='MAP', log10=0.0, marginals=(), states=(0, 1))
    """

    task: str
    log10: float = 0.0
    marginals: tuple[tuple[float, ...], ...] = ()
    states: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise FileError(f"Result: task {self.task!r} is not known; expected one of {', '.join(TASKS)}.")


def load_results(path: str | os.PathLike[str]) -> list[Result]:
    """The answers in a UAI result file, one a row of evidence.

    Reads the form with the number of rows before the answers and the one without; where '-BEGIN-' separates answers
    that improve on each other, the last counts.

    Args:
        path: any name; .gz is unpacked.

    Raises:
        FileError: when the first word is no task, or the counts and the numbers do not agree.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_results([Result("PR", log10=-1.5)], folder + "/a.uai.PR")
        ...     load_results(folder + "/a.uai.PR")
        [Result(task='PR', log10=-1.5, marginals=(), states=())]
    """
    where = Path(path)
    source = without_comments(decode(where, read_bytes(where)), "#")
    task = next(iter(source.text.split(maxsplit=1)), "").upper()
    task = "MAP" if task == "MPE" else task
    if task not in TASKS:
        raise source.error(0, f"found {task[:40]!r}, expected one of {', '.join(TASKS)} as the first word.")
    start = re.match(r"\s*\S+", source.text)
    last = re.compile(r"-BEGIN-", re.IGNORECASE).finditer(source.text)
    place = max([start.end() if start else 0, *(match.end() for match in last)])
    found = _numbers(source, place, task)
    results = _walk(task, found, 1, 0) or _walk(task, found, _whole(found, 0), 1)
    if not results:
        place = skip_space(source.text, place)
        raise source.error(place, f"{task}: the {len(found)} numbers do not fit their counts; is the file cut off?")
    return results


def _numbers(source: Source, start: int, task: str) -> np.ndarray:
    """All numbers from there on; log10 of a zero probability may be written -inf."""
    found = source.text[start:].split()
    try:
        return np.array(found, dtype=np.float64)
    except ValueError:
        bad = next(index for index, token in enumerate(found) if not _is_number(token))
        place = place_of_token(source, start, len(source.text), bad)
        raise source.error(place, f"{task}: {found[bad]!r} is not a number.") from None


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _walk(task: str, found: np.ndarray, count: int, index: int) -> list[Result] | None:
    """So many answers that use up all numbers, or None."""
    results: list[Result] = []
    while len(results) < count:
        step = _one(task, found, index)
        if step is None:
            return None
        result, index = step
        results.append(result)
    return results if index == len(found) else None


def _one(task: str, found: np.ndarray, index: int) -> tuple[Result, int] | None:
    """The answer that begins there and the index after it, or None when the numbers do not allow it."""
    if index >= len(found):
        return None
    if task == "PR":
        return Result("PR", log10=float(found[index])), index + 1
    count = _whole(found, index)
    if task == "MAP":
        stop = index + 1 + count
        states = [_whole(found, place) for place in range(index + 1, min(stop, len(found)))]
        ok = count >= 0 and len(states) == count and min(states, default=0) >= 0
        return (Result("MAP", states=tuple(states)), stop) if ok else None
    return _marginals(found, index + 1, count)


def _marginals(found: np.ndarray, index: int, count: int) -> tuple[Result, int] | None:
    marginals: list[tuple[float, ...]] = []
    for _ in range(count):
        size = _whole(found, index)
        values = found[index + 1 : index + 1 + size] if size > 0 else found[:0]
        if size < 1 or len(values) < size:
            return None
        marginals.append(tuple(values.tolist()))
        index += 1 + size
    return (Result("MAR", marginals=tuple(marginals)), index) if count >= 0 else None


def _whole(found: np.ndarray, index: int) -> int:
    """The whole number at that index, or -1 when there is none."""
    value = float(found[index]) if index < len(found) else -1.0
    return int(value) if value >= 0 and value.is_integer() else -1


def save_results(results: Sequence[Result], path: str | os.PathLike[str]) -> None:
    """Write a UAI result file: a single answer on its own, several with their number before them.

    Args:
        results: all of one task, one a row of evidence.
        path: any name; .gz is packed.

    Raises:
        FileError: when there is none, or their tasks differ.

    Example: see `load_results`.
    """
    tasks = {result.task for result in results}
    if len(tasks) != 1:
        raise FileError(f"{path}: a result file holds one task; given were {len(results)} results of {sorted(tasks)}.")
    count = [] if len(results) == 1 else [str(len(results))]
    write_text(Path(path), "\n".join([tasks.pop(), *count, *map(_line, results)]) + "\n")


def _line(result: Result) -> str:
    if result.task == "PR":
        return repr(float(result.log10))
    if result.task == "MAP":
        return " ".join(map(str, [len(result.states), *result.states]))
    parts = [f"{len(values)} {digits(np.array(values))}" for values in result.marginals]
    return " ".join([str(len(parts)), *parts])
