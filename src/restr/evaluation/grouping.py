"""The samples of one image: found, joined by region, and paired with other targets for the control."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from restr.data.sample import Sample

_MOST_OVERLAP = 0.1  # of the smaller region; with more, two targets are not different things


def by_image(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Runs of samples of the same image.

    A sample without an ``image_id`` stands alone. The same id with other pixels is another image.
    """
    for _, group in itertools.groupby(samples, key=lambda sample: sample.image_id or f"sample {sample.id}"):
        run: list[Sample] = []
        for sample in group:
            if run and sample.image is not run[0].image and not np.array_equal(sample.image, run[0].image):
                yield run
                run = []
            run.append(sample)
        yield run


def join_sentences(group: Sequence[Sample]) -> list[Sample]:
    """An image's samples, one for each region: its sentences, which follow each other, joined to one text."""
    regions: list[list[Sample]] = []
    for sample in group:
        if regions and np.array_equal(regions[-1][0].mask, sample.mask):
            regions[-1].append(sample)
        else:
            regions.append([sample])
    return [replace(region[0], text=". ".join(sample.text for sample in region)) for region in regions]


def image_generator(seed: int, sample: Sample) -> np.random.Generator:
    """The random numbers of a sample's image: the same in every process and in every order."""
    return np.random.default_rng((seed, zlib.crc32((sample.image_id or sample.id).encode())))


def other_targets(group: Sequence[Sample], rng: np.random.Generator) -> list[int | None]:
    """For each sample of an image, the index of a sample with a different region; None if there is none.

    Different means nearly disjoint: a mask of a man may rightly cover his hat.
    """
    found: list[int | None] = []
    for sample in group:
        choices = [index for index, other in enumerate(group) if _different(sample.mask, other.mask)]
        found.append(int(rng.choice(choices)) if choices else None)
    return found


def _different(mask: np.ndarray, other: np.ndarray) -> bool:
    smaller = min(np.count_nonzero(mask), np.count_nonzero(other))
    return bool(smaller) and bool(np.count_nonzero(mask & other) <= _MOST_OVERLAP * smaller)
