"""IDX files, the form of MNIST and its kin: a magic number, the length of each axis, then the bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from pgm.errors import FileError

UNSIGNED_BYTES = 0x08
GZIP = b"\x1f\x8b"


def unpacked(path: Path) -> bytes:
    """The bytes of a file, unzipped where it is zipped.

    Raises:
        FileError: when it cannot be read, or the archive is cut short or damaged.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == GZIP else raw
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: it cannot be read ({error}); fetch it again.") from None


def read_idx(raw: bytes, path: Path | str) -> Tensor:
    """The bytes of an IDX file as a tensor of unsigned bytes.

    Args:
        raw: what is in the file.
        path: of the file, for messages.

    Raises:
        FileError: when it is no IDX file of bytes, or has not as many as it says.

    Example:
        >>> read_idx(b"\\x00\\x00\\x08\\x02" + b"\\x00\\x00\\x00\\x01" + b"\\x00\\x00\\x00\\x02" + b"\\x07\\x09", "two")
        tensor([[7, 9]], dtype=torch.uint8)

    Reference: LeCun, Cortes and Burges (1998), The MNIST database of handwritten digits.
    """
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != UNSIGNED_BYTES or not raw[3]:
        raise FileError(
            f"{path}: it begins with {raw[:4]!r}, expected an IDX file of bytes: two zeros, 8, and the axes."
        )
    head = 4 + 4 * raw[3]
    if len(raw) < head:
        raise FileError(f"{path}: it ends within its header, after {len(raw)} bytes; fetch it again.")
    shape = struct.unpack(f">{raw[3]}I", raw[4:head])
    if len(raw) - head != prod(shape):
        raise FileError(
            f"{path}: it has {len(raw) - head} bytes of data, expected {prod(shape)} = {' x '.join(map(str, shape))}; "
            "fetch it again."
        )
    return torch.frombuffer(bytearray(raw[head:]), dtype=torch.uint8).reshape(shape)
