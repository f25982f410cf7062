"""Parts of a dataset's files that became no expression: counted, with reasons, and never dropped silently."""

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
    """Something in a file that became no entry."""

    what: str
    """Its kind in a few words, by which it is counted: "relation", "key point", ``BAD``."""
    detail: str = ""
    """File, record and reason, for people."""
    count: int = 1
    """The number of such things; always 1 for ``BAD``."""

    @property
    def bad(self) -> bool:
        """Whether it is damaged; else it is something that marks no region."""
        return self.what == BAD


Read = Entry | LeftOut  # the output of readers, in the order of the file


def bad(error: DatasetError | str) -> LeftOut:
    """A note for an annotation that cannot be read."""
    return LeftOut(what=BAD, detail=storable(str(error)))


def storable(text: str) -> str:
    """The text with unpaired surrogates, which JSON allows and UTF-8 does not, written out as ``\\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def each_record(values: Any, where: str) -> Iterator[JsonRecord | DatasetError]:
    """The objects of a list, for ``one_by_one``; an error in place of each value that is not an object.

    Raises ``DatasetError`` if ``values`` is not a list.
    """
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
    """The output of ``read`` for each record; a record that it refuses becomes a ``BAD`` note."""
    for record in records:
        if isinstance(record, DatasetError):
            yield bad(record)
            continue
        try:
            found = list(read(record))  # all or nothing: half of a record's sentences would be a silent loss
            found += _flat_parts(found, record)
        except DatasetError as error:
            found = [bad(error)]
        yield from found


def _flat_parts(found: list[Read], record: JsonRecord) -> list[LeftOut]:
    """A note for the parts of a record's outlines with one or two points, which cover nothing."""
    regions = {id(region): region for each in found if isinstance(each, Entry) for region in each.regions}
    flat = sum(len(part) < THREE_POINTS for region in regions.values() for part in region.get("polygons", ()))
    return [LeftOut(what="part of fewer than three points", detail=record.where, count=flat)] if flat else []


def count_notes(notes: Iterable[Read]) -> Iterator[Read]:
    """The same, but notes that are not bad are summed by kind, at the end: a file may have thousands of key points."""
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
    """The counts in one line, bad ones first: "2 bad annotations, 1 relation"; empty if nothing was left out."""
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
