"""The JSON forms in which repositories redistribute the benchmarks.

``read_lists``: a file per split (``train.json`` ...), a list of regions with ``img_name`` or ``img_id``, ``sents``, and
a mask picture's name (``segment_id`` in ``masks/``), run lengths or polygons (CRIS, VLT and their descendants).
``read_grouped``: one ``instances.json`` with a list per split, each with ``image_id``, ``expressions`` and ``mask``
(SeqTR, SimREC).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord, read_json
from restr.data.entries.left_out import Read, each_record, one_by_one
from restr.data.entries.regions import THREE_POINTS, check_region
from restr.errors import DatasetError
from restr.formats.readers.refer import folder_of_images

_COCO_NAME = "COCO_train2014_{:012d}.jpg"


def read_lists(root: Path, annotations: Path) -> Iterator[Read]:
    """The entries of every ``SPLIT.json`` in a folder. root: above the images and ``masks/``."""
    paths = sorted(annotations.glob("*.json"))
    if not paths:
        raise DatasetError(f"{annotations} has no SPLIT.json; expected train.json, val.json and the like")
    for path in paths:
        for number, each in enumerate(each_record(read_json(path), f"{path}, record")):

            def read(record: JsonRecord, path: Path = path, number: int = number) -> Iterator[Read]:
                identity = record.text("segment_id", "ref_id", "ann_id", default=str(number))
                return _entries(root, path, record, path.stem, identity)

            yield from one_by_one([each], read)


def read_grouped(root: Path, path: Path) -> Iterator[Read]:
    """The entries of a file with one list per split."""
    content = JsonRecord(read_json(path), str(path))
    for split, listed in content.values.items():
        if not isinstance(listed, list):
            raise content.wrong(str(split), listed, "a list of regions")
        for number, each in enumerate(each_record(listed, f"{path}, {split}")):
            identity = f"{split}/{number}"
            yield from one_by_one(
                [each], lambda each, split=split, identity=identity: _entries(root, path, each, str(split), identity)
            )


def _entries(root: Path, path: Path, record: JsonRecord, split: str, identity: str) -> Iterator[Read]:
    """The entries of one region, one per sentence."""
    name = _image_name(record)
    region = checked_region(record)
    folder = folder_of_images(root, name, path)
    for index, text in enumerate(sentences_of(record)):
        yield Entry(
            id=f"{identity}/{index}",
            image=(folder / name).as_posix(),
            text=text,
            regions=(region,),
            size=record.size(),
            split=split,
            kind="one target",
            image_id=Path(name).stem,
        )


def _image_name(record: JsonRecord) -> str:
    """The picture's file name; an id alone is one of COCO's train2014."""
    if "img_name" in record or "file_name" in record or "image" in record:
        return record.text("img_name", "file_name", "image")
    number = record.integer("image_id", "img_id")
    if number < 0:
        raise record.wrong("image_id", number, "the number of a picture")
    return _COCO_NAME.format(number)


def sentences_of(record: JsonRecord) -> list[str]:
    """A region's sentences: texts, or objects with a text."""
    found = []
    for number, each in enumerate(record.items("expressions", "sents", "sentences", "refs")):
        if isinstance(each, dict):
            each = JsonRecord(each, f"{record.where}, sentence {number}").text("sent", "raw", "text")
        if not isinstance(each, str):
            raise record.wrong(f"sentence {number}", each, "text")
        found.append(each)
    return found


def checked_region(record: JsonRecord) -> dict[str, Any]:
    """``region_of``, with its numbers checked. Raises ``DatasetError`` if they enclose nothing."""
    region = region_of(record)
    if "polygons" in region and not _encloses(region["polygons"]):
        raise record.wrong("region", region["polygons"], "an outline of three points at least, or a bbox")
    check_region(region, record.where)
    return region


def region_of(record: JsonRecord) -> dict[str, Any]:
    """The region in the record's form, with its numbers unchecked. Raises ``DatasetError`` if there is none.

    A box is used only if there is nothing better: no mask, an empty one, or outlines of fewer than three points.
    """
    region = _drawn(record)
    if "bbox" in record and (region is None or ("polygons" in region and not _encloses(region["polygons"]))):
        return {"box": record.items("bbox")}
    if region is None:
        raise record.wrong("region", sorted(map(str, record.values)), "mask, segmentation, segment_id or bbox")
    return region


def _drawn(record: JsonRecord) -> dict[str, Any] | None:
    """A region that is more than a box, or None."""
    for name in ("mask", "segmentation", "rle"):
        value = record.values.get(name)
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value = value[0]
        if isinstance(value, dict):
            return {"rle": value}
        if isinstance(value, list) and value:
            if all(isinstance(each, list) for each in value):
                return {"polygons": [each for each in value if each]}
            if all(isinstance(each, (int, float)) for each in value):
                return {"polygons": [value]}
            raise record.wrong(name, value, "polygons or run lengths")
        if isinstance(value, str) and value.strip():
            return {"file": value} if "value" not in record else {"file": value, "value": record.integer("value")}
    if "segment_id" in record:
        return {"file": f"masks/{record.text('segment_id')}.png"}
    return None


def _encloses(polygons: list[list[Any]]) -> bool:
    """Whether any outline has three points or more."""
    return any(len(polygon) >= THREE_POINTS for polygon in polygons)
