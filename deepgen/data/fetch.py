"""Files by name: from the folder that DEEPGEN_DATA names, or downloaded once, always checked."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pgm.errors import FileError

from .idx import unpacked

FOLDER = "DEEPGEN_DATA"  # the environment variable


@dataclass(frozen=True)
class Remote:
    """A file that can be had.

    Args:
        path: where it lies in a folder of data.
        url: where it can be downloaded; None where it cannot.
        sha256: of its bytes, unzipped.
    """

    path: str
    url: str | None
    sha256: str


def fetched(remote: Remote) -> bytes:
    """The unzipped bytes of a file.

    Raises:
        FileError: when it is in no folder and cannot be downloaded, or its bytes are not those expected.
    """
    path = _local(remote) or _downloaded(remote)
    raw = unpacked(path)
    found = hashlib.sha256(raw).hexdigest()
    if found != remote.sha256:
        raise FileError(
            f"{path}: its bytes have the SHA-256 sum {found[:12]}..., expected {remote.sha256[:12]}...; the file is "
            "damaged or another one. Delete it and fetch it again."
        )
    return raw


def _local(remote: Remote) -> Path | None:
    """The file in the folder of data, where there is one."""
    folder = os.environ.get(FOLDER)
    path = Path(folder or "") / remote.path
    return path if folder and path.exists() else None


def _downloaded(remote: Remote) -> Path:
    """The file in the cache, downloaded when it is not there."""
    missing = f"{remote.path}: it is not in the folder that {FOLDER} names ({os.environ.get(FOLDER) or 'not set'})"
    if remote.url is None:
        raise FileError(f"{missing}, and has to be put there by hand.")
    import pooch

    place = Path(pooch.os_cache("deepgen"))
    try:
        found = pooch.retrieve(remote.url, known_hash=None, fname=remote.path.replace("/", "-"), path=place)
    except Exception as error:
        raise FileError(
            f"{missing}, and could not be downloaded from {remote.url} ({type(error).__name__}); put it there by hand."
        ) from None
    return Path(found)
