"""The matrices of a MATLAB file, versions 5 to 7: what SAIAPR's masks are stored in.

SciPy reads these too, but a damaged file can bring its compiled reader, and with it the process, down; people's data is not
to be trusted that far. So this is the part of the format that masks need (MathWorks, "MAT-File Format", level 5): real
numeric matrices, compressed or not, in either byte order. Whatever else a file holds is passed over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from restr.errors import DataError

HEADER = 128  # bytes
MATRIX, COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}  # storage -> type
CLASSES = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}  # what it stands for
COMPLEX = 0x08
_MOST = 1 << 28  # bytes that a compressed part may unpack to: a mask of 16,000 x 16,000


def read_matrices(path: Path) -> dict[str, np.ndarray]:
    """The numeric matrices of a file by name, each (rows columns ...) as MATLAB counts. Raises ``DataError``, and ``OSError``."""
    return matrices_in(path.read_bytes(), path.name)


def matrices_in(content: bytes, name: str) -> dict[str, np.ndarray]:
    """``read_matrices`` of a file's bytes; name: for errors."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER])
    if order is None:
        raise DataError(f"{name} is no MATLAB file of version 5 to 7; save it with -v7 or older")
    found = {}
    try:
        for kind, data in _elements(content[HEADER:], order):
            if kind == COMPRESSED:
                ((kind, data),) = list(_elements(_unpacked(data), order))[:1]
            matrix = _matrix(data, order) if kind == MATRIX else None
            if matrix:
                found[matrix[0]] = matrix[1]
    except (struct.error, zlib.error, ValueError) as error:
        raise DataError(f"{name} is damaged ({error})") from error
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(kind, bytes) of the elements that follow each other."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, place)
        start = place + 8
        if kind >> 16:  # at most four bytes, stored within the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            place += 8
            if size > 4:
                raise ValueError(f"an element of {size} bytes where four fit")
        else:
            place = start + size
            if kind != COMPRESSED:
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
    """Name and values of a matrix; None for what is no real numeric one."""
    parts = list(_elements(data, order))
    if len(parts) < 4:
        return None
    (_, flags), (_, sizes), (_, name), (storage, values) = parts[:4]
    (flag,) = struct.unpack_from(f"{order}I", flags)
    meaning = CLASSES.get(flag & 0xFF)
    if meaning is None or storage not in _NUMBERS or flag >> 8 & COMPLEX:
        return None
    shape = np.frombuffer(sizes, f"{order}i4").tolist()
    stored = np.frombuffer(values, f"{order}{_NUMBERS[storage]}")
    with np.errstate(invalid="ignore"):  # a damaged file's numbers may not fit what they stand for
        return name.decode("latin-1"), stored.reshape(shape, order="F").astype(meaning)
