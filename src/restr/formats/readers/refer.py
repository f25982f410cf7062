"""The REFER layout: ``refs(SPLITTER).p`` (gRefCOCO: ``grefs(unc).json``) beside ``instances.json`` in COCO's form.

RefCOCO, RefCOCO+ (unc, google), RefCOCOg (umd, google), RefCLEF (unc, berkeley), gRefCOCO (unc). A ref is a region with
its sentences; each sentence is an entry. In gRefCOCO a ref names several annotations, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord, read_json, records_of
from restr.errors import DatasetError
from restr.fields import as_int
from restr.formats.readers.safe_pickle import read_pickle

IMAGE_FOLDERS = (
    "images/mscoco/images/train2014",
    "images/mscoco/train2014",
    "images/train2014",
    "train2014",
    "images/saiapr_tc-12",
    "saiapr_tc-12",
    "images",
    "",
)
_NO_TARGET = -1  # gRefCOCO's annotation id of a sentence that names nothing


def read_refer(root: Path, name: str, splitter: str) -> Iterator[Entry]:
    """The entries of all splits. root: the folder that holds ``name/`` and the images. Raises ``DatasetError``."""
    folder = root / name
    yield from read_refs(root, refs_file(folder, splitter), folder / "instances.json", IMAGE_FOLDERS)


def read_refs(root: Path, refs_path: Path, instances_path: Path, folders: Sequence[str]) -> Iterator[Entry]:
    """The entries of a refs file. folders: may hold the images; COCO's train2014 and val2014 may be in two of them."""
    content = read_json(refs_path) if refs_path.suffix == ".json" else read_pickle(refs_path)
    images, annotations = instances(instances_path)
    found: dict[str, Path] = {}  # prefix of a COCO file name, else "" -> folder
    for ref in records_of(content, refs_path):
        image_id = ref.integer("image_id")
        image = images.get(image_id)
        if image is None:
            raise ref.wrong("image_id", image_id, f"the id of an image in {instances_path}")
        file_name = image.text("file_name")
        prefix = file_name.rpartition("_")[0] if file_name.startswith("COCO_") else ""
        if prefix not in found:
            found[prefix] = folder_of_images(root, file_name, instances_path, folders)
        regions = [_annotated_region(annotations, ref, ann_id, instances_path) for ann_id in _annotation_ids(ref)]
        usual = "no target" if not regions else "several targets" if len(regions) > 1 else "one target"
        # restr data convert writes a kind with each sentence; the published files have none
        for sentence in ref.records("sentences"):
            yield Entry(
                id=f"{ref.text('ref_id')}/{sentence.text('sent_id')}",
                image=(found[prefix] / file_name).as_posix(),
                text=sentence.text("sent", "raw"),
                regions=tuple(regions),
                size=image.size(),
                split=ref.text("split"),
                kind=sentence.text("kind", default=usual),
                image_id=str(image_id),
            )


def read_refs_file(root: Path, path: Path) -> Iterator[Entry]:
    """The entries of a refs file of any name: ``NAME/refs(SPLITTER).p`` below ``root``."""
    splitter = path.stem.partition("(")[2].removesuffix(")")
    if path.parent.parent != root or not splitter:
        raise DatasetError(f"{path} is not NAME/refs(SPLITTER).p below {root}; name it so, with the images beside NAME")
    yield from read_refer(root, path.parent.name, splitter)


def sources_of_refs(path: Path) -> list[Path]:
    """The files that ``read_refs_file`` reads, as far as they exist."""
    beside = path.parent / "instances.json"
    return [path, beside] if beside.is_file() else [path]


def refs_file(folder: Path, splitter: str) -> Path:
    """The file of a splitter's refs. Raises ``DatasetError`` listing the folder's refs."""
    names = (f"refs({splitter}).p", f"grefs({splitter}).json", f"refs({splitter}).json")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path.name for path in folder.glob("*refs*")) if folder.is_dir() else []
    raise DatasetError(
        f"{folder} has no {names[0]} (nor {names[1]}); it has {', '.join(found) or 'no refs at all'}. restr data "
        "prepare says "
        "which files to put where"
    )


def instances(path: Path) -> tuple[dict[int, JsonRecord], dict[int, JsonRecord]]:
    """The images and annotations of an ``instances.json``, by id."""
    content = JsonRecord(read_json(path), str(path))
    images = {image.integer("id"): image for image in content.records("images")}
    if not images:
        raise DatasetError(f"{path} lists no images; expected COCO's images, annotations, categories")
    return images, {annotation.integer("id"): annotation for annotation in content.records("annotations")}


def _annotation_ids(ref: JsonRecord) -> list[int]:
    """The annotations of a ref; none if it is marked as naming nothing, even though Ref-ZOM lists some then."""
    if ref.values.get("source") == "zero":
        return []
    value = ref.values.get("ann_id")
    ids = [as_int(each) for each in (value if isinstance(value, (list, tuple)) else [ref.integer("ann_id")])]
    if None in ids:
        raise ref.wrong("ann_id", value, "the id of an annotation, or a list of them")
    return [each for each in ids if each is not None and each != _NO_TARGET]


def _annotated_region(annotations: dict[int, JsonRecord], ref: JsonRecord, ann_id: int, path: Path) -> dict[str, Any]:
    """An annotation's segmentation as a region."""
    annotation = annotations.get(ann_id)
    if annotation is None:
        raise ref.wrong("ann_id", ann_id, f"the id of an annotation in {path}")
    return segmentation(annotation)


def segmentation(annotation: JsonRecord) -> dict[str, Any]:
    """COCO's ``segmentation`` as a region: polygons, or run lengths."""
    value = annotation.values.get("segmentation")
    if isinstance(value, dict):
        return {"rle": value}
    if isinstance(value, list) and value and all(isinstance(polygon, list) for polygon in value):
        return {"polygons": value}
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return {"rle": value[0]}
    raise annotation.wrong("segmentation", value, "polygons [[x, y, ...], ...] or run lengths")


def folder_of_images(root: Path, file_name: str, listed_in: Path, folders: Sequence[str] = IMAGE_FOLDERS) -> Path:
    """The folder of the images, relative to ``root``: the first known one that holds ``file_name``."""
    for folder in folders:
        if (root / folder / file_name).is_file():
            return Path(folder)
    tried = ", ".join(folder or "." for folder in folders)
    raise DatasetError(
        f"{listed_in} lists {file_name}, which is in none of {tried} under {root}; put the images into one"
    )
