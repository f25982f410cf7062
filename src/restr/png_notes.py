"""PNG's chunks beside the pixels: a broken one is left out, as it says nothing of the picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_PIXELS = (b"tRNS",)  # an ancillary chunk by its name, but it says which pixels are transparent
_STEPS = 100_000  # chunks; what has more is left to the decoder
_LONGEST = 2**24  # bytes of a note that are read to check it
_LONGEST_PROFILE = (
    2**16
)  # bytes of a colour profile, which nothing here uses; for one that unpacks to a megabyte Pillow gives up


def without_broken_notes(file: BinaryIO) -> BinaryIO:
    """The same file at its beginning, or a copy in memory without the notes (EXIF, texts, colour profiles) whose checksum is wrong.

    Pillow gives a whole picture up for such a note; other readers pass over it.
    """
    file.seek(0)
    broken = _broken(file) if file.read(8) == _SIGNATURE else []
    file.seek(0)
    if not broken:
        return file
    content, start = file.read(), 0
    kept = []
    for begin, end in broken:
        kept.append(content[start:begin])
        start = end
    return io.BytesIO(b"".join([*kept, content[start:]]))


def _broken(file: BinaryIO) -> list[tuple[int, int]]:
    """Where notes begin and end whose checksum is wrong, or that are too long."""
    found, at = [], 8
    for _ in range(_STEPS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        length, name = struct.unpack(">I4s", head)
        end = at + 12 + length
        if name[0] & 0x20 and name.isalpha() and name not in _OF_PIXELS:  # ancillary, says the case of its first letter
            rest = file.read(length + 4) if length <= _LONGEST else b""
            whole = len(rest) == length + 4 and zlib.crc32(name + rest[:-4]) == int.from_bytes(rest[-4:], "big")
            if not whole or (name == b"iCCP" and length > _LONGEST_PROFILE):
                found.append((at, end))
        file.seek(end)
        at = end
    return found
