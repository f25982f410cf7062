"""The files that an input names: a file, a folder, a glob or braces, on a disk or behind an address."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from restr.errors import DatasetError
from restr.formats.shards.address import expand_braces, is_remote, redact
from restr.formats.shards.storage import system_of, with_retries
from restr.inference.sources import SUFFIXES

TABLES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".tar": "webdataset",
}  # fmt: skip
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz")
_EXAMPLES = "pictures, .jsonl, .csv, .parquet or .tar files"


def list_inputs(inputs: Iterable[str]) -> tuple[str, list[str]]:
    """(the kind of input, all its files in order, as the user would name them). The kind is "pictures" or one of
    ``TABLES``. Raises ``DatasetError`` for no files, and for files of several kinds."""
    names: list[str] = []
    kinds: dict[str, str] = {}  # kind -> a file of it
    for text in inputs:
        for name in _files(text):
            kinds.setdefault(_kind(name), name)
            names.append(name)
    if len(kinds) > 1:
        (one, first), (two, second) = list(kinds.items())[:2]
        raise DatasetError(
            f"the input has {one} ({redact(first)}) and {two} ({redact(second)}); expected one kind: name it with a glob, "
            'such as "folder/*.tar"'
        )
    if not kinds:
        raise DatasetError(f"there is no input; name {_EXAMPLES}, or a folder or a glob of them")
    return next(iter(kinds)), names


def _kind(name: str) -> str:
    """What a file holds, by its name's ending. A name without a known one counts as a picture."""
    ending = _ending(name)
    if ending in _PACKED:
        raise DatasetError(
            f"{redact(name)} is compressed as a whole, so no part of it can be read alone; unpack it and name what comes out"
        )
    if ending == ".json":
        raise DatasetError(f"{redact(name)} is one JSON document; expected .jsonl, with one object a line")
    return TABLES.get(ending, "pictures")


def _ending(name: str) -> str:
    return PurePosixPath(name.partition("?")[0] if is_remote(name) else name).suffix.lower()


def _known(name: str) -> bool:
    """Whether a file of a folder is a part of the input; hidden ones are not."""
    return _ending(name) in SUFFIXES or _ending(name) in TABLES


def _files(text: str) -> Iterator[str]:
    """The files of one input, sorted. Raises ``DatasetError`` if there are none."""
    found = False
    for each in [text] if not is_remote(text) and os.path.exists(text) else expand_braces(text):
        for name in _remote_files(each) if is_remote(each) else _local_files(each):
            found = True
            yield name
    if not found:
        raise DatasetError(f"{redact(text)} holds no file that can be read here; expected {_EXAMPLES}")


def _local_files(text: str) -> Iterator[str]:
    if os.path.isdir(text):
        yield from sorted(_below(text))
    elif glob.has_magic(text) and not os.path.exists(text):
        yield from sorted(name for name in glob.iglob(text, recursive=True) if os.path.isfile(name))
    elif os.path.exists(text):
        yield text
    else:
        raise DatasetError(f"there is no file {text}; check the path (the current folder is {os.getcwd()})")


def _below(folder: str) -> Iterator[str]:
    """The known files of a folder and of all folders in it."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and _known(name):
                yield os.path.join(place, name)


def _remote_files(url: str) -> list[str]:
    address = url.partition("?")[0]
    if not glob.has_magic(address) and (_known(address) or address.startswith(("http://", "https://"))):
        return [url]

    def listed() -> list[str]:
        system, path = system_of(url)
        found = system.glob(path) if glob.has_magic(path) else system.find(path)
        return sorted(str(system.unstrip_protocol(each)) for each in found if not _hidden(each))

    found = with_retries(listed, url, redact(url))
    return found if glob.has_magic(address) else [name for name in found if _known(name)]


def _hidden(path: str) -> bool:
    return path.rstrip("/").rpartition("/")[2].startswith((".", "_"))
