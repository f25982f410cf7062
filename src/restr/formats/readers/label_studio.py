"""Label Studio's JSON export: outlines, boxes, ellipses and brush strokes become regions; other results are counted.

The results of an annotation that share an ``id`` describe one region: one has the shape, another may have the labels
(<Polygon> with <Labels>), another the text (<TextArea perRegion="true">).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from restr.data.entries.entry import Entry, JsonRecord, read_json
from restr.data.entries.left_out import LeftOut, Read, bad, count_notes, each_record, one_by_one, storable
from restr.errors import DatasetError
from restr.formats.annotations import drawing
from restr.formats.annotations.drawing import CanvasSize, Region, canvas_size, number_of, numbers_of
from restr.formats.annotations.pictures import PictureFinder, folders
from restr.formats.annotations.shapes import UniqueIds, entries_of_shape

_PICTURE_KEYS = ("image", "img", "photo")  # of a task's data, tried first
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")
_NOT_USED = {"predictions": "prediction of a model", "drafts": "draft"}
# types of results that mark no region -> the words under which they are counted
_NO_REGION = {"keypoint": "key point", "keypointlabels": "key point", "vectorlabels": "vector", "choices": "choice"}
_UNREADABLE = ("bitmask", "bitmasklabels", "magicwand", "cuboidlabels")  # mark a region in an unknown form
_UNNAMED = "region without text or label"


@dataclass
class _MarkedRegion:
    """One region: all results that share an id."""

    shape: tuple[JsonRecord, JsonRecord] | None = None
    """The result with a shape, and its value."""

    texts: list[str] = field(default_factory=list)
    """The texts of its text areas."""

    labels: list[str] = field(default_factory=list)
    """The labels of the shape, or those stored beside it."""

    explained: bool = False
    """Whether a missing shape was already counted."""


def read_label_studio(root: Path, path: Path) -> Iterator[Read]:
    """Each region is an entry; its text is a text area's, else its labels.

    A damaged region is left out. Raises ``DatasetError`` if the file is not such an export.
    """
    return count_notes(_read(root, path))


def _read(root: Path, path: Path) -> Iterator[Read]:
    listed = list(each_record(read_json(path), f"{path}, record"))
    tasks = [task for task in listed if isinstance(task, JsonRecord)]
    if tasks and not any("annotations" in task or "completions" in task for task in tasks):
        raise DatasetError(
            f"{path}: none of its {len(tasks)} tasks has annotations; expected Label Studio's export 'JSON', not "
            "'JSON-MIN' nor the "
            "tasks alone"
        )
    pictures = PictureFinder(root, [name for task in tasks if (name := _address(task))])
    places = folders(root, path)
    ids = UniqueIds()

    def read(task: JsonRecord) -> Iterator[Read]:
        identity = ids.of(task.text("id", default=task.where.rpartition(" ")[2]))
        yield from _task(task, identity, path.stem, pictures, places)

    yield from one_by_one(listed, read)


def _task(
    task: JsonRecord, identity: str, split: str, pictures: PictureFinder, places: Sequence[str]
) -> Iterator[Read]:
    for name, what in _NOT_USED.items():
        if isinstance(found := task.values.get(name), list) and found:
            yield LeftOut(what=what, detail=task.where, count=len(found))
    annotations = list(each_record(task.items("annotations", "completions"), f"{task.where}, annotations"))
    if not annotations:
        return
    address = _address(task)
    if not address:
        raise JsonRecord(task.values.get("data"), f"{task.where}, data").wrong(
            "image", task.values.get("data"), "a picture's address"
        )
    image = pictures.path(address, places)
    for number, annotation in enumerate(annotations):
        picture = Entry(id=f"{identity}/{number}", image=image, text="", regions=(), split=split, image_id=identity)
        yield from one_by_one([annotation], lambda each, picture=picture: _annotation(each, picture))


def _annotation(annotation: JsonRecord, picture: Entry) -> Iterator[Read]:
    """The entries of an annotation's regions. picture: the fields that they share."""
    if annotation.values.get("was_cancelled"):
        yield LeftOut(what="cancelled annotation", detail=annotation.where)
        return
    regions: dict[str, _MarkedRegion] = {}
    for number, each in enumerate(annotation.items("result")):
        try:
            result = JsonRecord(each, f"{annotation.where}, result {number}")
            yield from _gather(result, regions.setdefault(result.text("id", default=f"#{number}"), _MarkedRegion()))
        except DatasetError as error:
            yield bad(error)
    for name, marked in regions.items():
        if marked.shape is None:
            if marked.texts and not marked.explained:
                yield LeftOut(what="text of no region", detail=f"{annotation.where}: {storable(marked.texts[0])}")
            continue
        yield from one_by_one(
            [marked.shape[0]], lambda each, name=name, marked=marked: _entries(each, name, marked, picture)
        )


def _gather(result: JsonRecord, marked: _MarkedRegion) -> Iterator[Read]:
    """Add a result to its region."""
    kind = storable(result.text("type", default=""))
    if kind == "relation":
        yield LeftOut(what=kind, detail=result.where)
        return
    value = JsonRecord(result.values.get("value"), f"{result.where}, value")
    if kind in _UNREADABLE:
        marked.explained = True
        raise result.wrong("type", kind, "a rectangle, polygon, ellipse or brush; this form cannot be read")
    if kind in _NO_REGION and kind != "choices":
        marked.explained = True
        yield LeftOut(what=_NO_REGION[kind], detail=result.where)
        return
    labels = [
        storable(str(label)) for name in value.values if str(name).endswith("labels") for label in value.items(name)
    ]
    marked.labels += [label for label in labels if label not in marked.labels]
    if _has_shape(value):
        marked.shape = marked.shape or (result, value)
    if "text" in value:
        listed = value.values["text"]
        texts = [str(each).strip() for each in (listed if isinstance(listed, list) else [listed])]
        marked.texts += [text for text in texts if text]
    elif not labels and (not _has_shape(value) or kind == "choices"):
        yield LeftOut(what=_NO_REGION.get(kind, kind) or "result of no type", detail=result.where)


def _has_shape(value: JsonRecord) -> bool:
    return "rle" in value or "points" in value or "radiusX" in value or ("width" in value and "x" in value)


def _entries(result: JsonRecord, name: str, marked: _MarkedRegion, picture: Entry) -> Iterator[Read]:
    """The entries of one region."""
    texts = marked.texts or marked.labels
    if not texts:
        yield LeftOut(what=_UNNAMED, detail=result.where)
        return
    assert marked.shape is not None
    size = canvas_size(result, "original_height", "original_width")
    yield from entries_of_shape(picture, name, _in_pixels(result, marked.shape[1], size), texts, size)


def _in_pixels(result: JsonRecord, value: JsonRecord, size: CanvasSize) -> Region:
    """A shape in percent of the picture as a region in pixels. Raises ``DatasetError`` naming the result."""
    if result.values.get("image_rotation"):
        raise result.wrong(
            "image_rotation", result.values["image_rotation"], "0; turn the picture itself before it is annotated"
        )
    down, across = size[0] / 100, size[1] / 100
    if "rle" in value:
        return drawing.packed_runs(value.items("rle"), size, value.where)
    if "points" in value:
        points = value.items("points")
        if len(points) < 3 or not all(isinstance(point, list) and len(point) == 2 for point in points):
            raise value.wrong("points", points, "[x, y] of three points at least")
        pairs = [numbers_of(value, "points", point) for point in points]
        return {"polygons": [[number for x, y in pairs for number in (x * across, y * down)]]}
    x, y = number_of(value, "x") * across, number_of(value, "y") * down
    angle = number_of(value, "rotation", default=0)
    if "radiusX" in value:
        rx, ry = number_of(value, "radiusX") * across, number_of(value, "radiusY") * down
        return drawing.ellipse(x, y, rx, ry, angle, size, value.where)
    width, height = number_of(value, "width") * across, number_of(value, "height") * down
    if width < 0 or height < 0:
        raise value.wrong("width, height", [width, height], "numbers from 0 on")
    return drawing.box(x, y, width, height, angle, "corner")


def _address(task: JsonRecord) -> str:
    """The address of a task's picture, as a path if Label Studio stores it; "" if there is none."""
    data = task.values.get("data")
    if not isinstance(data, dict):
        return ""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    named = [texts[key] for key in _PICTURE_KEYS if key in texts]
    named += [
        each for each in texts.values() if each.partition("&")[0].rpartition("?d=")[2].lower().endswith(_SUFFIXES)
    ]
    return _local_image(named[0]) if named else ""


def _local_image(address: str) -> str:
    """The path in Label Studio's address of an uploaded or local picture; any other address unchanged."""
    for mark in ("/data/local-files/?d=", "?d=", "/data/upload/"):
        before, found, after = address.partition(mark)
        if found:
            return after
    return address.removeprefix("/data/")
