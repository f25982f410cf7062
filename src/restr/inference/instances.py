"""The separate regions of a mask, for sentences that name several things: "the people", "all the dogs"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from restr import masks

# Of the mask. On 36 photographs dust was 0.02% to 0.9% of it, the smallest thing 5%.
LEAST_REGION = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskInstance:
    """One separate region of a mask, with its own score."""

    part: np.ndarray
    """bool (h w), the region inside its box."""

    box: masks.Box
    """(x0, y0, x1, y1) of ``part`` in the image, x1 and y1 exclusive."""

    size: tuple[int, int]
    """(H, W) of the image."""

    score: float
    """As ``Result.score``, of this region alone."""

    @cached_property
    def area(self) -> int:
        """Pixels in the region."""
        return int(np.count_nonzero(self.part))

    @property
    def mask(self) -> np.ndarray:
        """bool (H W), the region at the image's size; made anew at each call, as an image may have many regions."""
        return masks.place_part(self.part, self.box, self.size)

    @property
    def rle(self) -> dict[str, Any]:
        """The region as COCO's compressed run lengths: {"size": [H, W], "counts": str}."""
        return masks.rle_within(self.part, self.box[0], self.box[1], self.size)

    @property
    def polygons(self) -> list[list[float]]:
        """The region's outer outline as a list of one COCO polygon [x0, y0, x1, y1, ...]; holes are filled."""
        left, top = self.box[:2]
        return [
            [value + (top if place % 2 else left) for place, value in enumerate(outline)]
            for outline in masks.polygons_of(self.part)
        ]

    def to_dict(self) -> dict[str, Any]:
        """score, box, area and run lengths, in JSON's types."""
        return {"score": round(self.score, 4), "box": list(self.box), "area": self.area, "rle": self.rle}

    def __repr__(self) -> str:
        return f"MaskInstance(score={self.score:.2f}, box={self.box}, area={self.area})"


@dataclass(frozen=True, kw_only=True)
class Specks:
    """The regions that are too small to be instances."""

    count: int
    """How many."""

    area: int
    """Their pixels, together."""

    def __str__(self) -> str:
        regions = "region" if self.count == 1 else "regions"
        return f"{self.count} small {regions} of {self.area} pixels in all"


class MaskInstances(list[MaskInstance]):
    """The instances of a mask, the largest first, and how much of the mask is in none of them."""

    def __init__(self, instances: Iterable[MaskInstance], specks: Specks) -> None:
        super().__init__(instances)
        self.specks = specks

    def to_dict(self) -> dict[str, Any]:
        """The instances and the specks, in JSON's types."""
        return {"instances": [each.to_dict() for each in self], "specks": asdict(self.specks)}


def find_instances(
    mask: np.ndarray, least_share: float, score: Callable[[masks.Box, np.ndarray], float]
) -> MaskInstances:
    """The separate regions of a mask, bool (H W), as instances; see ``Result.instances``.

    score: the score of a region, from its box and its part (bool) of the box.
    """
    labels, areas, boxes = masks.label_regions(mask)
    kept = int(np.count_nonzero(areas >= least_share * areas.sum())) or min(1, len(areas))
    found = []
    for number, (x0, y0, x1, y1) in enumerate(boxes[:kept].tolist(), 1):
        box, part = (x0, y0, x1, y1), labels[y0:y1, x0:x1] == number
        found.append(MaskInstance(part=part, box=box, size=mask.shape, score=score(box, part)))
    return MaskInstances(found, Specks(count=len(areas) - kept, area=int(areas[kept:].sum())))
