"""Where an image's file ends, and the refusal of files that contain anything else: an archive, a page, a program.

Such a file is an image to one reader and something else to another. This server would only read the image, but programs
that pass on the files that it has accepted should be able to rely on it.
"""

from __future__ import annotations

import re
import struct

from restr.server.problems import Problem

# in JPEG's compressed data FF 00 is a byte, and FF D0 to D7 do not end it
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_PADDING = b"\0 \t\r\n"
_LONGEST_COMMENT = 2**16  # bytes at the end of a ZIP archive
_PDF_WITHIN = 1024  # bytes in which readers look for the beginning of a PDF
# Phones write after a JPEG's end: further pictures (MPF, gain maps), a motion photo's film ("ftyp"), Samsung's records.
_PICTURE, _SAMSUNG = b"\xff\xd8\xff", b"SEFT"
# Beginnings of files that are run or unpacked. Five bytes or more, as any film holds shorter ones by chance.
_FOREIGN = re.compile(
    rb"Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\xfd7zXZ\x00|%PDF-|<\?php|<!doctype|<html|<script|<svg\s|javascript:",
    re.IGNORECASE,
)
_CRUMBS = 16  # bytes of anything, as old tools leave them; no archive, page or program is so short
_STEPS = 200_000  # parts of a file; more would only keep a thread busy


def check_whole(data: bytes, kind: str) -> None:
    """Raises ``Problem`` unless a file is an image and nothing else. kind: the format that its first bytes announce.

    Padding may follow the image, and after a JPEG the data that cameras are known to write there.
    """
    end = end_of(data, kind)
    if end is None:
        raise Problem(
            "image-damaged", f"the data begins as {kind} but does not come to its end; save or fetch it again"
        )
    rest = data[end:].lstrip(_PADDING).rstrip(_PADDING + b"\xff")
    if len(rest) > _CRUMBS and not (kind == "JPEG" and _of_a_camera(rest)):
        raise _more(kind, f"{len(rest):,} bytes follow its end")
    if rest and _FOREIGN.search(rest):
        raise _more(kind, "a document, a program or an archive follows its end")
    if b"%PDF-" in data[:_PDF_WITHIN]:
        raise _more(kind, "it is a PDF as well")
    if _is_archive(data):
        raise _more(kind, "it is a ZIP archive as well")


def end_of(data: bytes, kind: str) -> int | None:
    """The number of bytes of the image itself; None if it does not end within the data."""
    try:
        end = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WEBP": _webp, "BMP": _bmp}[kind](data)
    except (IndexError, struct.error):
        return None
    return end if end is not None and end <= len(data) else None


def _jpeg(data: bytes) -> int | None:
    """Segments with their lengths, then compressed data up to the next marker, until the marker "end of image"."""
    at = 2
    for _ in range(_STEPS):
        found = _MARKER.match(data, at)
        if found is None:
            return None
        marker, at = data[found.end() - 1], found.end()
        if marker == 0xD9:
            return at
        if marker in (0x01, 0xD8):  # without a length
            continue
        at += struct.unpack_from(">H", data, at)[0]
        if marker == 0xDA:
            scan = _MARKER.search(data, at)
            if scan is None:
                return None
            at = scan.start()
    return None


def _png(data: bytes) -> int | None:
    at = 8
    for _ in range(_STEPS):
        length, name = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if name == b"IEND":
            return at
    return None


def _gif(data: bytes) -> int | None:
    at, inside = 13 + _palette(data[10]), False
    for _ in range(_STEPS):
        block = data[at]
        if inside:  # pieces of data, each with its length, the last one empty
            at, inside = at + 1 + block, block > 0
        elif block == 0x3B:
            return at + 1
        elif block == 0x21:
            at, inside = at + 2, True
        elif block == 0x2C:
            at, inside = at + 11 + _palette(data[at + 9]), True
        else:
            return None
    return None


def _palette(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes) -> int:
    length = struct.unpack_from("<I", data, 4)[0]
    return 8 + length + length % 2 if 8 + length < len(data) else 8 + length  # the last chunk's padding may be missing


def _bmp(data: bytes) -> int:
    """From the position and size of the pixels, as writers disagree about the length in the header."""
    start, head, width, height = struct.unpack_from("<IIii", data, 10)
    if head == 12:  # OS/2's, with sizes of two bytes
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return start + _rows(width, height, bits)
    bits, compression, size = struct.unpack_from("<HII", data, 28)
    return start + (size if compression in (1, 2) else _rows(width, height, bits))


def _rows(width: int, height: int, bits: int) -> int:
    return (abs(width) * bits + 31) // 32 * 4 * abs(height)


def _of_a_camera(rest: bytes) -> bool:
    return rest.startswith(_PICTURE) or b"ftyp" in rest[:8] or rest.endswith(_SAMSUNG)


def _is_archive(data: bytes) -> bool:
    """Whether a ZIP archive ends where the data does, wherever it begins."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - _LONGEST_COMMENT - 22))
    while at >= 0:
        if at + 22 <= len(data) and at + 22 + struct.unpack_from("<H", data, at + 20)[0] >= len(data):
            return True
        at = data.rfind(b"PK\x05\x06", max(0, len(data) - _LONGEST_COMMENT - 22), at)
    return False


def _more(kind: str, what: str) -> Problem:
    return Problem(
        "more-than-an-image", f"the data begins as {kind}, but {what}; open the image and save it anew, and send that"
    )
