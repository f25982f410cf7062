"""One sample of referring segmentation, and sequences of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """An image, an expression and the pixels that it means."""

    id: str
    """Unique within its dataset."""
    image: np.ndarray
    """uint8 (H W 3)."""
    text: str
    """The expression."""
    mask: np.ndarray
    """bool (H W); all False if the expression names nothing in the image."""
    kind: str = "other"
    """The clue of the sentence, for breakdowns: "category", "position", "colour", "relation", "clothing", ..."""
    image_id: str = ""
    """Shared by all samples of the image; empty if unknown."""


class SampleSource(Protocol):
    """Samples by number, each opened on its own; samples of the same image are neighbours."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...

    def ids(self) -> Sequence[str]:
        """Every sample's id; opens no image."""
        ...

    def image_groups(self) -> Sequence[Sequence[int]]:
        """The numbers of each image's samples, in order."""
        ...


class SampleList(list[Sample]):
    """Samples in memory, as a ``SampleSource``."""

    def ids(self) -> list[str]:
        """Every sample's id."""
        return [sample.id for sample in self]

    def image_groups(self) -> list[range]:
        """The numbers of each image's samples."""
        return runs([sample.image_id or f"sample {sample.id}" for sample in self])


def runs(names: Iterable[str]) -> list[range]:
    """The ranges of neighbours with equal names."""
    found: list[range] = []
    last = None
    for number, name in enumerate(names):
        if found and name == last:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
        last = name
    return found
