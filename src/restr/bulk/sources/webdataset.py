"""WebDataset shards: tars in which a sample's members follow each other under one key. A piece is a range of bytes.

A sample is KEY.jpg (or another picture) with KEY.json, in which the expressions are as in a table's column, or KEY.txt with
one expression a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from restr.bulk.rows import BulkPiece, BulkRecord, error_text, texts_of
from restr.bulk.sources.base import Counted, FileSource
from restr.bulk.sources.columns import BulkColumns
from restr.errors import DataError
from restr.formats.shards.storage import AHEAD, ShardFile
from restr.formats.shards.tar import PICTURES, tar_samples

_MOST_TEXT = 8 << 20  # bytes of a sample's .json or .txt
_MOST_PICTURE = 1 << 30  # bytes, so that a damaged header cannot allocate all memory
_Members = dict[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class WebDataset(FileSource):
    """Tars of samples."""

    kind = "webdataset"

    columns: BulkColumns = BulkColumns()
    """The name of the expressions in a sample's JSON, if it is not a usual one."""

    def facts(self) -> dict[str, Any]:
        """As ``BulkSource.facts``, with the name in the JSON."""
        return super().facts() | {"columns": [self.columns.text]}

    def count(self, number: int) -> Iterator[Counted]:
        """As ``FileSource.count``; reads headers and expressions, and (here) no picture."""
        with self._open(number) as file:
            for _, members, end in tar_samples(self.files[number], file):
                if _is_sample(members):
                    yield Counted(end, len(self._texts(file, members)[0]))

    def records(self, piece: BulkPiece) -> Iterator[BulkRecord]:
        """As ``BulkSource.records``."""
        shard = self.files[piece.file]
        with self._open(piece.file) as file:
            for key, members, _ in tar_samples(shard, file, piece.start, piece.stop):
                if not _is_sample(members):
                    continue
                texts, problem = self._texts(file, members)
                pictures = [ending for ending in members if ending in PICTURES]
                name = f"{shard.name}/{key}.{pictures[0]}" if pictures else f"{shard.name}/{key}"
                if len(pictures) != 1 and not problem:
                    problem = DataError(f"the sample has {', '.join(sorted(members))}; expected one picture")
                content = b"" if problem else _content(file, members[pictures[0]])
                yield BulkRecord(content or None, texts, name, key, error_text(problem) if problem else None)

    def _open(self, number: int) -> IO[bytes]:
        return cast(IO[bytes], ShardFile(self.files[number], AHEAD, _MOST_PICTURE))

    def _texts(self, file: IO[bytes], members: _Members) -> tuple[list[Any], DataError | None]:
        """A sample's expressions, and what is wrong with them."""
        if self.texts:
            return list(self.texts), None
        problem = None
        for ending in ("json", "txt"):
            if ending not in members:
                continue
            if members[ending][1] - members[ending][0] > _MOST_TEXT:
                return [None], DataError(f"the sample's .{ending} is larger than {_MOST_TEXT:,} bytes")
            try:
                text = _content(file, members[ending]).decode("utf-8-sig")
                if ending == "txt":
                    return [line.strip() for line in text.splitlines() if line.strip()] or [None], None
                values = json.loads(text)
            except (ValueError, RecursionError) as error:
                problem = DataError(f"the sample's .{ending} is not readable ({error})")
                continue
            found = self.columns.text_in(values) if isinstance(values, dict) else None
            if found is not None:
                return texts_of(found), None
        return [None], problem


def _is_sample(members: _Members) -> bool:
    """Whether members are a picture or expressions, and not, say, a README."""
    return any(ending in PICTURES or ending in ("json", "txt") for ending in members)


def _content(file: IO[bytes], part: tuple[int, int]) -> bytes:
    file.seek(part[0])
    return file.read(part[1] - part[0])
