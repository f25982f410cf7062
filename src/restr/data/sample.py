"""One referring-segmentation sample, the type every reader gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """An image, an expression and the pixels that it means.

    image: uint8 (H W 3). mask: bool (H W), all False when the expression names nothing in the image.
    kind: what the sentence relies on ("category", "position", "colour", "relation", "clothing", ...), for
    breakdowns. id: unique within its dataset.
    """

    id: str
    image: np.ndarray
    text: str
    mask: np.ndarray
    kind: str = "other"
    image_id: str = ""


class SampleSource(Protocol):
    """Samples by number, an image's together, of which a process can open some without touching the others.

    ids: of all samples, read without opening an image. image_groups: the numbers of each image's samples, in order.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...

    def ids(self) -> Sequence[str]: ...

    def image_groups(self) -> Sequence[Sequence[int]]: ...


class SampleList(list[Sample]):
    """Samples that are in memory, as a ``SampleSource``."""

    def ids(self) -> list[str]:
        """Every sample's id."""
        return [sample.id for sample in self]

    def image_groups(self) -> list[range]:
        """The numbers of each image's samples."""
        return runs([sample.image_id or f"sample {sample.id}" for sample in self])


def runs(names: Iterable[str]) -> list[range]:
    """The ranges in which neighbours have one name."""
    found: list[range] = []
    last = None
    for number, name in enumerate(names):
        if found and name == last:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
        last = name
    return found
