"""CVAT's export "CVAT for images 1.1": boxes, polygons, ellipses and brush masks become regions; other shapes are
counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from restr.data.entries.entry import Entry, JsonRecord
from restr.data.entries.left_out import LeftOut, Read, bad, count_notes, one_by_one
from restr.errors import DatasetError
from restr.files import read_text
from restr.formats.annotations import drawing
from restr.formats.annotations.drawing import CanvasSize, Region, canvas_size, number_of, numbers_of
from restr.formats.annotations.pictures import PictureFinder, folders
from restr.formats.annotations.shapes import UniqueIds, entries_of_shape

# shapes that enclose nothing -> the words under which they are counted
_NO_REGION = {"points": "set of points", "tag": "tag of a whole picture"}
_TEXTS = ("expression", "text")  # names of the attribute with the sentence


def read_cvat(root: Path, path: Path) -> Iterator[Read]:
    """Each shape is an entry; its text is the attribute ``expression``, else its label.

    A damaged shape is left out. Raises ``DatasetError`` if the file is not such an export.
    """
    return count_notes(_read(root, path))


def _read(root: Path, path: Path) -> Iterator[Read]:
    tree = _tree(path)
    images = list(tree.iter("image"))
    tracks = len(tree.findall("track"))
    if tracks and not images:
        raise DatasetError(
            f"{path} is an export 'CVAT for video', {tracks} tracks; expected 'CVAT for images 1.1': export it as that"
        )
    if tracks:
        yield LeftOut(what="track", detail=f"{path}: a video's", count=tracks)
    pictures = PictureFinder(root, [image.get("name", "") for image in images])
    places: dict[str, list[str]] = {}  # by subset
    ids = UniqueIds()
    for image in images:
        record = JsonRecord(dict(image.attrib), f"{path}, image {image.get('name')}")
        try:
            name, size = record.text("name"), canvas_size(record)
            # in a project's export, each task numbers its pictures from 0
            identity = "/".join(each for each in (image.get("task_id"), record.text("id", default=name)) if each)
        except DatasetError as error:
            yield bad(error)
            continue
        identity = ids.of(identity)
        subset = record.text("subset", default="")
        if subset not in places:
            places[subset] = folders(root, path, subset)
        picture = Entry(
            id=identity,
            image=pictures.path(name, places[subset]),
            text="",
            regions=(),
            size=size,
            split=subset or "all",
            image_id=identity,
        )
        yield from _shapes(image, record, picture, size)


def _shapes(image: Element, record: JsonRecord, picture: Entry, size: CanvasSize) -> Iterator[Read]:
    """The entries of an image's shapes. picture: the fields that they share."""
    for number, shape in enumerate(image):
        if shape.tag == "attribute":
            continue
        where = JsonRecord(dict(shape.attrib), f"{record.where}, {shape.tag} {number}")
        if shape.tag not in _SHAPES:
            yield LeftOut(what=_NO_REGION.get(shape.tag, shape.tag), detail=where.where)
            continue

        def read(each: JsonRecord, shape: Element = shape, number: int = number) -> Iterator[Read]:
            region = _SHAPES[shape.tag](each, size)
            return entries_of_shape(picture, number, region, _texts(shape, each), size)

        yield from one_by_one([where], read)


def _texts(shape: Element, where: JsonRecord) -> list[str]:
    given = [(each.text or "").strip() for each in shape.iter("attribute") if each.get("name") in _TEXTS]
    return [text for text in given if text] or [where.text("label").strip()]


def _box(where: JsonRecord, size: CanvasSize) -> Region:
    x0, y0, x1, y1 = (number_of(where, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    if x1 < x0 or y1 < y0:
        raise where.wrong("xtl, ytl, xbr, ybr", [x0, y0, x1, y1], "the upper left corner, then the lower right one")
    return drawing.box(x0, y0, x1 - x0, y1 - y0, number_of(where, "rotation", default=0), "centre")


def _polygon(where: JsonRecord, size: CanvasSize) -> Region:
    pairs = [pair.split(",") for pair in where.text("points").split(";")]
    if len(pairs) < 3 or any(len(pair) != 2 for pair in pairs):
        raise where.wrong("points", where.text("points"), "x,y;x,y;x,y of three points at least")
    return {"polygons": [numbers_of(where, "points", [value for pair in pairs for value in pair])]}


def _ellipse(where: JsonRecord, size: CanvasSize) -> Region:
    cx, cy, rx, ry = (number_of(where, name) for name in ("cx", "cy", "rx", "ry"))
    return drawing.ellipse(cx, cy, rx, ry, number_of(where, "rotation", default=0), size, where.where)


def _mask(where: JsonRecord, size: CanvasSize) -> Region:
    left, top, width, height = (round(number_of(where, name)) for name in ("left", "top", "width", "height"))
    counts = numbers_of(where, "rle", where.text("rle").split(","))
    return drawing.row_runs(counts, (left, top, width, height), size, where.where)


_SHAPES = {"box": _box, "polygon": _polygon, "ellipse": _ellipse, "mask": _mask}


def _tree(path: Path) -> Element:
    try:
        # Python's parser resolves no external entities; a document type could define internal ones, so it is refused
        content = read_text(path)
        if "<!DOCTYPE" in content or "<!ENTITY" in content:
            raise DatasetError(f"{path} defines a document type, which CVAT never does; it is refused")
        return ElementTree.fromstring(content)
    except (OSError, ValueError, LookupError, ElementTree.ParseError) as error:
        raise DatasetError(
            f"{path} is not readable XML ({error}); expected CVAT's export 'CVAT for images 1.1'"
        ) from error
