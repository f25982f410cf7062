"""Whether a copy of a published benchmark has the published size, split by split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from restr.data.dataset import IndexedSamples
from restr.formats.catalog import PUBLISHED_LAYOUTS
from restr.published.sizes import SIZES, BenchmarkSize, SplitSize

_UNITS = ("expressions", "refs", "pictures")


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """A split of a copy beside its published size."""

    split: str
    """Its name; empty for all splits together."""

    found: SplitSize
    """What the copy has."""

    published: SplitSize
    """What it should have; None where that is not known."""

    def differences(self) -> list[str]:
        """What is missing or too much, in words; empty if the copy agrees."""
        told = []
        for unit, found, published in self._known():
            if found != published:
                more = f"{found - published:,} too many" if found > published else f"{published - found:,} missing"
                told.append(f"{found:,} of {published:,} {unit}: {more}")
        return told

    def agreements(self) -> str:
        """The numbers that are known, each with the copy's."""
        return ", ".join(f"{found:,} of {published:,} {unit}" for unit, found, published in self._known())

    def _known(self) -> Iterable[tuple[str, int, int]]:
        """(unit, found, published) of each published number."""
        for unit in _UNITS:
            published = getattr(self.published, unit)
            if published is not None:
                yield unit, getattr(self.found, unit), published


def benchmark_of(data: str) -> str:
    """The key in ``SIZES`` of a dataset named as ``restr data check`` takes it; empty for data of one's own.

    A benchmark whose size nobody confirms has a key too, which ``SIZES`` lacks.
    """
    name, _, splitter = data.partition(":")
    if name not in PUBLISHED_LAYOUTS:
        return ""
    splitter = splitter or next(iter(PUBLISHED_LAYOUTS[name].splitters), "")
    return f"{name}:{splitter}".removesuffix(":")


def found_sizes(samples: IndexedSamples) -> dict[str, SplitSize]:
    """What each split of a copy holds. The sentences of a ref have ids that agree up to the last "/"."""
    found = {}
    for split in samples.entries.splits():
        ids = samples.entries.column("id", split)
        found[split] = SplitSize(
            expressions=len(ids),
            refs=len({each.rpartition("/")[0] for each in ids}),
            pictures=len(set(samples.entries.column("image", split))),
        )
    return found


def compare_sizes(found: Mapping[str, SplitSize], size: BenchmarkSize) -> list[SplitCount]:
    """Each published split, and all of them together if only that is published, beside what a copy has."""
    counts = [
        SplitCount(split=split, found=_together(found, _names(split, found, size)), published=published)
        for split, published in size.splits.items()
    ]
    if size.expressions is not None:
        whole = SplitSize(expressions=size.expressions)
        counts.append(SplitCount(split="", found=_together(found, found), published=whole))
    return counts


def sizes_of_copy(samples: IndexedSamples, data: str) -> list[SplitCount]:
    """A copy beside the published size; empty where none is known. data: as ``restr data check`` takes it."""
    size = SIZES.get(benchmark_of(data))
    return [] if size is None else compare_sizes(found_sizes(samples), size)


def _names(split: str, found: Mapping[str, SplitSize], size: BenchmarkSize) -> Iterable[str]:
    """The splits of the copy that a split's number counts."""
    parts = size.parts.get(split, (split,))
    return (split,) if split in found and split not in parts else parts


def _together(found: Mapping[str, SplitSize], names: Iterable[str]) -> SplitSize:
    present = [found[name] for name in names if name in found]
    return SplitSize(**{unit: sum(getattr(each, unit) for each in present) for unit in _UNITS})
