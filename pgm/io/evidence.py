"""UAI evidence: which variables, by number, are seen in which state, by number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import EvidenceError, FileError
from ..model import Model
from .text import Source, decode, read_bytes, without_comments, write_text
from .uai import tokens


def load_evidence(path: str | os.PathLike[str]) -> list[dict[int, int]]:
    """The samples of a UAI evidence file, each from the number of a variable to the number of its state.

    A file may begin with the number of samples, or hold a single one without it.

    Args:
        path: any name; .gz is unpacked.

    Raises:
        FileError: when the counts and the numbers do not agree.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_evidence([{0: 1, 3: 0}], folder + "/a.uai.evid")
        ...     load_evidence(folder + "/a.uai.evid")
        [{0: 1, 3: 0}]
    """
    where = Path(path)
    source = without_comments(decode(where, read_bytes(where)), "#")
    every = tokens(source, 0, "evidence")
    found = every.integers(0, len(every.values), "evidence")
    if not found:
        return [{}]
    single = _samples(found, 0, 1)
    many = _samples(found, 1, found[0])
    if single is None and many is None:
        raise FileError(
            f"{where}:1: evidence: the {len(found)} numbers do not fit the counts among them; "
            "expected 'count, then pairs of variable and state', with the number of samples before it or not."
        )
    if single is not None and (not many or not _one_a_line(source, many)):
        return [_observed(where, sample) for sample in single]
    return [_observed(where, sample) for sample in many or []]


def _samples(found: list[int], index: int, count: int) -> list[list[int]] | None:
    """So many samples that use up all numbers from there on, or None."""
    samples: list[list[int]] = []
    while index < len(found) and len(samples) < count:
        stop = index + 1 + 2 * found[index]
        samples.append(found[index + 1 : stop])
        index = stop
    return samples if index == len(found) and len(samples) == count else None


def _one_a_line(source: Source, samples: list[list[int]]) -> bool:
    """Whether the lines after the first hold one sample each: what tells the two forms apart when both would do."""
    lines = [line.split() for line in source.text.splitlines() if line.strip()]
    return [len(line) for line in lines] == [1, *(1 + len(sample) for sample in samples)]


def _observed(path: Path, sample: list[int]) -> dict[int, int]:
    pairs = list(zip(sample[::2], sample[1::2], strict=True))
    observed = dict(pairs)
    if any(observed[number] != state for number, state in pairs):
        twice = next(number for number, state in pairs if observed[number] != state)
        raise FileError(f"{path}: evidence: variable {twice} is given two states; expected one.")
    return observed


def save_evidence(samples: Iterable[Mapping[int, int]], path: str | os.PathLike[str]) -> None:
    """Write a UAI evidence file: a single sample on its own, several with their number before them.

    Args:
        samples: each from the number of a variable to the number of its state.
        path: any name; .gz is packed.

    Raises:
        FileError: when there is no sample (for no evidence, give one empty sample), or the file can not be written.

    Example: see `load_evidence`.
    """
    lines = [" ".join(map(str, [len(s), *(n for pair in s.items() for n in pair)])) for s in samples]
    if not lines:
        raise FileError(f"{path}: there is no sample to write; for no evidence give one empty sample, [{{}}].")
    count = [] if len(lines) == 1 else [str(len(lines))]
    write_text(Path(path), "\n".join([*count, *lines]) + "\n")


def labelled(model: Model, observed: Mapping[int, int]) -> dict[str, str]:
    """Numbered evidence by name and label, as `given=` takes it.

    Args:
        model: its variables are numbered in their order.
        observed: from the number of a variable to the number of its state.

    Raises:
        EvidenceError: when there is no variable or state of that number.

    Example:
        >>> from pgm.model import MarkovNetwork
        >>> from pgm.potentials import Table
        >>> from pgm.variable import Variable
        >>> a, b = Variable("a", ["no", "yes"]), Variable("b")
        >>> labelled(MarkovNetwork(Table([a, b], [[1, 2], [3, 4]])), {0: 1})
        {'a': 'yes'}
    """
    given: dict[str, str] = {}
    for number, state in observed.items():
        if not 0 <= number < len(model.variables):
            raise EvidenceError(
                f"evidence: there is no variable {number}; the model has {len(model.variables)}, counted from 0."
            )
        variable = model.variables[number]
        if not 0 <= state < variable.size:
            raise EvidenceError(
                f"evidence: {variable.name!r} has no state {state}; it has {variable.size}, counted from 0."
            )
        given[variable.name] = variable.states[state]
    return given
