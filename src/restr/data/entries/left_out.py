"""What a reader could not make an expression of, and why: counted and named, never dropped in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord
from restr.data.entries.regions import THREE_POINTS
from restr.errors import DatasetError

BAD = "bad annotation"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Something in a file that no entry came of.

    what: its kind in a few words, as it is counted ("relation", "key point", ``BAD``). detail: file, record and reason, for
    people. count: how many of one kind this stands for; ``BAD`` ones stand each for themselves.
    """

    what: str
    detail: str = ""
    count: int = 1

    @property
    def bad(self) -> bool:
        """Whether it is damaged, and not merely something that marks no region."""
        return self.what == BAD


Read = Entry | LeftOut  # what readers give, in the order of the file


def bad(error: DatasetError | str) -> LeftOut:
    """An annotation that cannot be read."""
    return LeftOut(what=BAD, detail=storable(str(error)))


def storable(text: str) -> str:
    """A text with half surrogate pairs, which JSON can hold and UTF-8 cannot, written out as ``\\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def each_record(values: Any, where: str) -> Iterator[JsonRecord | DatasetError]:
    """The objects of a list, for ``one_by_one``; in the place of one that is none the error that says so. Raises ``DatasetError``
    where there is no list at all."""
    if not isinstance(values, (list, tuple)):
        raise DatasetError(f"{where} is {str(values)[:60]}; expected a list of records")
    for number, value in enumerate(values):
        try:
            yield JsonRecord(value, f"{where} {number}")
        except DatasetError as error:
            yield error


def one_by_one(
    records: Iterable[JsonRecord | DatasetError], read: Callable[[JsonRecord], Iterable[Read]]
) -> Iterator[Read]:
    """What ``read`` makes of each record; one that it refuses is left out as bad, beside the good ones."""
    for record in records:
        if isinstance(record, DatasetError):
            yield bad(record)
            continue
        try:
            found = list(read(record))  # whole or not at all: half a record's sentences would be a silent loss
            found += _flat_parts(found, record)
        except DatasetError as error:
            found = [bad(error)]
        yield from found


def _flat_parts(found: list[Read], record: JsonRecord) -> list[LeftOut]:
    """A note for the parts of a record's outlines that cover nothing, as they have one or two points."""
    regions = {id(region): region for each in found if isinstance(each, Entry) for region in each.regions}
    flat = sum(len(part) < THREE_POINTS for region in regions.values() for part in region.get("polygons", ()))
    return [LeftOut(what="part of fewer than three points", detail=record.where, count=flat)] if flat else []


def counted(notes: Iterable[Read]) -> Iterator[Read]:
    """The same with what is not bad summed up by kind, at the end: a file may hold thousands of key points."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for each in notes:
        if isinstance(each, Entry) or each.bad:
            yield each
        else:
            counts[each.what] += each.count
            first.setdefault(each.what, each.detail)
    for what, count in counts.items():
        yield LeftOut(what=what, detail=first[what], count=count)


def summary(left_out: Iterable[LeftOut]) -> str:
    """The counts in one line, bad ones first: "2 bad annotations, 1 relation"; nothing where nothing was left out."""
    counts: Counter[str] = Counter()
    for each in left_out:
        counts[each.what] += each.count
    order = sorted(counts, key=lambda what: what != BAD)
    return ", ".join(f"{counts[what]:,} {_several(what, counts[what])}" for what in order)


def _several(what: str, count: int) -> str:
    """ "relation" or "relations"; "text of no region" becomes "texts of no region"."""
    if count == 1:
        return what
    first, mark, rest = what.partition(" of ")
    if not mark:
        first, mark, rest = what.partition(" without ")
    return f"{first if first.endswith('s') else first + 's'}{mark}{rest}"
