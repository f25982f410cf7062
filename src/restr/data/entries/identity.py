"""What tells pictures apart: their content and their whole path, never a bare name, a length, or that a file exists.

Everything that writes names pictures through ``Names``; everything that keeps something made from a file keeps it under
``stamp_of`` or ``digest_of`` of that file, so that another content is another thing.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from restr.data.entries.entry import Entry
from restr.data.entries.left_out import Read
from restr.files import cut_to_bytes

NAME_BYTES = 180  # bytes of a name in UTF-8; file systems take 255, but names get endings and temporary parts as well
LONGEST_SUFFIX = 12
DIGITS = 8  # of the digest that tells two names apart

_BAD = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')  # what Windows refuses in a name
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Names:
    """A file name of its own for each path: the path's own last part where that is free, else with digits of a digest.

    Two names are never the same on any file system: not where case makes no difference, nor where the two ways to write
    an accented letter do not. The same paths in the same order always get the same names.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, bytes], str] = {}
        self._taken: set[str] = set()

    def of(self, path: str, content: bytes = b"", *, name: str | None = None) -> str:
        """The name for a path and the digest of what is there, which may be two things at different times.

        name: what to call it, if not as the path does. The first answer stays.
        """
        key = (str(PurePosixPath(path)), content)  # a/./b and a//b are a/b
        if key not in self._names:
            digest = digest_of(key[0].encode("utf-8", "surrogateescape") + b"\0" + content)
            self._names[key] = self._free(*_split(file_name(path if name is None else name)), digest)
        return self._names[key]

    def _free(self, stem: str, suffix: str, digest: str) -> str:
        for mark in ("", *(f"-{digest[:length]}" for length in range(DIGITS, len(digest) + 1))):
            if not mark and _length(stem + suffix) > NAME_BYTES:
                continue  # two long names may begin alike: the digest goes with them
            name = cut_to_bytes(stem, NAME_BYTES - _length(mark + suffix)) + mark + suffix
            if _compared(name) not in self._taken:
                self._taken.add(_compared(name))
                return name
        raise AssertionError("unreachable: a whole digest is free")


def file_name(path: str) -> str:
    """The last part of a path or address, as a name that any file system takes; it may still be too long."""
    if _ADDRESS.match(path):
        path = re.split(r"[?#]", path, maxsplit=1)[0]
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    name = _BAD.sub("_", name.encode("utf-8", "replace").decode("utf-8"))
    if name.startswith("."):
        name = "_" + name[1:]  # a hidden file is easily left behind
    if name.endswith((".", " ")):
        name = name[:-1] + "_"
    return "_" + name if _DEVICE.match(name) or not name else name


def digest_of(content: bytes) -> str:
    """What tells a content from every other: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of_array(array: np.ndarray) -> bytes:
    """The same of pixels, bool or uint8, as 16 bytes; their shape counts."""
    digest = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=16)
    packed = np.packbits(array) if array.dtype == bool else np.ascontiguousarray(array)
    digest.update(packed.data)
    return digest.digest()


def stamp_of(facts: os.stat_result) -> str:
    """What changes with a file's content, without reading it: its number, size, date of content and date of any change.

    The last one is the system's own: a copy that keeps the old date and size does not go unnoticed.
    """
    return f"{facts.st_ino}-{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"


def told_apart(entries: Iterable[Read]) -> Iterator[Read]:
    """Entries of a folder in which no two pictures share an ``image_id``: the second one to claim it is called by its path."""
    owners: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, Entry):
            yield entry
            continue
        claimed = entry.image_id or entry.image
        if owners.setdefault(claimed, entry.image) != entry.image:
            claimed = entry.image
            owners[claimed] = entry.image
        yield entry if claimed == entry.image_id else replace(entry, image_id=claimed)


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; what is too long or odd for a suffix belongs to the stem."""
    stem, dot, ending = name.rpartition(".")
    if stem and ending.isalnum() and _length(ending) < LONGEST_SUFFIX:
        return stem, dot + ending
    return name, ""


def _length(text: str) -> int:
    return len(text.encode())


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
