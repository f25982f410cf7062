"""Helpers of the readers of annotation tools: unique ids, and the entries of a drawn shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from restr.data.entries.entry import Entry
from restr.formats.annotations.drawing import CanvasSize, Region


class UniqueIds:
    """Makes ids unique: exports that were merged by hand may use one id for several pictures."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def of(self, identity: str) -> str:
        """The id itself, or ``ID#2`` and so on when it comes again."""
        self._used[identity] += 1
        return identity if self._used[identity] == 1 else f"{identity}#{self._used[identity]}"


def entries_of_shape(
    picture: Entry, name: str | int, region: Region, texts: Iterable[str], size: CanvasSize | None
) -> Iterator[Entry]:
    """An entry for each text of a shape. picture: the fields that all entries of the picture share. name: the
    shape's."""
    for index, text in enumerate(texts):
        yield replace(picture, id=f"{picture.id}/{name}/{index}", text=text, regions=(region,), size=size)
