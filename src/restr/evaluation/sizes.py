"""Measures by the size of the thing: how much of its picture the true mask covers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from restr.metrics import SegmentationMetrics

SIZE_BINS = {"under 2% of the picture": 0.02, "2 to 10%": 0.10}  # bins of the share that a mask covers, and their ends
LARGEST_BIN = "over 10%"


class Sized(Protocol):
    """The part of ``restr.evaluation.evaluate.Record`` that is read here."""

    @property
    def share(self) -> float:
        """The share of the picture that the true mask covers."""
        ...

    @property
    def area(self) -> int:
        """Pixels of the true mask."""
        ...

    @property
    def intersection(self) -> int:
        """Pixels in both masks."""
        ...

    @property
    def union(self) -> int:
        """Pixels in either mask."""
        ...

    @property
    def boundary_iou(self) -> float:
        """IoU of the masks' borders."""
        ...


def size_bin(share: float) -> str:
    """The bin of a mask that covers ``share`` of its picture; a share at an edge belongs to the larger bin."""
    return next((name for name, end in SIZE_BINS.items() if share < end), LARGEST_BIN)


def measures_by_size(records: Iterable[Sized], metrics: SegmentationMetrics) -> dict[str, dict[str, float]]:
    """The measures of each bin with any record, the smallest first, boundary_iou included.

    metrics: empty; it has the rules. Records whose true mask is empty have no size and are left out.
    """
    borders: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record.area:
            size = size_bin(record.share)
            metrics.update_counts(record.intersection, record.union, size, area=record.area)
            borders[size].append(record.boundary_iou)
    measured = metrics.compute_by_kind()
    return {
        name: measured[name] | {"boundary_iou": float(np.mean(borders[name]))}
        for name in (*SIZE_BINS, LARGEST_BIN)
        if name in measured
    }
