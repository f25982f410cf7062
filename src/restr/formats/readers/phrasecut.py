"""PhraseCut (Visual Genome): ``refer_SPLIT.json``, a list of phrases with the polygons of every instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord, read_json, records_of
from restr.errors import DatasetError


def read_phrasecut(root: Path) -> Iterator[Entry]:
    """The entries of every split found; images in ``images/ID.jpg``."""
    paths = sorted(root.glob("refer_*.json"))
    if not paths:
        raise DatasetError(f"{root} has no refer_SPLIT.json; SPLIT is one of train, val, test, miniv")
    for path in paths:
        split = path.stem.removeprefix("refer_")
        for record in records_of(read_json(path), path):
            instances = record.items("Polygons")
            image_id = record.text("image_id")
            yield Entry(
                id=record.text("task_id", "phrase_id"),
                image=f"images/{image_id}.jpg",
                text=record.text("phrase"),
                regions=tuple({"polygons": flat_polygons(record, polygons)} for polygons in instances),
                split=split,
                kind="one target" if len(instances) == 1 else "several targets",
                image_id=image_id,
            )


def flat_polygons(record: JsonRecord, polygons: Any) -> list[list[float]]:
    """An instance's polygons of [x, y] points as COCO's flat lists of numbers."""
    try:
        return [[float(value) for point in polygon for value in point] for polygon in polygons]
    except (TypeError, ValueError) as error:
        raise record.wrong("Polygons", polygons, "for each instance a list of polygons of [x, y] points") from error
