"""A small dataset in the layout of the everyday sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from layouts import LEFT, MIDDLE, REGIONS, RIGHT, SIZE, instances, pictures
from restr.masks import rle_encode

EVERYDAY = {  # the first of a set is held out by its name, but for a set whose masks are a network's
    "photos": ("coco_000000000034.jpg", "ccp_0001.jpg"),
    "photos_more": ("coco_000000000048.jpg", "coco_000000000009.jpg"),
    "photos_boxes": ("coco_000000000094.jpg", "coco_000000000025.jpg"),
}


def make_everyday(root: Path) -> None:
    """Three sets, of which "photos" has a street photograph too; ids of annotations are of their set alone."""
    for name in ("photos", "photos_more", "photos_boxes"):
        content = instances()
        for image, file_name in zip(content["images"], EVERYDAY[name], strict=True):
            image |= {"file_name": file_name, "split": "train", "source": file_name.partition("_")[0]}
        for annotation in content["annotations"]:
            annotation |= {"segmentation": rle_encode(REGIONS[annotation["id"]]), "bbox": [6, 10, 15, 20], "area": 240}
        pictures(root / name / "images", EVERYDAY[name])
        (root / name / "instances.json").write_text(json.dumps(content))
    (root / "expressions").mkdir()
    lines = [
        ("photos", 0, [11], "left one", "one"),
        ("photos_boxes", 0, [12], "right one of a box", "one"),
        ("photos", 0, [11, 12], "both", "group"),
        ("photos", 1, [13], "her skirt", "one"),
        ("photos_more", 1, [13], "the middle", "one"),
        ("photos", 0, [], "the elephant", "absent"),
    ]
    rows = [
        {"photos": name, "image": EVERYDAY[name][number], "instances": ids, "text": text, "kind": kind}
        for name, number, ids, text, kind in lines
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "expressions" / "everyday_train.jsonl").write_text(text)


# as in layouts.py
LAYOUTS: dict[str, tuple[Callable[[Path], None], list[tuple[str, np.ndarray]]]] = {
    "everyday:.:val": (
        make_everyday,
        [("left one", LEFT), ("both", LEFT | RIGHT), ("the elephant", np.zeros(SIZE, bool))],
    ),
    "everyday:.:train": (make_everyday, [("right one of a box", RIGHT), ("her skirt", MIDDLE), ("the middle", MIDDLE)]),
}
