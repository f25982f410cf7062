"""Photographs with instance masks on disk: ``images/`` and an ``instances.json`` in COCO's form, read as scenes.

Beside COCO's fields an image has ``split``, ``source`` ("coco", "ccp", "composite") and ``complete`` (every object of
the known categories has a mask), and an annotation may have ``owner``, the id of the annotation of the person who
wears it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restr.data.scene import Instance, Scene
from restr.errors import DataError
from restr.masks import rle_decode

ANNOTATIONS, IMAGES = "instances.json", "images"
CARRIED = frozenset({"bag", "purse", "wallet"})  # belong to a person without being part of the person's mask


class PhotoSet:
    """The photographs of a folder (of one split, or all); ``photos[i]`` reads one as a ``Scene``."""

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        self.root = Path(root)
        path = self.root / ANNOTATIONS
        if not path.is_file():
            raise DataError(f"{self.root} has no {ANNOTATIONS}; expected a folder with {ANNOTATIONS} and {IMAGES}/")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.categories = {c["id"]: (c["name"], not c.get("isthing", 1)) for c in content["categories"]}
            images: list[dict[str, Any]] = content["images"]
            annotations: list[dict[str, Any]] = content["annotations"]
        except (json.JSONDecodeError, KeyError) as error:
            raise DataError(f"{path} is not in COCO's form ({error!r}); expected images, annotations, categories") from error
        splits = sorted({str(i.get("split")) for i in images})
        if split is not None and split not in splits:
            raise DataError(f"{path} has no split {split!r}; it has {', '.join(splits)}")
        self.images = [i for i in images if split is None or i.get("split") == split]
        self.annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in annotations:
            self.annotations[annotation["image_id"]].append(annotation)

    @property
    def ids(self) -> list[str]:
        """File names: what a scene is called."""
        return [image["file_name"] for image in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Scene:
        entry = self.images[index]
        path = self.root / IMAGES / entry["file_name"]
        try:
            with Image.open(path) as file:
                image = np.asarray(file.convert("RGB"))
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}), but {ANNOTATIONS} lists it") from error
        source = entry.get("source", "coco")
        instances = self._instances(self.annotations[entry["id"]], image.shape[:2], path)
        if source == "ccp":
            instances = with_wearer(instances)
        return Scene(
            id=entry["file_name"],
            image=image,
            instances=tuple(instances),
            complete=bool(entry.get("complete", 1)),
            source=source,
        )

    def _instances(self, annotations: list[dict[str, Any]], shape: tuple[int, ...], path: Path) -> list[Instance]:
        place = {annotation["id"]: i for i, annotation in enumerate(annotations)}
        instances = []
        for annotation in annotations:
            mask = rle_decode(annotation["segmentation"])
            if mask.shape != shape:
                raise DataError(f"{path}: mask {annotation['id']} is {mask.shape}, the photograph is {shape}")
            name, stuff = self.categories[annotation["category_id"]]
            owner = place.get(annotation["owner"]) if annotation.get("owner") is not None else None
            instances.append(Instance(mask=mask, category=name, stuff=stuff, owner=owner))
        return instances


def load_photos(root: str | Path, split: str | None = None) -> PhotoSet:
    """The photographs of a folder. Raises ``DataError`` where it is not in the layout of this module."""
    return PhotoSet(root, split)


def with_wearer(instances: list[Instance]) -> list[Instance]:
    """A street photograph's garments, behind the person who wears them: the union of all masks but the bags'.

    Clothing Co-Parsing labels pixels by garment and shows one person a photograph, whom no mask names.
    """
    worn = [instance.mask for instance in instances if instance.category not in CARRIED]
    if not worn:
        return instances
    person = Instance(mask=np.logical_or.reduce(worn), category="person")
    garments = [Instance(mask=i.mask, category=i.category, stuff=i.stuff, owner=0) for i in instances]
    return [person, *garments]
