"""A list of pictures, of each of which the same is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from restr.bulk.rows import BulkPiece, BulkRecord
from restr.bulk.sources.base import BulkSource


@dataclass(frozen=True)
class _Names:
    """A list that stays in the process that made it: a worker gets the names of its pieces only."""

    names: list[str]

    def __reduce__(self) -> tuple[type[_Names], tuple[list[str]]]:
        return _Names, ([],)


class PictureList(BulkSource):
    """Pictures by their names, in order."""

    kind = "pictures"

    def __init__(self, names: list[str], texts: tuple[str, ...], base: str) -> None:
        """base: what relative names are relative to, absolute."""
        self._list, self.texts, self.base = _Names(names), texts, base

    def facts(self) -> dict[str, Any]:
        """As ``BulkSource.facts``: a digest of all names."""
        digest = hashlib.sha256()
        for name in self._list.names:
            digest.update(name.encode("utf-8", "backslashreplace") + b"\0")
        names = self._list.names
        return {"kind": self.kind, "pictures": len(names), "names": digest.hexdigest()[:16], "texts": list(self.texts)}

    def cut(self, rows: int) -> Iterator[BulkPiece]:
        """As ``BulkSource.cut``."""
        names, each = self._list.names, max(1, rows // len(self.texts))
        for first in range(0, len(names), each):
            some = tuple(names[first : first + each])
            yield BulkPiece(len(some) * len(self.texts), 0, first, first + len(some), first, some)

    def records(self, piece: BulkPiece) -> Iterator[BulkRecord]:
        """As ``BulkSource.records``."""
        return (BulkRecord(name, self.texts, name) for name in piece.names)

    def base_of(self, piece: BulkPiece) -> str:
        """As ``BulkSource.base_of``."""
        return self.base
