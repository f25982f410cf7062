"""Parquet tables, with the pictures' names or their files' bytes in a column. A piece is a range of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from restr.bulk.rows import BulkPiece, BulkRecord
from restr.bulk.sources.base import Counted
from restr.bulk.sources.tables import ColumnTable
from restr.errors import DatasetError
from restr.formats.shards.storage import Shard, ShardFile

_BUFFER = 1 << 20  # bytes of a column that are read at once; pyarrow would read all of a row group's
_TOGETHER = 32  # rows, which may hold pictures
_COUNTED = 4096  # rows, of small columns


@dataclass(frozen=True, kw_only=True)
class ParquetTable(ColumnTable):
    """Parquet files of one schema."""

    kind = "parquet"

    def count(self, number: int) -> Iterator[Counted]:
        """As ``FileSource.count``; reads the columns of expressions and of pictures' names, but no picture."""
        import pyarrow as arrow

        with _damage_said(self.files[number]):
            file = _open(self.files[number])
            self._wanted(file, number)
            image = file.schema_arrow.field(self.columns.image).type
            named = arrow.types.is_string(image) or arrow.types.is_large_string(image)
            wanted = [*([self.columns.image] if named else []), *([] if self.texts else [self.columns.text])]
            for row, values in enumerate(_rows(file, range(file.num_row_groups), wanted, _COUNTED), 1):
                rows = len(self.texts) or _count(values.get(self.columns.text))
                yield Counted(row, rows, values.get(self.columns.image))

    def records(self, piece: BulkPiece) -> Iterator[BulkRecord]:
        """As ``BulkSource.records``."""
        with _damage_said(self.files[piece.file]):
            file = _open(self.files[piece.file])
            first, groups, before = 0, [], 0
            for group in range(file.num_row_groups):
                last = first + file.metadata.row_group(group).num_rows
                if last > piece.start and first < piece.stop:
                    groups.append(group)
                elif last <= piece.start:
                    before = last
                first = last
            wanted = self._wanted(file, piece.file)
            for row, values in enumerate(_rows(file, groups, wanted, _TOGETHER), before):
                if row >= piece.stop:
                    return
                if row >= piece.start:
                    yield self.columns.record(values, self.texts)

    def _wanted(self, file: Any, number: int) -> list[str]:
        """The columns to read. Raises ``DatasetError`` for a file without them."""
        wanted = [name for name in (self.columns.image, self.columns.text, self.columns.id) if name]
        missing = sorted(set(wanted) - set(file.schema_arrow.names))
        if missing:
            raise DatasetError(
                f"{self.display_names()[number]} has no column {missing[0]!r}, unlike {self.display_names()[0]}; give one table "
                "at a time"
            )
        return wanted


def parquet_columns(file: Shard) -> list[str]:
    """The names of a parquet file's columns. Raises ``DatasetError``."""
    with _damage_said(file):
        return list(_open(file).schema_arrow.names)


def _open(shard: Shard) -> Any:
    """pyarrow's ``ParquetFile``, which reads a column piece by piece."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[bulk]'") from error
    return parquet.ParquetFile(ShardFile(shard), buffer_size=_BUFFER)


def _rows(file: Any, groups: Any, columns: list[str], together: int) -> Iterator[dict[str, Any]]:
    """The rows of row groups; of no columns, empty ones."""
    if not columns:
        for group in groups:
            yield from ({} for _ in range(file.metadata.row_group(group).num_rows))
        return
    for group in groups:
        for batch in file.iter_batches(together, row_groups=[group], columns=columns, use_threads=False):
            yield from batch.to_pylist()


def _count(value: Any) -> int:
    return max(1, len(value)) if isinstance(value, list) else 1


@contextmanager
def _damage_said(shard: Shard) -> Iterator[None]:
    try:
        import pyarrow as arrow

        damage: tuple[type[Exception], ...] = (arrow.ArrowException, OSError, ValueError, KeyError, IndexError)
    except ImportError:
        damage = ()  # said by ``_open``
    try:
        yield
    except DatasetError:
        raise
    except damage as error:
        raise DatasetError(
            f"{shard.display_name} is not readable parquet ({error}); it is cut off or damaged: copy it again"
        ) from error
