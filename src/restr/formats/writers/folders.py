"""Datasets whose pictures lie in ``images/``: a JSONL file, COCO's form and the REFER layout."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from restr.files import write_atomically
from restr.formats.writers.pictures import PictureFolder, Reading
from restr.masks import box_of, box_xywh, rle_encode

_BREAKS = re.compile(r"[\x7f-\x9f\u2028\u2029]")  # some readers take these for line ends


def write_jsonl(reading: Reading, folder: Path) -> Path:
    """``samples.jsonl`` and ``images/``."""
    lines = [
        _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(row, ensure_ascii=False)) + "\n"
        for row in _rows(reading, folder)
    ]
    write_atomically(folder / "samples.jsonl", "".join(lines))
    return folder / "samples.jsonl"


def write_csv(reading: Reading, folder: Path) -> Path:
    """``samples.csv``, its masks as run lengths in JSON, and ``images/``."""
    table = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in _rows(reading, folder):
        if writer is None:
            writer = csv.DictWriter(table, row)
            writer.writeheader()
        mask = row["mask"]
        writer.writerow(row | {"mask": mask if isinstance(mask, str) else json.dumps(mask)})
    write_atomically(folder / "samples.csv", table.getvalue())
    return folder / "samples.csv"


def _rows(reading: Reading, folder: Path) -> Iterator[dict[str, Any]]:
    """Samples as ``jsonl:`` and ``csv:`` read them; copies their pictures."""
    pictures = PictureFolder(reading, folder)
    for entry, sample in reading:
        height, width = sample.mask.shape
        yield {
            "id": f"{entry.split}/{entry.id}" if entry.split else entry.id,
            "image": f"images/{pictures.name(entry, sample)}",
            "text": entry.text,
            "mask": rle_encode(sample.mask) if entry.regions else "none",
            "split": entry.split or "all",
            "kind": entry.kind,
            "height": height,
            "width": width,
        }


def write_coco(reading: Reading, folder: Path) -> Path:
    """``instances.json`` with ``expressions``, and ``images/``. A picture of two splits is listed once for each."""
    content, _ = _coco(reading, folder, by_split=True)
    write_atomically(folder / "instances.json", json.dumps(content))
    return folder / "instances.json"


def write_refer(reading: Reading, folder: Path) -> Path:
    """``own/refs(own).p``, ``own/instances.json`` and ``images/``: the layout of most published programs."""
    content, refs = _coco(reading, folder, by_split=False)
    (folder / "own").mkdir()
    write_atomically(folder / "own" / "instances.json", json.dumps(content))
    write_atomically(folder / "own" / "refs(own).p", pickle.dumps(refs, protocol=2))
    return folder / "own" / "refs(own).p"


def _coco(reading: Reading, folder: Path, *, by_split: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """COCO's document and REFER's refs. Equal regions of one picture and split become one annotation.

    A sentence that names nothing gets an annotation without pixels, so that programs find one; its ref is marked as in
    Ref-ZOM. by_split: list a picture once per split, as COCO's images have a split; in REFER only the refs have one.
    """
    pictures = PictureFolder(reading, folder)
    images: dict[tuple[str, str], dict[str, Any]] = {}
    annotations: dict[tuple[str, str, str, bool], dict[str, Any]] = {}
    refs: dict[int, dict[str, Any]] = {}
    sentence = 0
    for entry, sample in reading:
        name, (height, width), split = pictures.name(entry, sample), sample.mask.shape, entry.split or "all"
        image = images.setdefault(
            (split if by_split else "", name),
            {"id": len(images) + 1, "file_name": name, "height": height, "width": width, "split": split},
        )
        rle, box = rle_encode(sample.mask), box_of(sample.mask)
        annotation = annotations.setdefault(
            (split, name, rle["counts"], bool(entry.regions)),
            {
                "id": len(annotations) + 1, "image_id": image["id"], "category_id": 1, "iscrowd": 0,
                "segmentation": rle, "area": int(np.count_nonzero(sample.mask)),
                "bbox": box_xywh(box) if box else [0, 0, 0, 0], "expressions": [],
            },
        )  # fmt: skip
        annotation["expressions"].append(entry.text)
        sentence += 1
        ref = refs.setdefault(
            annotation["id"],
            {"ref_id": annotation["id"], "ann_id": annotation["id"], "image_id": image["id"], "category_id": 1,
             "split": split, "file_name": name, "sentences": []} | ({} if entry.regions else {"source": "zero"}),
        )  # fmt: skip
        sentence_record = {
            "sent_id": sentence,
            "sent": entry.text,
            "raw": entry.text,
            "tokens": entry.text.split(),
            "kind": entry.kind,
        }
        ref["sentences"].append(sentence_record)
    content = {
        "images": list(images.values()),
        "annotations": list(annotations.values()),
        "categories": [{"id": 1, "name": "referent"}],
    }
    return content, list(refs.values())
