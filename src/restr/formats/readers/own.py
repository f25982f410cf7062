"""Your own data: a list of sentences as JSONL or CSV. Paths are relative to the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord
from restr.data.entries.left_out import Read, count_notes, one_by_one
from restr.errors import DatasetError
from restr.files import read_lines, read_text
from restr.formats.annotations.drawing import number_of
from restr.formats.readers.listed import checked_region

_LONGEST_CELL = 2**27  # characters; run lengths of a large, frayed mask exceed the csv module's default


def read_jsonl(root: Path, path: Path) -> Iterator[Read]:
    """The entries of lines such as {"image": path, "text" or "expression": ..., "mask" or "bbox": ...}."""
    return count_notes(_lines(path))


def _lines(path: Path) -> Iterator[Read]:
    for number, record in enumerate(json_lines_or_errors(path), start=1):
        yield from one_by_one([record], lambda each, number=number: [_row(each, number)])


def json_lines(path: Path) -> Iterator[JsonRecord]:
    """The objects of a JSONL file. Raises ``DatasetError`` naming the first line that is not an object."""
    for record in json_lines_or_errors(path):
        if isinstance(record, DatasetError):
            raise record
        yield record


def json_lines_or_errors(path: Path) -> Iterator[JsonRecord | DatasetError]:
    """The objects of a JSONL file; for a line that is not an object, the error that names it."""
    try:
        lines = read_lines(path)
    except (OSError, UnicodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); expected a JSON object per line") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield JsonRecord(json.loads(line), f"{path}, line {number}")
        except DatasetError as error:
            yield error
        except (ValueError, RecursionError) as error:
            yield DatasetError(f"{path}, line {number} is not JSON ({error}); expected an object per line")


def read_csv(root: Path, path: Path) -> Iterator[Read]:
    """The rows of a table with the columns image, text (or expression), and mask, or x, y, width, height of a box.

    Without x and y, width and height are the picture's; image_width and image_height always are.
    """
    return count_notes(_table(path))


def _table(path: Path) -> Iterator[Read]:
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        with io.StringIO(read_text(path), newline="") as file:
            table = csv.DictReader(file)
            for number, row in enumerate(table, start=2):
                record = JsonRecord({k: v for k, v in row.items() if k or v}, f"{path}, line {number}")
                yield from one_by_one([record], lambda each, number=number: [_table_row(each, number)])
    except (OSError, UnicodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}); expected a CSV table in UTF-8 with image, text, mask"
        ) from error


def _row(record: JsonRecord, number: int) -> Entry:
    image = record.text("image")
    return Entry(
        id=record.text("id", default=str(number)),
        image=image,
        text=record.text("text", "expression"),
        regions=() if record.values.get("mask") in ("none", []) else (checked_region(record),),
        size=record.size(),
        split=record.text("split", default="all"),
        kind=record.text("kind", default="other"),
        image_id=image,
    )


def _table_row(record: JsonRecord, number: int) -> Entry:
    """A row of a table, whose cells are text."""
    if None in record.values:
        raise record.wrong("the row", record.values[None], "as many cells as the table has columns")
    values: dict[str, Any] = {name: cell for name, cell in record.values.items() if cell not in (None, "")}
    cells = JsonRecord(values, record.where)
    for name in ("mask", "bbox", "segmentation"):
        if str(values.get(name, "")).lstrip()[:1] in ("{", "["):
            values[name] = _json_cell(cells, name)
    if "value" in values:
        values["value"] = number_of(cells, "value")
    placed = "x" in values or "y" in values
    box = [values.pop(name, None) for name in ("width", "height")] if placed else []
    if placed and not {"mask", "bbox", "segmentation"} & values.keys():
        values |= {"width": box[0], "height": box[1]}
        values["bbox"] = [number_of(cells, name) for name in ("x", "y", "width", "height")]
        del values["width"], values["height"]
    for name in ("width", "height"):
        if f"image_{name}" in values or name in values:
            values[name] = number_of(cells, f"image_{name}" if f"image_{name}" in values else name)
    return _row(cells, number)


def _json_cell(record: JsonRecord, name: str) -> Any:
    try:
        return json.loads(record.values[name])
    except (ValueError, RecursionError) as error:
        raise record.wrong(name, record.values[name], "JSON, as it begins with a bracket") from error
