"""The matrices of MATLAB files, versions 5 to 7, in which SAIAPR stores masks.

SciPy reads them too, but a damaged file can crash its compiled reader, and with it the process. So this reads the part
of the format that masks need (MathWorks, "MAT-File Format", level 5): real numeric matrices, compressed or not, in
either byte order. Everything else in a file is skipped.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from restr.errors import DataError

HEADER = 128  # bytes
_MATRIX, _COMPRESSED = 14, 15
# How numbers are stored, and the class of a matrix, each as a NumPy type.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x08
_MOST = 1 << 28  # bytes of an unpacked part: a mask of 16,000 x 16,000


def read_matrices(path: Path) -> dict[str, np.ndarray]:
    """The numeric matrices of a file by name, each (rows columns ...) as MATLAB counts.

    Raises ``DataError``, and ``OSError``.
    """
    return matrices_in(path.read_bytes(), path.name)


def matrices_in(content: bytes, name: str) -> dict[str, np.ndarray]:
    """``read_matrices`` of a file's bytes; name: for errors."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER])
    if order is None:
        raise DataError(f"{name} is not a MATLAB file of version 5 to 7; save it with -v7 or older")
    found = {}
    try:
        for kind, data in _elements(content[HEADER:], order):
            if kind == _COMPRESSED:
                ((kind, data),) = list(_elements(_unpacked(data), order))[:1]
            matrix = _matrix(data, order) if kind == _MATRIX else None
            if matrix:
                found[matrix[0]] = matrix[1]
    except (struct.error, zlib.error, ValueError) as error:
        raise DataError(f"{name} is damaged ({error})") from error
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(kind, bytes) of each element in turn."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, place)
        start = place + 8
        if kind >> 16:  # up to four bytes, stored in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            place += 8
            if size > 4:
                raise ValueError(f"an element of {size} bytes where four fit")
        else:
            place = start + size
            if kind != _COMPRESSED:
                place += -size % 8
        if start + size > len(data):
            raise ValueError(f"an element of {size:,} bytes where {len(data) - start:,} are left")
        yield kind, data[start : start + size]


def _unpacked(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(data, _MOST)
    if stream.unconsumed_tail:
        raise ValueError(f"a compressed part of more than {_MOST:,} bytes")
    return content


def _matrix(data: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """Name and values of a matrix; None if it is not real and numeric."""
    parts = list(_elements(data, order))
    if len(parts) < 4:
        return None
    (_, flags), (_, sizes), (_, name), (storage, values) = parts[:4]
    (flag,) = struct.unpack_from(f"{order}I", flags)
    meaning = _CLASSES.get(flag & 0xFF)
    if meaning is None or storage not in _NUMBERS or flag >> 8 & _COMPLEX:
        return None
    shape = np.frombuffer(sizes, f"{order}i4").tolist()
    stored = np.frombuffer(values, f"{order}{_NUMBERS[storage]}")
    with np.errstate(invalid="ignore"):  # the numbers of a damaged file may not fit their class
        return name.decode("latin-1"), stored.reshape(shape, order="F").astype(meaning)
