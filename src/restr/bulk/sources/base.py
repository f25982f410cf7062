"""What every form of input gives: facts that tell it from another input, pieces, and the records of a piece."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from restr.bulk.rows import BulkPiece, BulkRecord
from restr.errors import DatasetError, UnreachableError
from restr.formats.shards.address import redact
from restr.formats.shards.storage import Shard


class BulkSource(ABC):
    """An input. It is sent to workers, so it holds no more than they need to read a piece."""

    kind: str
    """For people: pictures, jsonl, csv, parquet or webdataset."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """All that tells this input from another one, in JSON's types."""

    @abstractmethod
    def cut(self, rows: int) -> Iterator[BulkPiece]:
        """The input in pieces of about so many rows, in its order. Reads what it must to count the rows."""

    @abstractmethod
    def records(self, piece: BulkPiece) -> Iterator[BulkRecord]:
        """The records of a piece; they have exactly ``piece.rows`` expressions in all. Raises ``DatasetError``."""

    def base_of(self, piece: BulkPiece) -> str:
        """The folder or address to which the names of a piece's pictures are relative."""
        return ""

    def file_of(self, piece: BulkPiece) -> str | None:
        """The name of the file that holds a piece; None for a list of pictures."""
        return None


class Counted(NamedTuple):
    """A record while the input is cut."""

    stop: int
    """Where it ends in its file."""
    rows: int
    """How many expressions it has."""
    image: Any = None
    """Its picture, to keep records of one picture together; None if it is not known."""


@dataclass(frozen=True, kw_only=True)
class FileSource(BulkSource):
    """Files that hold records."""

    files: tuple[Shard, ...]
    """The files, with absolute paths or addresses."""

    names: tuple[str, ...]
    """The files as the user named them."""

    texts: tuple[str, ...] = ()
    """What to ask of every picture in place of the input's own expressions."""

    def facts(self) -> dict[str, Any]:
        """As ``BulkSource.facts``: names, sizes and tags, which change with the content."""
        files = [[name, file.size, file.tag] for name, file in zip(self.display_names(), self.files, strict=True)]
        return {"kind": self.kind, "files": files, "texts": list(self.texts)}

    def display_names(self) -> list[str]:
        """The files' names without secrets."""
        return [redact(name) for name in self.names]

    def file_of(self, piece: BulkPiece) -> str:
        """As ``BulkSource.file_of``, without secrets."""
        return redact(self.names[piece.file])

    @abstractmethod
    def count(self, number: int) -> Iterator[Counted]:
        """The records of a file, by its number. Raises ``DatasetError``."""

    def cut(self, rows: int) -> Iterator[BulkPiece]:
        """As ``BulkSource.cut``. What cannot be read of a damaged file becomes a piece of one row, with the error."""
        for number in range(len(self.files)):
            yield from _cut_file(self.count(number), number, rows)


def _cut_file(counted: Iterable[Counted], number: int, rows: int) -> Iterator[BulkPiece]:
    """A file's pieces. Records of one picture are kept together, unless a piece would be twice as large."""
    start = stop = first = count = held = 0
    image: Any = None
    error = ""
    records = iter(counted)
    while True:
        try:
            each = next(records, None)
        except UnreachableError:
            raise
        except DatasetError as problem:
            each, error = None, str(problem)
        if each is None:
            break
        same = each.image is not None and each.image == image
        if held and held >= rows and (not same or held >= 2 * rows):
            yield BulkPiece(held, number, start, stop, first)
            first, start, count, held = first + count, stop, 0, 0
        stop, count, held, image = each.stop, count + 1, held + each.rows, each.image
    if held:
        yield BulkPiece(held, number, start, stop, first)
    if error:
        yield BulkPiece(1, number, stop, stop, first + count, error=error)
