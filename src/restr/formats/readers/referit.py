"""ReferIt (RefCLEF) in the layout of the natural-language retrieval papers: queries and boxes in JSON, masks in
``.mat``.

``referit_query_SPLIT.json`` maps a region's name ("12345_2") to its sentences; ``referit_bbox.json`` maps it to
[x0, y0, x1, y1]; ``mask/12345_2.mat`` is 0 inside the region; ``images/12345.jpg`` is the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord, read_json
from restr.errors import DatasetError

_SPLITS = ("train", "val", "trainval", "test")


def read_referit(root: Path, *, splits: tuple[str, ...] = _SPLITS) -> Iterator[Entry]:
    """The entries of every split found. Without ``mask/`` the boxes are the regions."""
    present = [split for split in splits if (root / f"referit_query_{split}.json").is_file()]
    if not present:
        raise DatasetError(f"{root} has no referit_query_SPLIT.json; SPLIT is one of {', '.join(splits)}")
    boxes_path = root / "referit_bbox.json"
    if not (root / "mask").is_dir() and not boxes_path.is_file():
        raise DatasetError(f"{root} has neither mask/ nor referit_bbox.json; masks or boxes are needed")
    boxes = None if (root / "mask").is_dir() else JsonRecord(read_json(boxes_path), str(boxes_path))
    for split in present:
        path = root / f"referit_query_{split}.json"
        for name, sentences in JsonRecord(read_json(path), str(path)).values.items():
            region = str(name).removesuffix(".jpg")
            record = JsonRecord({"sentences": sentences}, f"{path}, {region}")
            image_id = region.split("_", 1)[0]
            region_form = {"mat": f"mask/{region}.mat", "zero": True} if boxes is None else _box(boxes, name, region)
            for number, text in enumerate(record.texts("sentences")):
                yield Entry(
                    id=f"{region}/{number}",
                    image=f"images/{image_id}.jpg",
                    text=text,
                    regions=(region_form,),
                    split=split,
                    kind="one target",
                    image_id=image_id,
                )


def _box(boxes: JsonRecord, name: str, region: str) -> dict[str, Any]:
    corners = boxes.items(name, region)
    if len(corners) != 4 or not all(isinstance(each, (int, float)) for each in corners):
        raise boxes.wrong(region, corners, "[x0, y0, x1, y1]")
    x0, y0, x1, y1 = corners
    return {"box": [x0, y0, x1 - x0 + 1, y1 - y0 + 1]}  # both corners belong to the box
