"""PNG's metadata chunks: if some of them are damaged, Pillow refuses the whole picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_OF_ORIENTATION = (b"Raw profile type ", b"XML:com.adobe.xmp")  # keywords of texts that may hold the orientation
_STEPS = 100_000  # chunks that are looked at; those after them are left to the decoder
_LONGEST = 2**24  # bytes of a chunk whose checksum is verified; longer ones count as damaged


def without_notes(file: BinaryIO) -> BinaryIO:
    """The same file at its beginning; for a PNG with useless metadata, a copy in memory without it.

    Useless are colour profiles, texts without EXIF's orientation, and metadata with a wrong checksum. Pillow refuses a
    picture if its metadata is damaged or unpacks to more than a megabyte; other readers skip it, as the pixels are
    intact.
    """
    file.seek(0)
    useless = _useless(file) if file.read(8) == _SIGNATURE else []
    file.seek(0)
    if not useless:
        return file
    content, start = file.read(), 0
    kept = []
    for begin, end in useless:
        kept.append(content[start:begin])
        start = end
    return io.BytesIO(b"".join([*kept, content[start:]]))


def _useless(file: BinaryIO) -> list[tuple[int, int]]:
    """(begin, end) of the chunks to leave out, in bytes."""
    found, at = [], 8
    for _ in range(_STEPS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        length, name = struct.unpack(">I4s", head)
        end = at + 12 + length
        # A lower-case first letter means ancillary. tRNS is ancillary too, but says which pixels are transparent.
        if name.isalpha() and name[:1].islower() and name != b"tRNS":
            rest = file.read(length + 4) if length <= _LONGEST else b""
            if name == b"iCCP" or (name in _TEXTS and not rest.startswith(_OF_ORIENTATION)) or not _whole(name, rest):
                found.append((at, end))
        file.seek(end)
        at = end
    return found


def _whole(name: bytes, rest: bytes) -> bool:
    return len(rest) >= 4 and zlib.crc32(name + rest[:-4]) == int.from_bytes(rest[-4:], "big")
