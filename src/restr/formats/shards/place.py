"""The position of a picture in a shard, written as an entry's file name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from restr.errors import DatasetError

_NUMBERS = 5
_PATTERN = re.compile(rf"(\d{{1,18}}(?:-\d{{1,18}}){{{_NUMBERS - 1}}})/(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Place:
    """A picture (or a mask's picture) in a shard, as part of the block that is read with it."""

    shard: int
    """The shard's number."""

    block: int
    """Where the block begins: a byte of a tar, or the number of a parquet file's row group."""

    size: int
    """The block's bytes."""

    start: int
    """The first byte within the block (tar), or the row within the group (parquet)."""

    length: int
    """Bytes (tar only)."""

    file: str
    """SHARD/MEMBER, for people."""

    def __str__(self) -> str:
        return f"{self.shard}-{self.block}-{self.size}-{self.start}-{self.length}/{self.file}"

    @classmethod
    def parse(cls, name: str) -> Place:
        """The place that a name spells. Raises ``DatasetError`` for other names, such as a path in an annotation."""
        found = _PATTERN.fullmatch(name)
        if found is None:
            raise DatasetError(
                f"{name!r} is not a file in a shard; pictures and masks must be in the shards themselves"
            )
        return cls(*map(int, found[1].split("-")), file=found[2])  # type: ignore[misc]


def place_numbers(names: Iterable[str]) -> np.ndarray:
    """The places of many names as int64 (names 5): shard, block, size, start, length."""
    values = [name.partition("/")[0].split("-") for name in names]
    return np.array(values, np.int64).reshape(-1, _NUMBERS)
