"""Parquet shards: rows that hold their pictures, as restr writes them and lmms-lab's copies on the Hugging Face hub have them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from restr.data.entry import Entry, Record
from restr.data.readers.parquet import entries_with, name_of_image
from restr.data.shards.address import split_of
from restr.data.shards.place import Place
from restr.data.shards.storage import Shard, ShardFile
from restr.errors import DatasetError

PICTURE = "image.bytes"  # the column


def open_parquet(shard: Shard) -> Any:
    """A shard as pyarrow's ``ParquetFile``, of which only the footer has been read. Raises ``DatasetError``."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[data]'") from error
    with _damage_named(shard):
        return parquet.ParquetFile(ShardFile(shard))


def read_parquet(shard: Shard, number: int) -> Iterator[Entry]:
    """The entries of a shard, without its pictures; number: its own, among the dataset's. Raises ``DatasetError``."""
    file = open_parquet(shard)
    columns = [file.schema.column(i).path for i in range(len(file.schema))]
    if PICTURE not in columns:
        raise DatasetError(
            f"{shard.shown} has no column {PICTURE}; expected pictures in the rows (else read it as parquet:DIR): it has "
            f"{', '.join(columns[:12])}"
        )
    small = [name for name in columns if name.partition(".")[0] != "image"]
    for group in range(file.num_row_groups):
        with _damage_named(shard):
            facts = file.metadata.row_group(group)
            size = facts.column(columns.index(PICTURE)).total_uncompressed_size
            rows = file.read_row_group(group, small, use_threads=False).to_pylist()
        first, last = 0, None
        for row, values in enumerate(rows):
            record = Record(values, f"{shard.shown}, row group {group}, row {row}")
            name = name_of_image(record)
            if name != last:  # what follows it under the same name is of the same picture
                first, last = row, name
            place = Place(number, group, size, first, 0, f"{shard.name}/{Path(name).name}")
            yield from entries_with(record, str(place), split_of(shard.name))


def read_group(file: Any, shard: Shard, group: int) -> list[bytes | None]:
    """The pictures of a row group."""
    with _damage_named(shard):
        column = file.read_row_group(group, [PICTURE], use_threads=False).column("image").to_pylist()
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
            f"{shard.shown} is not readable parquet ({error}); it is cut off or damaged: copy it again"
        ) from error
