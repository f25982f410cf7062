"""Parquet shards: rows that hold their pictures, as in restr's files and in lmms-lab's copies on the Hugging Face
hub."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord
from restr.errors import DatasetError
from restr.formats.readers.parquet import DIGEST, entries_of_row, image_id_of, name_of_image
from restr.formats.shards.address import split_of_shard
from restr.formats.shards.place import Place
from restr.formats.shards.storage import Shard, ShardFile

_PICTURE = "image.bytes"  # the column


def open_parquet(shard: Shard) -> Any:
    """A shard as pyarrow's ``ParquetFile``; reads only its footer. Raises ``DatasetError``."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[data]'") from error
    with _damage_named(shard):
        return parquet.ParquetFile(ShardFile(shard))


def read_parquet_shard(shard: Shard, number: int) -> Iterator[Entry]:
    """The entries of a shard, without its pictures. number: the shard's in the dataset. Raises ``DatasetError``."""
    file = open_parquet(shard)
    columns = [file.schema.column(i).path for i in range(len(file.schema))]
    if _PICTURE not in columns:
        raise DatasetError(
            f"{shard.display_name} has no column {_PICTURE}; expected pictures in the rows (else read it as parquet:DIR): it "
            "has "
            f"{', '.join(columns[:12])}"
        )
    small = [name for name in columns if name.partition(".")[0] != "image"]
    last: _Row | None = None
    for group in range(file.num_row_groups):
        with _damage_named(shard):
            facts = file.metadata.row_group(group)
            size = facts.column(columns.index(_PICTURE)).total_uncompressed_size
            rows = file.read_row_group(group, small, use_threads=False).to_pylist()
        pictures = _Pictures(file, shard, group)
        for row, values in enumerate(rows):
            record = JsonRecord(values, f"{shard.display_name}, row group {group}, row {row}")
            this = _Row(record, pictures, row)
            again = last is not None and this.shows_the_same(last)
            first = last.first if last is not None and again and last.pictures is pictures else row
            if last is not None and not again and this.claimed == last.claimed:
                this.image_id = f"{this.claimed}@{number}-{group}-{row}"  # two pictures share a name
            elif last is not None and again:
                this.image_id = last.image_id
            this.first, last = first, this
            place = Place(number, group, size, first, 0, f"{shard.name}/{PurePath(this.name).name}")
            yield from entries_of_row(record, str(place), split_of_shard(shard.name), this.image_id)


class _Pictures:
    """A row group's pictures, read on demand."""

    def __init__(self, file: Any, shard: Shard, group: int) -> None:
        self.read = functools.cache(lambda: read_group(file, shard, group))


class _Row:
    """A row's picture, to be compared with the row before: by name, and by digest (restr's own files) or bytes.

    first: the group's first row with the same picture. claimed: the ``image_id`` in the row. image_id: the one that it
    gets.
    """

    def __init__(self, record: JsonRecord, pictures: _Pictures, row: int) -> None:
        self.name, self.claimed, self.pictures = name_of_image(record), image_id_of(record), pictures
        self.digest = record.text(DIGEST) if DIGEST in record else ""
        self.row = self.first = row
        self.image_id = self.claimed

    def shows_the_same(self, last: _Row) -> bool:
        """Whether both rows have the same picture under the same name."""
        if (self.name, self.claimed) != (last.name, last.claimed):
            return False
        if self.digest and last.digest:
            return self.digest == last.digest
        return self.pictures.read()[self.row] == last.pictures.read()[last.row]


def read_group(file: Any, shard: Shard, group: int) -> list[bytes | None]:
    """The pictures of a row group."""
    with _damage_named(shard):
        column = file.read_row_group(group, [_PICTURE], use_threads=False).column("image").to_pylist()
    return [value["bytes"] if value else None for value in column]


@contextmanager
def _damage_named(shard: Shard) -> Iterator[None]:
    import pyarrow as arrow

    try:
        yield
    except DatasetError:
        raise
    except (arrow.ArrowException, OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(
            f"{shard.display_name} is not readable parquet ({error}); it is cut off or damaged: copy it again"
        ) from error
