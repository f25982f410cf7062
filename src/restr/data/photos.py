"""Photographs with instance masks on disk: ``images/`` and an ``instances.json`` in COCO's form, read as scenes.

Beside COCO's fields an image has ``split``, ``source`` ("coco", "ccp", "composite") and ``complete`` (every object of
the known categories has a mask), and an annotation may have ``owner``, the id of the annotation of the person who
wears it, and ``partly_visible`` (so little of it shows that it is a rival, but no good target). An annotation whose
``segmentation`` is null has a box alone, and is such a rival.

``write_photos`` writes the same layout, in shards, so that several processes can share the work and a stopped one
loses at most its shard: a shard's masks appear only after all of its images.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restr.errors import DataError, ImageError
from restr.files import read_text, write_whole, written_whole
from restr.grammar.scene import PARTLY, Instance, Scene
from restr.grammar.words.categories import PERSONAL_BAGS
from restr.masks import box_of, box_xywh, rle_decode, rle_encode
from restr.pictures import read_picture

ANNOTATIONS, IMAGES, SHARDS = "instances.json", "images", "shards"
_QUALITY = 92  # of the JPEGs


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
        """File names: what a scene is called."""
        return [image["file_name"] for image in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Scene:
        entry = self.images[index]
        path = self.root / IMAGES / entry["file_name"]
        try:
            with path.open("rb") as file:
                size = (entry["height"], entry["width"]) if "height" in entry and "width" in entry else None
                image = read_picture(file, str(path)).sized(size)
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
    """The box of an annotation without a mask, as a mask: enough for a rival, too little for a target."""
    x, y, width, height = annotation["bbox"]
    mask = np.zeros(shape, bool)
    mask[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = True
    return mask


def load_photos(root: str | Path, split: str | None = None) -> PhotoSet:
    """The photographs of a folder. Raises ``DataError`` where it is not in the layout of this module."""
    return PhotoSet(root, split)


def with_wearer(instances: list[Instance]) -> list[Instance]:
    """A street photograph's garments, behind the person who wears them: the union of all masks but the bags'.

    Clothing Co-Parsing labels pixels by garment and shows one person a photograph, whom no mask names.
    """
    worn = [instance.mask for instance in instances if instance.category not in PERSONAL_BAGS]
    if not worn:
        return instances
    person = Instance(mask=np.logical_or.reduce(worn), category="person")
    garments = [Instance(mask=i.mask, category=i.category, stuff=i.stuff, owner=0) for i in instances]
    return [person, *garments]


def write_photos(scenes: Iterable[Scene], root: str | Path, *, split: str = "train") -> int:
    """Write scenes as a split of a folder of photographs, instead of those it had; returns how many all splits have."""
    write_shard(scenes, root, split, split=split)
    return join_shards(root)


def has_shard(root: str | Path, name: str) -> bool:
    """Whether a shard is complete."""
    return (Path(root) / SHARDS / f"{name}.json").is_file()


def write_shard(scenes: Iterable[Scene], root: str | Path, name: str, *, split: str = "train") -> int:
    """Write some of a folder's scenes: their images, then in one step their masks. Returns how many.

    A scene's id is its file name and must end in .jpg. ``join_shards`` makes the folder readable.
    """
    root = Path(root)
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    (root / SHARDS).mkdir(exist_ok=True)
    entries = []
    for scene in scenes:
        if not scene.id.endswith(".jpg") or "/" in scene.id:
            raise DataError(f"scene id {scene.id!r} must be a file name that ends in .jpg, as it names the image")
        with written_whole(root / IMAGES / scene.id) as partial:
            Image.fromarray(scene.image).save(partial, format="JPEG", quality=_QUALITY)
        height, width = scene.image.shape[:2]
        image = {"file_name": scene.id, "width": width, "height": height, "split": split}
        image |= {"source": scene.source, "complete": int(scene.complete)}
        entries.append({"image": image, "instances": [_entry(instance) for instance in scene.instances]})
    write_whole(root / SHARDS / f"{name}.json", json.dumps(entries))
    return len(entries)


def join_shards(root: str | Path, names: Sequence[str] | None = None) -> int:
    """Write ``instances.json`` from these shards (all, if None), in order; returns the number of photographs.

    Other shards in the folder, say of a larger run, are left out. ``DataError`` if one is missing or there is none, or if
    two hold the same photograph.
    """
    root = Path(root)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    if names is None:
        names = sorted(path.stem for path in (root / SHARDS).glob("*.json"))
    if not names:
        raise DataError(f"{root / SHARDS} has no shards; write some with write_shard first")
    for path in (root / SHARDS / f"{name}.json" for name in names):
        if not path.is_file():
            raise DataError(f"{path} is missing; write it with write_shard before the shards are joined")
        for entry in json.loads(path.read_text(encoding="utf-8")):
            name = entry["image"]["file_name"]
            if name in seen:
                raise DataError(f"{path} has {name}, which another shard has too; delete the shard that is wrong")
            seen.add(name)
            images.append({"id": len(images) + 1, **entry["image"]})
            first = len(annotations) + 1
            for instance in entry["instances"]:
                known = {"id": len(categories) + 1, "name": instance["category"], "isthing": instance["isthing"]}
                category = categories.setdefault(instance["category"], known)
                kept = {k: v for k, v in instance.items() if k not in ("category", "isthing", "owner")}
                owner = {} if instance["owner"] is None else {"owner": first + instance["owner"]}
                ids = {"id": len(annotations) + 1, "image_id": len(images), "category_id": category["id"]}
                annotations.append({**ids, **kept, **owner})
    content = {"images": images, "categories": list(categories.values()), "annotations": annotations}
    write_whole(root / ANNOTATIONS, json.dumps(content))
    return len(images)


def _entry(instance: Instance) -> dict[str, Any]:
    """An instance in COCO's form, its category by name and its owner by position: a shard knows no ids."""
    box = box_of(instance.mask)
    return {
        "category": instance.category,
        "isthing": int(not instance.stuff),
        "bbox": box_xywh(box) if box else [0, 0, 0, 0],
        "area": int(instance.mask.sum()),
        "iscrowd": 0,
        "segmentation": rle_encode(instance.mask),
        "owner": instance.owner,
        PARTLY: int(PARTLY in instance.attributes),
    }
