"""Masks that any program predicted, and records that an evaluation wrote: read, judged, compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from restr.data.entry import Record as Fields
from restr.data.readers.own import json_lines
from restr.data.sample import Sample
from restr.errors import DataError, DatasetError
from restr.evaluation.evaluate import EvaluationResult, Record, judged, summarise
from restr.masks import rle_decode
from restr.metrics import bootstrap_interval, ratio_interval
from restr.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A mask, bool (H W), and how sure its program was of it."""

    mask: np.ndarray
    score: float


def read_predictions(path: Path) -> dict[str, Fields]:
    """Lines {"id": of the sample, "prediction": COCO run lengths, "score": ...}, by id; masks are decoded when used.

    What ``restr eval`` writes as records.jsonl is of that form. Raises ``DatasetError`` naming the line.
    """
    found: dict[str, Fields] = {}
    for record in json_lines(path):
        identity = record.text("id")
        if identity in found:
            raise record.wrong("id", identity, "an id that no line before has")
        found[identity] = record
    return found


def score(
    samples: Iterable[Sample], predictions: Mapping[str, Fields], protocol: Protocol, *, missing_is_empty: bool = False
) -> EvaluationResult:
    """Judge predicted masks, at the photographs' own size, by a protocol's rules.

    missing_is_empty: a sample without a prediction counts as an empty mask; else it is a ``DataError``.
    """
    records = []
    for sample in samples:
        record = predictions.get(sample.id)
        if record is None:
            if not missing_is_empty:
                raise DataError(
                    f"there is no prediction for the sample {sample.id!r} ({sample.text!r}); predict it, or let missing ones count as "
                    "empty masks"
                )
            records.append(judged(sample, sample.mask, np.zeros_like(sample.mask), 0.0, protocol))
            continue
        try:
            mask = rle_decode(record.values.get("prediction") or record.values.get("segmentation") or {})
        except (DataError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{record.where}: the mask cannot be read ({error}); expected COCO run lengths"
            ) from error
        if mask.shape != sample.mask.shape:
            raise DatasetError(
                f"{record.where}: the mask is {mask.shape}, the photograph {sample.mask.shape}; bring it to the photograph's size"
            )
        value = record.values.get("score", 0.0)
        records.append(
            judged(sample, sample.mask, mask, float(value) if isinstance(value, (int, float)) else 0.0, protocol)
        )
    conditions = f"{protocol.name}'s rules for given masks: IoU at the original size, Pr@X counts IoU {protocol.precision_rule} X"
    return summarise(records, f"{conditions}, both masks empty: IoU {protocol.empty_iou:g}", protocol)


def read_records(folder: Path) -> dict[str, Record]:
    """The records of an evaluation's folder, by id."""
    path = folder / "records.jsonl" if folder.is_dir() else folder
    names = {field.name for field in fields(Record)}
    found = {}
    for line in json_lines(path):
        try:
            found[line.text("id")] = Record(**{name: value for name, value in line.values.items() if name in names})
        except TypeError as error:
            raise DatasetError(
                f"{line.where} is no record of restr eval ({error}); name a folder that it wrote"
            ) from error
    return found


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What B does better than A on the samples that both have: differences in [-1, 1] with 95% intervals (bootstrap over
    images, paired). better, worse: samples whose IoU changed by more than a tenth. order: ids, the largest gain first."""

    n: int
    oiou: float
    oiou_interval: tuple[float, float]
    miou: float
    miou_interval: tuple[float, float]
    better: int
    worse: int
    order: tuple[str, ...]
    left_out: int


def compare(one: Mapping[str, Record], two: Mapping[str, Record]) -> Comparison:
    """Compare two evaluations of the same samples. Raises ``DataError`` where they share none, or differ in a sentence."""
    shared = [identity for identity in one if identity in two]
    if not shared:
        raise DataError("the two evaluations have no sample in common; compare runs on the same data, split and seed")
    for identity in shared:
        if one[identity].text != two[identity].text:
            raise DataError(
                f"the sample {identity!r} is {one[identity].text!r} in one and {two[identity].text!r} in the other; compare runs on "
                "the same sentences"
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


def _oiou(records: Sequence[Record]) -> float:
    union = sum(record.union for record in records)
    return sum(record.intersection for record in records) / union if union else 1.0


def _paired(one: Sequence[Record], two: Sequence[Record], groups: Sequence[str]) -> tuple[float, float]:
    """The interval of the difference of two oIoU, each resample drawing the same images for both."""
    columns = [[getattr(r, name) for r in records] for records in (one, two) for name in ("intersection", "union")]
    return bootstrap_interval(lambda i1, u1, i2, u2: i2 / u2 - i1 / u1, columns, groups)
