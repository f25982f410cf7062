"""Photographs with instance masks on disk: ``images/`` and an ``instances.json`` in COCO's form, read as scenes.

Beside COCO's fields an image has ``split``, ``source`` ("coco", "ccp", "composite") and ``complete`` (every object of
the known categories has a mask). An annotation may have ``owner``, the annotation's id of the person who wears it, and
``partly_visible``: too little of it shows for a target, but a sentence must not mean it by accident. The same goes for
an annotation whose ``segmentation`` is null: it has only a box.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from restr.errors import DataError, ImageError
from restr.files import read_text
from restr.grammar.scene import PARTLY, Instance, Scene
from restr.grammar.words.categories import PERSONAL_BAGS
from restr.masks import rle_decode
from restr.pictures.reading import read_picture

ANNOTATIONS, IMAGES = "instances.json", "images"


class PhotoSet:
    """The photographs of a folder (of one split, or all); ``photos[i]`` reads one as a ``Scene``."""

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        self.root = Path(root)
        path = self.root / ANNOTATIONS
        if not path.is_file():
            raise DataError(f"{self.root} has no {ANNOTATIONS}; expected a folder with {ANNOTATIONS} and {IMAGES}/")
        try:
            content = json.loads(read_text(path))
            self.categories = {c["id"]: (c["name"], not c.get("isthing", 1)) for c in content["categories"]}
            images: list[dict[str, Any]] = content["images"]
            annotations: list[dict[str, Any]] = content["annotations"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} is not in COCO's form ({error!r}); expected images, annotations, categories"
            ) from error
        splits = sorted({str(i.get("split")) for i in images})
        if split is not None and split not in splits:
            raise DataError(f"{path} has no split {split!r}; it has {', '.join(splits)}")
        self.images = [i for i in images if split is None or i.get("split") == split]
        self.annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in annotations:
            self.annotations[annotation["image_id"]].append(annotation)

    @property
    def ids(self) -> list[str]:
        """The scenes' ids: their file names."""
        return [image["file_name"] for image in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Scene:
        entry = self.images[index]
        path = self.root / IMAGES / entry["file_name"]
        try:
            with path.open("rb") as file:
                size = (entry["height"], entry["width"]) if "height" in entry and "width" in entry else None
                image = read_picture(file, str(path)).for_size(size)
        except (OSError, ImageError) as error:
            raise DataError(f"{path} cannot be read ({error}), but {ANNOTATIONS} lists it") from error
        source = entry.get("source", "coco")
        instances = self._instances(self.annotations[entry["id"]], image.shape[:2], path)
        if source == "ccp" and all(instance.owner is None for instance in instances):
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
            outlined = annotation.get("segmentation") is not None
            mask = rle_decode(annotation["segmentation"]) if outlined else _boxed(annotation, shape)
            if mask.shape != shape:
                raise DataError(f"{path}: mask {annotation['id']} is {mask.shape}, the photograph is {shape}")
            name, stuff = self.categories[annotation["category_id"]]
            owner = place.get(annotation["owner"]) if annotation.get("owner") is not None else None
            attributes = {PARTLY: "yes"} if annotation.get(PARTLY) or not outlined else {}
            instances.append(Instance(mask=mask, category=name, stuff=stuff, owner=owner, attributes=attributes))
        return instances


def _boxed(annotation: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """The box of an annotation without a mask, as a mask.

    The instance can be confused with a target, and be none itself.
    """
    x, y, width, height = annotation["bbox"]
    mask = np.zeros(shape, bool)
    mask[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = True
    return mask


def load_photos(root: str | Path, split: str | None = None) -> PhotoSet:
    """The photographs of a folder. Raises ``DataError`` if it is not in this module's layout."""
    return PhotoSet(root, split)


def with_wearer(instances: list[Instance]) -> list[Instance]:
    """A person and the garments: the person's mask is the union of all masks except those of bags.

    For Clothing Co-Parsing, which shows one person in each photograph and labels only the garments.
    """
    worn = [instance.mask for instance in instances if instance.category not in PERSONAL_BAGS]
    if not worn:
        return instances
    person = Instance(mask=np.logical_or.reduce(worn), category="person")
    garments = [Instance(mask=i.mask, category=i.category, stuff=i.stuff, owner=0) for i in instances]
    return [person, *garments]
