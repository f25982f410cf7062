"""Tables of text: JSONL, CSV and TSV. A piece is a range of bytes, which is read alone."""

from __future__ import annotations

import csv
import io
import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, cast

from restr.bulk.rows import BulkPiece, BulkRecord, error_text, texts_of
from restr.bulk.sources.base import Counted
from restr.bulk.sources.tables import ColumnTable
from restr.errors import DataError, DatasetError
from restr.formats.shards.storage import AHEAD, Shard, ShardFile

_MOST_LINE = 64 << 20  # bytes; a line may hold a picture as a data: URI
_BUFFER = 1 << 20  # bytes
_BOM = b"\xef\xbb\xbf"
_Values = dict[str, Any] | DataError
_Read = tuple[int, _Values]  # where a record ends, and its values or what is wrong with it


@dataclass(frozen=True, kw_only=True)
class TextTable(ColumnTable):
    """Files of lines, each of which is a record, or begins one."""

    def count(self, number: int) -> Iterator[Counted]:
        """As ``FileSource.count``."""
        for stop, values in self.read_table(number, 0, None):
            if isinstance(values, DataError):
                yield Counted(stop, max(1, len(self.texts)))
            else:
                rows = len(self.texts or texts_of(values.get(self.columns.text)))
                image = values.get(self.columns.image)
                yield Counted(stop, rows, image if isinstance(image, str) else None)

    def records(self, piece: BulkPiece) -> Iterator[BulkRecord]:
        """As ``BulkSource.records``."""
        read = self.read_table(piece.file, piece.start, piece.stop)
        for number, (_, values) in enumerate(takewhile(lambda each: each[0] <= piece.stop, read), piece.record):
            if isinstance(values, DataError):
                problem = DataError(f"record {number + 1} of {self.file_of(piece)}: {values}")
                yield BulkRecord(None, self.texts or [None], error=error_text(problem))
            else:
                yield self.columns.record(values, self.texts)

    @abstractmethod
    def read_table(self, number: int, start: int, stop: int | None) -> Iterator[_Read]:
        """The records of a file from byte ``start`` to before ``stop``; a bad one as the error that says why."""


@dataclass(frozen=True, kw_only=True)
class JsonLines(TextTable):
    """JSON objects, one a line; empty lines are none."""

    kind = "jsonl"

    def read_table(self, number: int, start: int, stop: int | None) -> Iterator[_Read]:
        """As ``TextTable.read_table``."""
        return _json_records(self.files[number], start, stop)


@dataclass(frozen=True, kw_only=True)
class CsvTable(TextTable):
    """Comma- or tab-separated values below a line of names."""

    kind = "csv"

    headers: tuple[tuple[str, ...], ...]
    """The names of each file's columns."""

    def read_table(self, number: int, start: int, stop: int | None) -> Iterator[_Read]:
        """As ``TextTable.read_table``."""
        file, header = self.files[number], self.headers[number]
        records = _csv_records(file, start, stop)
        if start == 0:
            next(records, None)
        for end, values in records:
            if isinstance(values, DataError):
                yield end, values
            elif len(values) != len(header):
                yield end, DataError(f"it has {len(values)} values; expected {len(header)}, as in the first line")
            else:
                yield end, dict(zip(header, values, strict=True))


def jsonl_columns(file: Shard) -> list[str]:
    """The names in the first object of a JSONL file. Raises ``DatasetError`` if none of its first lines is one."""
    for _, (_, values) in zip(range(100), _json_records(file, 0, None), strict=False):
        if isinstance(values, dict):
            return list(values)
    raise DatasetError(
        f'{file.display_name} has no JSON object in its first lines; expected {{"image": ..., "text": ...}}'
    )


def csv_columns(file: Shard) -> list[str]:
    """The names in the first line of a CSV file. Raises ``DatasetError``."""
    values = next(_csv_records(file, 0, None), (0, DataError("it is empty")))[1]
    if isinstance(values, DataError):
        raise DatasetError(f"{file.display_name} has no line with the columns' names: {values}")
    twice = sorted({name for name in values if values.count(name) > 1})
    if twice:
        raise DatasetError(f"{file.display_name} has two columns called {twice[0]!r}; rename one")
    return values


def _lines(file: Shard, start: int, stop: int | None) -> Iterator[tuple[int, bytes]]:
    """(where it ends, its bytes) of every line that begins between two bytes."""
    raw = ShardFile(file, AHEAD)
    raw.seek(start)
    place = start
    with io.BufferedReader(cast(io.RawIOBase, raw), _BUFFER) as reader:
        while (stop is None or place < stop) and (line := reader.readline(_MOST_LINE)):
            if place == 0:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise DatasetError(f"{file.display_name} is UTF-16; save it as UTF-8")
                place, line = len(line), line.removeprefix(_BOM)
            else:
                place += len(line)
            yield place, line


def _json_records(file: Shard, start: int, stop: int | None) -> Iterator[_Read]:
    for end, line in _lines(file, start, stop):
        if line.isspace() or not line:
            continue
        try:
            values = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            yield end, DataError(f"it is no JSON ({error})")
            continue
        if not isinstance(values, dict):
            yield end, DataError(f"it is {type(values).__name__}; expected an object with named values")
        else:
            yield end, values


def _csv_records(file: Shard, start: int, stop: int | None) -> Iterator[tuple[int, list[str] | DataError]]:
    """A record may have several lines, if a value is in quotes; empty lines are none."""
    end = start

    def lines() -> Iterator[str]:
        nonlocal end
        for place, line in _lines(file, start, stop):
            end = place
            yield line.decode("utf-8", "surrogateescape")

    delimiter = "\t" if file.name.lower().endswith(".tsv") else ","
    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        limit = csv.field_size_limit(_MOST_LINE)  # of the whole process
        try:
            values = next(reader, None)
        except csv.Error as error:
            values = DataError(f"it is no CSV ({error})")
        finally:
            csv.field_size_limit(limit)
        if values is None:
            return
        if isinstance(values, DataError):
            yield end, values
        elif any(not value.isprintable() and _not_utf8(value) for value in values):
            yield end, DataError("it is not UTF-8; save the table as UTF-8")
        elif values:
            yield end, values


def _not_utf8(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text)
