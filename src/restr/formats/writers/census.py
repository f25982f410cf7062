"""Counts samples by split, sentence, mask and picture, to prove that a written dataset holds the same ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

import numpy as np

from restr.data.entries.entry import Entry
from restr.data.entries.identity import digest_of_array
from restr.data.sample import Sample
from restr.errors import DatasetError
from restr.formats.writers.source import Progress, Source


class Census:
    """How often each sample was seen. Samples are identified by content, not by id, in 16 bytes each."""

    def __init__(self) -> None:
        self.seen: Counter[bytes] = Counter()

    def add(self, split: str, sample: Sample) -> None:
        """Count a sample."""
        self.seen[_key_of_sample(split, sample)] += 1


def _key_of_sample(split: str, sample: Sample) -> bytes:
    """A digest of a sample's split, sentence, mask and picture."""
    digest = hashlib.blake2b(repr((split or "all", sample.text)).encode(), digest_size=16)
    digest.update(digest_of_array(sample.mask) + digest_of_array(sample.image))
    return digest.digest()


def compare_with_source(source: Source, expected: Census, found: Source, progress: Progress) -> None:
    """Read all of ``found``. Raises ``DatasetError`` naming the first missing or changed sample of ``source``."""
    got = Census()
    for number in range(len(found)):
        got.add(found.entry(number).split, found[number])
        progress(1)
    missing, more = expected.seen - got.seen, got.seen - expected.seen
    if missing or more:
        counts = f"{expected.seen.total():,} samples were given, {got.seen.total():,} came back"
        raise DatasetError(
            f"what was written does not read back the same: {counts}, {missing.total():,} of them changed or lost; "
            f"{_first(source, missing, found, more)}. Nothing was kept; please report it, and write another form "
            "meanwhile"
        )


def _first(source: Source, missing: Counter[bytes], found: Source, more: Counter[bytes]) -> str:
    """The first missing sample and what became of it; else the first extra one."""
    for entry, sample in _samples(source, missing):
        first = f"the first is {entry.id} of {entry.split or 'all'}, {sample.text[:80]!r} ({_facts(entry, sample)})"
        same = [pair for pair in _samples(found, more) if _split_and_text(*pair) == _split_and_text(entry, sample)]
        return f"{first}, which became {_facts(*same[0])}" if same else f"{first}, whose sentence did not come back"
    for entry, sample in _samples(found, more):
        return f"an extra one came back: {sample.text[:80]!r} of {entry.split or 'all'} ({_facts(entry, sample)})"
    return "the source changed meanwhile"


def _samples(source: Source, keys: Counter[bytes]) -> Iterable[tuple[Entry, Sample]]:
    pairs = ((source.entry(number), source[number]) for number in range(len(source)))
    return ((entry, sample) for entry, sample in pairs if _key_of_sample(entry.split, sample) in keys)


def _split_and_text(entry: Entry, sample: Sample) -> tuple[str, str]:
    return entry.split or "all", sample.text


def _facts(entry: Entry, sample: Sample) -> str:
    digest = digest_of_array(sample.image).hex()[:8]
    return f"a mask of {np.count_nonzero(sample.mask):,} pixels on picture {digest} in {entry.image}"
