"""Predictions of any program, read and measured; and records that an evaluation wrote, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from restr.data.entries.entry import JsonRecord
from restr.data.sample import Sample
from restr.errors import DataError, DatasetError
from restr.evaluation.evaluate import EvaluationResult, Record, measure_mask, summarise
from restr.evaluation.protocol import EvalProtocol
from restr.formats.readers.own import json_lines
from restr.masks import rle_decode


def read_predictions(path: Path) -> dict[str, JsonRecord]:
    """Lines {"id": of the sample, "prediction": COCO run lengths, "score": ...}, by id; masks are decoded later.

    The records.jsonl of ``restr eval`` has that form. Raises ``DatasetError`` naming the line.
    """
    found: dict[str, JsonRecord] = {}
    for record in json_lines(path):
        identity = record.text("id")
        if identity in found:
            raise record.wrong("id", identity, "an id that no earlier line has")
        found[identity] = record
    return found


def score(
    samples: Iterable[Sample],
    predictions: Mapping[str, JsonRecord],
    protocol: EvalProtocol,
    *,
    missing_is_empty: bool = False,
) -> EvaluationResult:
    """Measure predicted masks, at the photographs' own size, by a protocol's rules.

    missing_is_empty: take a missing prediction as an empty mask, instead of raising ``DataError``.
    """
    records = []
    for sample in samples:
        record = predictions.get(sample.id)
        if record is None:
            if not missing_is_empty:
                raise DataError(
                    f"there is no prediction for the sample {sample.id!r} ({sample.text!r}); predict it, or let "
                    "missing ones count as empty masks"
                )
            records.append(measure_mask(sample, sample.mask, np.zeros_like(sample.mask), 0.0, protocol))
            continue
        try:
            mask = rle_decode(record.values.get("prediction") or record.values.get("segmentation") or {})
        except (DataError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{record.where}: the mask cannot be read ({error}); expected COCO run lengths"
            ) from error
        if mask.shape != sample.mask.shape:
            raise DatasetError(
                f"{record.where}: the mask is {mask.shape}, the photograph {sample.mask.shape}; bring it to the "
                "photograph's size"
            )
        value = record.values.get("score", 0.0)
        records.append(
            measure_mask(sample, sample.mask, mask, float(value) if isinstance(value, (int, float)) else 0.0, protocol)
        )
    conditions = f"{protocol.name}'s rules for given masks: IoU at the original size"
    conditions += f", Pr@X counts IoU {protocol.precision_rule} X"
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
                f"{line.where} is not a record written by restr eval ({error}); name a folder that it wrote"
            ) from error
    return found
