"""The identity of pictures: their content and their whole path, never a bare name, a length, or a file's existence.

Every writer names pictures through ``Names``. Every cache of something made from a file is keyed by the file's
``stamp_of`` or ``digest_of``, so that changed content is never mistaken for the old one.
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

NAME_BYTES = 180  # at most, in UTF-8; file systems take 255, but suffixes and temporary parts are added
LONGEST_SUFFIX = 12
DIGITS = 8  # of a digest, at least, where two names would be equal

_BAD = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')  # refused by Windows in a name
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Names:
    """A distinct file name for each path: the path's last part, with digits of a digest if that is taken.

    Two names differ on every file system, also if it ignores case or the Unicode form of accents. The same paths in the
    same order always get the same names.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, bytes], str] = {}
        self._taken: set[str] = set()

    def of(self, path: str, content: bytes = b"", *, name: str | None = None) -> str:
        """The name for a path and the digest of its content, which may change over time; always the same for the same
        two.

        name: the preferred name, instead of the path's last part.
        """
        key = (str(PurePosixPath(path)), content)  # a/./b and a//b are a/b
        if key not in self._names:
            digest = digest_of(key[0].encode("utf-8", "surrogateescape") + b"\0" + content)
            self._names[key] = self._free(*_split(file_name(path if name is None else name)), digest)
        return self._names[key]

    def _free(self, stem: str, suffix: str, digest: str) -> str:
        for mark in ("", *(f"-{digest[:length]}" for length in range(DIGITS, len(digest) + 1))):
            if not mark and _length(stem + suffix) > NAME_BYTES:
                continue  # two long names may begin alike: add the digest
            name = cut_to_bytes(stem, NAME_BYTES - _length(mark + suffix)) + mark + suffix
            if _compared(name) not in self._taken:
                self._taken.add(_compared(name))
                return name
        raise AssertionError("unreachable: a whole digest is free")


def file_name(path: str) -> str:
    """The last part of a path or address, as a name that every file system takes; it may still be too long."""
    if _ADDRESS.match(path):
        path = re.split(r"[?#]", path, maxsplit=1)[0]
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    name = _BAD.sub("_", name.encode("utf-8", "replace").decode("utf-8"))
    if name.startswith("."):
        name = "_" + name[1:]  # hidden files are easily overlooked
    if name.endswith((".", " ")):
        name = name[:-1] + "_"
    return "_" + name if _DEVICE.match(name) or not name else name


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of_array(array: np.ndarray) -> bytes:
    """A 16-byte digest of pixels, bool or uint8, and of their shape."""
    digest = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=16)
    packed = np.packbits(array) if array.dtype == bool else np.ascontiguousarray(array)
    digest.update(packed.data)
    return digest.digest()


def stamp_of(facts: os.stat_result) -> str:
    """A text that changes with a file's content, made without reading it: inode, size, and times of both kinds of
    change.

    Programs cannot set the last one (ctime), so even a copy with the old date and size is noticed.
    """
    return f"{facts.st_ino}-{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"


def distinct_images(entries: Iterable[Read]) -> Iterator[Read]:
    """The entries with a distinct ``image_id`` for each picture; if two claim the same, the second gets its path."""
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
    """Stem and suffix; a suffix that is too long, or odd, belongs to the stem."""
    stem, dot, ending = name.rpartition(".")
    if stem and ending.isalnum() and _length(ending) < LONGEST_SUFFIX:
        return stem, dot + ending
    return name, ""


def _length(text: str) -> int:
    return len(text.encode())


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
