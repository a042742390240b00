"""Files: models in BIF, XMLBIF, UAI and Hugin NET, and UAI evidence and results, plain or gzipped."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType

from ..errors import FileError
from ..model import Model
from . import bif, net, uai, xmlbif
from .evidence import labelled, load_evidence, save_evidence
from .network import require_finite
from .results import Result, load_results, save_results
from .text import read_bytes, write_text

__all__ = ["Result", "labelled", "load", "load_evidence", "load_results", "save", "save_evidence", "save_results"]

FORMATS = MappingProxyType(
    {".bif": bif, ".xml": xmlbif, ".xmlbif": xmlbif, ".bifxml": xmlbif, ".uai": uai, ".net": net}
)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model; the suffix of the file says which format it is in.

    Rows of probabilities that sum to 1 within 1e-6 are kept as written; those within 0.02 are rescaled and a
    warning counts them; anything further off is an error. State names stay text. A UAI file has no names:
    its variables become x0, x1, ... and their states 0, 1, ...

    Args:
        path: a .bif, .xml, .xmlbif, .bifxml, .uai or .net file, or one of these with .gz.

    Returns:
        A `BayesianNetwork`, a `MarkovNetwork` (UAI), or a `Model` when a UAI file of conditionals holds a constant.

    Raises:
        FileError: with the file, the line and the name of what is wrong.

    Example:
        >>> import tempfile
        >>> from pgm.model import BayesianNetwork
        >>> from pgm.conditionals import Tabular
        >>> from pgm.variable import Variable
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(BayesianNetwork(Tabular(coin, [], [0.5, 0.5])), folder + "/coin.bif.gz")
        ...     load(folder + "/coin.bif.gz")
        BayesianNetwork(1 variables: coin; 1 conditional)
    """
    where = Path(path)
    suffix = suffix_of(where)
    return FORMATS[suffix].read(where, read_bytes(where))


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model; the suffix of the file says in which format.

    Numbers are written with as many digits as it takes to read the same float64 back; the file is written aside and
    renamed. Conditionals other than tables are written as the table they stand for. What a format can not say is
    lost: UAI keeps no names of variables, states or the model, only their order; no format keeps float32.

    Args:
        model: a Bayesian network for any format; anything with potentials for UAI only.
        path: ends in .bif, .xml, .xmlbif, .bifxml, .uai or .net, or one of these with .gz.

    Raises:
        FileError: when the suffix is unknown, the format can not express the model, or the file can not be written.

    Example: see `load`.
    """
    where = Path(path)
    suffix = suffix_of(where)
    require_finite(model, where)
    write_text(where, FORMATS[suffix].write(model, where))


def suffix_of(path: Path) -> str:
    """The suffix that says which format a file is in, without .gz.

    Raises:
        FileError: when it is not known.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise FileError(f"{path}: suffix {suffix!r} is not known; expected one of {known}, each also with .gz.")
    return suffix
