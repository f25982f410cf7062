"""Where in a shard a picture is, written as the name that an entry has for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from restr.errors import DatasetError

_NUMBERS = 5
FORM = re.compile(rf"(\d{{1,18}}(?:-\d{{1,18}}){{{_NUMBERS - 1}}})/(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Place:
    """A picture (or a picture of a mask) in a shard, as part of the block that is read to have it.

    shard: its number. block: where the block begins, a byte of a tar or the number of a parquet file's row group; size: the block's
    bytes. start, length: the bytes in the block (tar), or start is the row in the group. file: SHARD/MEMBER, for people.
    """

    shard: int
    block: int
    size: int
    start: int
    length: int
    file: str

    def __str__(self) -> str:
        return f"{self.shard}-{self.block}-{self.size}-{self.start}-{self.length}/{self.file}"

    @classmethod
    def parse(cls, name: str) -> Place:
        """The place of a name. Raises ``DatasetError`` for what is none, such as a path in an annotation."""
        found = FORM.fullmatch(name)
        if found is None:
            raise DatasetError(
                f"{name!r} is no file in a shard; pictures and masks have to be in the shards themselves"
            )
        return cls(*map(int, found[1].split("-")), file=found[2])  # type: ignore[misc]


def numbers_of(names: Iterable[str]) -> np.ndarray:
    """The numbers of many names as int64 (names 5): shard, block, size, start, length."""
    values = [name.partition("/")[0].split("-") for name in names]
    return np.array(values, np.int64).reshape(-1, _NUMBERS)
