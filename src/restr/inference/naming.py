"""File names for results: within every file system's limits, and never overwriting another result."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from restr.errors import OutputError
from restr.files import cut_to_bytes, write_if_free

_LONGEST = 48  # letters of a slug
LONGEST_BYTES = 96  # of a slug: two of them, a number and a suffix stay below the 255 bytes of a file name
_REMEMBERED = 4096  # stems whose taken numbers a process caches


@dataclass
class _Numbers:
    """A cache of a stem's taken numbers in a folder, so that no file is read twice. The files on disk decide."""

    free: int = 1
    """Every lower number is taken."""

    held: dict[bytes, int] = field(default_factory=dict)
    """Digest of contents -> the number that has them."""

    unread: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    """Sizes of files -> their numbers, for files that were not read yet."""


_known: OrderedDict[tuple[str, ...], _Numbers] = OrderedDict()


def slug(text: str) -> str:
    """A text as part of a file name: "The man's hat!" -> "the-mans-hat"."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("'", "").replace("\u2019", "")
    letters = re.sub(r"[\W_]+", "-", plain).strip("-")[:_LONGEST]
    return cut_to_bytes(letters, LONGEST_BYTES).rstrip("-") or "result"


def file_stem(name: str, text: str) -> str:
    """The beginning of the names of a result's files: the image's name and the sentence."""
    return f"{slug(name)}-{slug(text)}"


def write_new(folder: Path, stem: str, contents: Mapping[str, bytes]) -> dict[str, Path]:
    """Write ``contents`` (kind -> bytes) as ``<stem>.<kind>.<png or json>``; each file appears completely or not at all.

    If other bytes have one of the names, all files get the first free number: ``<stem>-2.<kind>.png``. The same bytes
    are not written twice. This also holds for several processes with one folder, and the time per file does not grow
    with the number of files. Raises ``OutputError`` if the folder cannot be written to.
    """
    make_folder(folder)
    try:
        return _write_numbered(folder, stem, contents)
    except OSError as error:
        raise OutputError(
            f"{folder} takes no files ({error.strerror}); choose another folder, or make space"
        ) from error


def _write_numbered(folder: Path, stem: str, contents: Mapping[str, bytes]) -> dict[str, Path]:
    endings = {kind: f"{kind}.{_suffix(content)}" for kind, content in contents.items()}

    def paths(number: int) -> dict[str, Path]:
        numbered = stem if number == 1 else f"{stem}-{number}"
        return {kind: folder / f"{numbered}.{ending}" for kind, ending in endings.items()}

    key = (str(folder.absolute()), stem, *endings.values())
    numbers = _numbers(key)
    if numbers.free > 1 and not any(path.exists() for path in paths(numbers.free - 1).values()):
        _known.pop(key, None)  # the folder was emptied: the first number is free again
        numbers = _numbers(key)
    for number in numbers.unread.pop(tuple(map(len, contents.values())), ()):
        with suppress(OSError):
            numbers.held.setdefault(_digest([path.read_bytes() for path in paths(number).values()]), number)
    digest = _digest(contents.values())
    same = numbers.held.get(digest)
    if same is not None and _write(paths(same), contents):
        return paths(same)
    number = numbers.free
    while not _write(paths(number), contents):
        numbers.unread.setdefault(_sizes(paths(number)), []).append(number)
        number += 1
    numbers.free = max(numbers.free, number + 1)
    numbers.held[digest] = number
    return paths(number)


def make_folder(folder: Path) -> None:
    """Make a folder for files, unless it exists. Raises ``OutputError`` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be the folder of the files ({error.strerror}); choose another") from error


def _numbers(key: tuple[str, ...]) -> _Numbers:
    """The cached numbers of a folder's stem. Unlocked: at worst, two threads read a file twice."""
    numbers = _known.pop(key, None) or _Numbers()
    _known[key] = numbers
    while len(_known) > _REMEMBERED:
        with suppress(KeyError):
            _known.popitem(last=False)
    return numbers


def _write(paths: Mapping[str, Path], contents: Mapping[str, bytes]) -> bool:
    """Write all files, or none if other bytes have one of the names."""
    taken = {kind for kind, path in paths.items() if path.exists()}
    if not all(_holds(paths[kind], contents[kind]) for kind in taken):
        return False
    written = []
    for kind in (kind for kind in paths if kind not in taken):  # one order in every process: the first file decides
        if write_if_free(paths[kind], contents[kind]):
            written.append(paths[kind])
        elif not _holds(paths[kind], contents[kind]):  # another process was faster
            for path in written:
                path.unlink(missing_ok=True)
            return False
    return True


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file holds these bytes; reads it only if its size fits."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _sizes(paths: Mapping[str, Path]) -> tuple[int, ...]:
    return tuple(path.stat().st_size if path.exists() else -1 for path in paths.values())


def _digest(contents: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for content in contents:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()


def _suffix(content: bytes) -> str:
    return "png" if content.startswith(b"\x89PNG") else "json"
