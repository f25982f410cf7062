"""What tables of every form share: the columns, and where their pictures lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from restr.bulk.rows import BulkPiece
from restr.bulk.sources.base import FileSource
from restr.bulk.sources.columns import BulkColumns


@dataclass(frozen=True, kw_only=True)
class ColumnTable(FileSource):
    """Files that name pictures and expressions in columns."""

    columns: BulkColumns
    """The columns, all found."""

    bases: tuple[str, ...]
    """For each file the folder or address to which pictures' names are relative."""

    def facts(self) -> dict[str, Any]:
        """As ``BulkSource.facts``, with the columns."""
        return super().facts() | {"columns": [self.columns.image, self.columns.text, self.columns.id]}

    def base_of(self, piece: BulkPiece) -> str:
        """As ``BulkSource.base_of``."""
        return self.bases[piece.file]
