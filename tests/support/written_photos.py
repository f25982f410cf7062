"""Scenes written as a folder of photographs with instance masks, the layout that ``restr.data.photos`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from restr.data.photos import ANNOTATIONS, IMAGES
from restr.grammar.scene import PARTLY, Instance, Scene
from restr.masks import box_of, box_xywh, rle_encode


def write_photos(scenes: Iterable[Scene], root: Path, *, split: str = "train") -> int:
    """Write scenes as one split; returns their number. A scene's id is the file name of its JPEG."""
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, dict[str, Any]] = {}
    for scene in scenes:
        Image.fromarray(scene.image).save(root / IMAGES / scene.id, format="JPEG", quality=92)
        height, width = scene.image.shape[:2]
        image = {"id": len(images) + 1, "file_name": scene.id, "width": width, "height": height, "split": split}
        images.append(image | {"source": scene.source, "complete": int(scene.complete)})
        first = len(annotations) + 1
        for instance in scene.instances:
            known = {"id": len(categories) + 1, "name": instance.category, "isthing": int(not instance.stuff)}
            category = categories.setdefault(instance.category, known)
            ids = {"id": len(annotations) + 1, "image_id": len(images), "category_id": category["id"]}
            owner = {} if instance.owner is None else {"owner": first + instance.owner}
            annotations.append(ids | owner | _annotation(instance))
    content = {"images": images, "categories": list(categories.values()), "annotations": annotations}
    (root / ANNOTATIONS).write_text(json.dumps(content), encoding="utf-8")
    return len(images)


def _annotation(instance: Instance) -> dict[str, Any]:
    """An instance in COCO's form, but for what refers to others."""
    box = box_of(instance.mask)
    return {
        "bbox": box_xywh(box) if box else [0, 0, 0, 0],
        "area": int(instance.mask.sum()),
        "iscrowd": 0,
        "segmentation": rle_encode(instance.mask),
        PARTLY: int(PARTLY in instance.attributes),
    }
