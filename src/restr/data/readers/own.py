"""Data of one's own: a list of sentences (JSONL, CSV), COCO with ``expressions``, exports of Label Studio and CVAT.

Each reads a file and gives entries whose paths are relative to ``root``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from restr.data.entry import Entry, Record, read_json, records_of
from restr.data.readers.listed import region_of, sentences_of
from restr.data.readers.refer import segmentation
from restr.errors import DatasetError
from restr.files import read_lines, read_text


def read_jsonl(root: Path, path: Path) -> Iterator[Entry]:
    """A line {"image": path, "text" or "expression": ..., "mask": path, run lengths, polygons or "bbox": ...} each."""
    for number, record in enumerate(json_lines(path), start=1):
        yield _row(record, number)


def json_lines(path: Path) -> Iterator[Record]:
    """The objects of a JSONL file. Raises ``DatasetError`` naming the line that is none."""
    try:
        lines = read_lines(path)
    except (OSError, UnicodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); expected a JSON object a line") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}, line {number} is not JSON ({error}); expected an object a line") from error
        yield Record(values, f"{path}, line {number}")


def read_csv(root: Path, path: Path) -> Iterator[Entry]:
    """A table with the columns image, text (or expression), and mask, or x, y, width, height of a box."""
    try:
        with io.StringIO(read_text(path), newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                values: dict[str, Any] = {k: v for k, v in row.items() if k and v not in (None, "")}
                record = Record(values, f"{path}, line {number}")
                for name in ("mask", "bbox", "segmentation"):
                    if str(values.get(name, "")).lstrip()[:1] in ("{", "["):
                        values[name] = _json_cell(record, name)
                if "mask" not in values and "bbox" not in values and {"x", "y", "width", "height"} <= values.keys():
                    values["bbox"] = [_number(record, name) for name in ("x", "y", "width", "height")]
                    del values["width"], values["height"]
                yield _row(record, number)
    except (OSError, UnicodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}); expected a CSV table in UTF-8 with image, text, mask"
        ) from error


def read_coco(root: Path, path: Path) -> Iterator[Entry]:
    """COCO's form whose annotations have ``expressions``: texts, or objects with a text."""
    content = Record(read_json(path), str(path))
    images = {image.integer("id"): image for image in content.records("images")}
    folder = path.parent.relative_to(root) / ("images" if (path.parent / "images").is_dir() else "")
    found = False
    for annotation in content.records("annotations"):
        image = images.get(annotation.integer("image_id"))
        if image is None:
            raise annotation.wrong("image_id", annotation.integer("image_id"), f"the id of an image in {path}")
        if "expressions" not in annotation:
            continue
        region = segmentation(annotation)
        for number, text in enumerate(sentences_of(annotation)):
            found = True
            yield Entry(
                id=f"{annotation.text('id')}/{number}",
                image=(folder / image.text("file_name")).as_posix(),
                text=text,
                regions=(region,),
                size=image.size(),
                split=image.text("split", default=path.stem),
                image_id=image.text("id"),
            )
    if not found:
        raise DatasetError(
            f"no annotation of {path} has expressions; expected a list of texts in each annotation's field 'expressions', or let "
            "restr generate sentences (docs/own-data.md)"
        )


def read_label_studio(root: Path, path: Path) -> Iterator[Entry]:
    """Label Studio's JSON export: polygons and rectangles in percent, the text area of the same region, or its label."""
    for task in records_of(read_json(path), path):
        data = Record(task.values.get("data"), f"{task.where}, data")
        image = local_image(data.text("image", "img", "photo"))
        for number, annotation in enumerate(task.records("annotations")):
            texts, shapes = {}, {}
            for result in annotation.records("result"):
                value = Record(result.values.get("value"), f"{result.where}, value")
                region = result.text("id")
                if "text" in value:
                    listed = value.values["text"]
                    texts[region] = [str(each) for each in (listed if isinstance(listed, list) else [listed])]
                elif "points" in value or "width" in value:
                    shapes[region] = (result, value)
            for region, (result, value) in shapes.items():
                labels = value.values.get("polygonlabels") or value.values.get("rectanglelabels") or []
                form, size = in_pixels(result, value)
                for index, text in enumerate(texts.get(region) or [str(label) for label in labels]):
                    yield Entry(
                        id=f"{task.text('id')}/{number}/{region}/{index}",
                        image=image,
                        text=text,
                        regions=(form,),
                        size=size,
                        split=path.stem,
                        image_id=task.text("id"),
                    )


def read_cvat(root: Path, path: Path) -> Iterator[Entry]:
    """CVAT's "for images 1.1" XML: polygons and boxes with an attribute ``expression`` (else the label is the text)."""
    try:
        # Python's parser resolves no external entities; a document type, which could define internal ones, is refused
        content = read_text(path)
        if "<!DOCTYPE" in content or "<!ENTITY" in content:
            raise DatasetError(f"{path} defines a document type, which CVAT never does; it is refused")
        tree = ElementTree.fromstring(content)
    except (OSError, UnicodeError, ElementTree.ParseError) as error:
        raise DatasetError(
            f"{path} is not readable XML ({error}); expected CVAT's export 'CVAT for images 1.1'"
        ) from error
    folder = path.parent.relative_to(root) / ("images" if (path.parent / "images").is_dir() else "")
    for picture in tree.iter("image"):
        record = Record(dict(picture.attrib), f"{path}, image {picture.get('name')}")
        size = (round(_number(record, "height")), round(_number(record, "width")))
        for number, shape in enumerate(each for each in picture if each.tag in ("polygon", "box")):
            where = Record(dict(shape.attrib), f"{record.where}, {shape.tag} {number}")
            if shape.tag == "polygon":
                points = [pair.split(",") for pair in where.text("points").split(";")]
                form: dict[str, Any] = {"polygons": [_floats(where, "points", [v for pair in points for v in pair])]}
            else:
                x0, y0, x1, y1 = _floats(where, "box", [where.text(name) for name in ("xtl", "ytl", "xbr", "ybr")])
                form = {"box": [x0, y0, x1 - x0, y1 - y0]}
            texts = [a.text or "" for a in shape.iter("attribute") if a.get("name") in ("expression", "text")]
            for index, text in enumerate([text for text in texts if text.strip()] or [where.text("label")]):
                yield Entry(
                    id=f"{record.text('id')}/{number}/{index}",
                    image=(folder / record.text("name")).as_posix(),
                    text=text.strip(),
                    regions=(form,),
                    size=size,
                    split=record.text("subset", default="all"),
                    image_id=record.text("id"),
                )


def local_image(address: str) -> str:
    """The path in Label Studio's address of an uploaded or locally stored picture."""
    for mark in ("?d=", "/data/upload/", "/data/"):
        if mark in address:
            address = address.split(mark, 1)[1]
            break
    return address.split("://", 1)[-1].lstrip("/")


def in_pixels(result: Record, value: Record) -> tuple[dict[str, Any], tuple[int, int]]:
    """A shape in percent of the picture as a region in pixels, and the picture's size."""
    size = (result.integer("original_height"), result.integer("original_width"))
    if "points" in value:
        points = [Record(dict(enumerate(p)) if isinstance(p, list) else p, value.where) for p in value.items("points")]
        flat = []
        for point in points:
            x, y = _floats(value, "points", [point.values.get(0), point.values.get(1)])
            flat += [x * size[1] / 100, y * size[0] / 100]
        return {"polygons": [flat]}, size
    x, y, width, height = (_number(value, name) for name in ("x", "y", "width", "height"))
    if value.values.get("rotation"):
        raise value.wrong("rotation", value.values["rotation"], "0; draw a polygon for a turned box")
    return {"box": [x * size[1] / 100, y * size[0] / 100, width * size[1] / 100, height * size[0] / 100]}, size


def _row(record: Record, number: int) -> Entry:
    image = record.text("image")
    return Entry(
        id=record.text("id", default=str(number)),
        image=image,
        text=record.text("text", "expression"),
        regions=() if record.values.get("mask") in ("none", []) else (region_of(record),),
        size=record.size(),
        split=record.text("split", default="all"),
        kind=record.text("kind", default="other"),
        image_id=image,
    )


def _json_cell(record: Record, name: str) -> Any:
    try:
        return json.loads(record.values[name])
    except ValueError as error:
        raise record.wrong(name, record.values[name], "JSON, as it begins with a bracket") from error


def _number(record: Record, name: str) -> float:
    return _floats(record, name, [record.values.get(name)])[0]


def _floats(record: Record, name: str, values: list[Any]) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise record.wrong(name, values, "numbers") from error
