"""Two evaluations of the same samples compared: what the second does better, with intervals, and on which samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample, SampleSource
from restr.errors import DataError
from restr.evaluation.evaluate import Record
from restr.evaluation.reports.cases import CAPTION, CELL, GAP, draw_case, find_samples
from restr.metrics import bootstrap_interval, ratio_interval
from restr.report.overlay import draw_legend
from restr.report.text import INK, PAPER


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The second evaluation minus the first, on the samples of both. Intervals: 95%, paired bootstrap over images."""

    n: int
    """Samples in both."""
    oiou: float
    """Difference of oIoU, in [-1, 1]."""
    oiou_interval: tuple[float, float]
    """Its interval."""
    miou: float
    """Difference of mIoU, in [-1, 1]."""
    miou_interval: tuple[float, float]
    """Its interval."""
    better: int
    """Samples whose IoU grew by more than 0.1."""
    worse: int
    """Samples whose IoU fell by more than 0.1."""
    order: tuple[str, ...]
    """Ids of the samples, the largest gain first."""
    left_out: int
    """Samples in only one of the two."""


def compare_records(one: Mapping[str, Record], two: Mapping[str, Record]) -> Comparison:
    """Compare two evaluations of the same samples. Raises ``DataError`` if they share none, or a sentence differs."""
    shared = [identity for identity in one if identity in two]
    if not shared:
        raise DataError("the two evaluations have no sample in common; compare runs on the same data, split and seed")
    for identity in shared:
        if one[identity].text != two[identity].text:
            raise DataError(
                f"the sample {identity!r} is {one[identity].text!r} in one and {two[identity].text!r} in the other; "
                "compare runs on the same sentences"
            )
    a, b = [one[i] for i in shared], [two[i] for i in shared]
    groups = [record.image_id for record in a]
    gains = np.array([y.iou - x.iou for x, y in zip(a, b, strict=True)])
    return Comparison(
        n=len(shared),
        oiou=_oiou(b) - _oiou(a),
        oiou_interval=_paired(a, b, groups),
        miou=float(gains.mean()),
        miou_interval=ratio_interval(gains.tolist(), [1.0] * len(gains), groups),
        better=int((gains > 0.1).sum()),
        worse=int((gains < -0.1).sum()),
        order=tuple(shared[i] for i in np.argsort(-gains, kind="stable")),
        left_out=len(one) + len(two) - 2 * len(shared),
    )


def draw_comparison(
    found: Comparison,
    one: Mapping[str, Record],
    two: Mapping[str, Record],
    samples: Iterable[Sample] | SampleSource,
    *,
    each: int = 8,
) -> Image.Image:
    """A sheet of the ``each`` largest gains and losses, each with the first evaluation's mask beside the second's."""
    gains = [i for i in found.order[:each] if two[i].iou > one[i].iou]
    losses = [i for i in found.order[::-1][:each] if two[i].iou < one[i].iou]
    blocks = {"the second is better": gains, "the second is worse": losses}
    blocks = {name: identities for name, identities in blocks.items() if identities}
    opened = find_samples(samples, {i for identities in blocks.values() for i in identities})
    pair, heading, line = 2 * (CELL + GAP), 46, CELL + CAPTION + GAP
    height = sum(heading + -(-len(identities) // 2) * line for identities in blocks.values()) + GAP
    sheet = Image.new("RGB", (2 * pair + 2 * GAP, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for name, identities in blocks.items():
        pen.text((GAP, top + 8), name, INK, ImageFont.load_default(24))
        draw_legend(pen, sheet.width - GAP, top + 14)
        top += heading
        for number, identity in enumerate(identities):
            left = GAP + number % 2 * (pair + GAP)
            for place, (which, records) in enumerate((("first", one), ("second", two))):
                record = records[identity]
                note = f"{which}: IoU {100 * record.iou:.0f}"
                draw_case(sheet, (left + place * (CELL + GAP), top), opened[identity], record, note=note)
            top += line if number % 2 or number == len(identities) - 1 else 0
    return sheet


def _oiou(records: Sequence[Record]) -> float:
    union = sum(record.union for record in records)
    return sum(record.intersection for record in records) / union if union else 1.0


def _paired(one: Sequence[Record], two: Sequence[Record], groups: Sequence[str]) -> tuple[float, float]:
    """The interval of the difference of two oIoU; a resample takes the same images for both."""
    columns = [[getattr(r, name) for r in records] for records in (one, two) for name in ("intersection", "union")]
    return bootstrap_interval(lambda i1, u1, i2, u2: i2 / u2 - i1 / u1, columns, groups)
