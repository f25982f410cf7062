"""Parquet copies on the Hugging Face hub: the columns of ``jxu124/refcoco*`` and of ``lmms-lab/RefCOCO*``. Needs
pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from restr.data.entries.entry import Entry, JsonRecord
from restr.data.entries.identity import Names, digest_of, file_name
from restr.errors import DatasetError
from restr.files import write_atomically
from restr.formats.readers.listed import sentences_of
from restr.formats.readers.refer import folder_of_images, segmentation

DIGEST = "image_sha256"  # a column of restr's own files; identifies pictures without reading them


def read_parquet(root: Path, folder: Path) -> Iterator[Entry]:
    """The entries of every parquet file under a folder. root: above the images, if the files hold none.

    Images inside the files (lmms-lab) are written to ``folder/images``, each once, under a name made of its digest.
    """
    paths = sorted(folder.rglob("*.parquet"))
    if not paths:
        raise DatasetError(f"{folder} has no .parquet file; fetch the data set's files into it")
    for path in paths:
        for number, row in enumerate(rows(path)):
            record = JsonRecord(row, f"{path}, row {number}")
            if "raw_anns" in record:
                yield from _with_raw_annotations(root, record)
            else:
                yield from _with_image(root, folder, path, record)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a parquet file, a few at a time. Raises ``DatasetError``."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[data]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{path} is not readable parquet ({error}); fetch it again") from error


def _with_raw_annotations(root: Path, record: JsonRecord) -> Iterator[Entry]:
    """jxu124: the region as COCO's annotation in JSON text, the image named."""
    try:
        annotation = JsonRecord(json.loads(record.text("raw_anns")), f"{record.where}, raw_anns")
        raw = json.loads(record.text("raw_image_info", default="{}"))
    except ValueError as error:
        raise DatasetError(f"{record.where}: raw_anns is not JSON ({error}); the row is damaged") from error
    image = JsonRecord(raw, f"{record.where}, raw_image_info")
    name = image.text("file_name") if "file_name" in image else Path(record.text("image_path", "file_name")).name
    folder = folder_of_images(root, name, Path(record.where))
    region = segmentation(annotation)
    for number, text in enumerate(sentences_of(record)):
        yield Entry(
            id=f"{record.text('ref_id')}/{number}",
            image=(folder / name).as_posix(),
            text=text,
            regions=(region,),
            size=image.size(),
            split=record.text("split"),
            kind="one target",
            image_id=record.text("image_id"),
        )


def _with_image(root: Path, folder: Path, path: Path, record: JsonRecord) -> Iterator[Entry]:
    """lmms-lab: the image inside, the polygon as one list of numbers, the sentences in ``answer``."""
    picture = JsonRecord(record.values.get("image"), f"{record.where}, image")
    content = picture.values.get("bytes")
    if not isinstance(content, bytes):
        raise picture.wrong("bytes", content, "the bytes of a picture")
    target = folder / "images" / _name_with_digest(record, content)
    if not target.is_file() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    image = target.relative_to(root) if target.is_relative_to(root) else target.absolute()
    yield from entries_of_row(record, image.as_posix(), path.stem.split("-")[0])


def _name_with_digest(record: JsonRecord, content: bytes) -> str:
    """A picture's name with digits of its digest: two rows of one name may hold two pictures."""
    stem, suffix = os.path.splitext(file_name(name_of_image(record)))
    return Names().of(f"{stem}-{digest_of(content)[:16]}{suffix}", content)


def name_of_image(record: JsonRecord) -> str:
    """The file name of a row's image."""
    return record.text("file_name", default=f"{record.text('question_id')}.jpg")


def image_id_of(record: JsonRecord) -> str:
    """The id in restr's own files, else the picture's name without suffix."""
    return record.text("image_id", default=PurePath(name_of_image(record)).stem)


def entries_of_row(record: JsonRecord, image: str, split: str, image_id: str | None = None) -> Iterator[Entry]:
    """The entries of a row that holds its image. image: its path. split: used if the row has none. image_id: replaces
    the row's."""
    regions = _regions(record)
    for number, text in enumerate(record.texts("answer")):
        yield Entry(
            id=f"{record.text('question_id')}/{number}",
            image=image,
            text=text,
            regions=regions,
            split=record.text("split", default=split),
            kind=record.text("kind", default="one target"),
            image_id=image_id or image_id_of(record),
        )


def _regions(record: JsonRecord) -> tuple[dict[str, Any], ...]:
    """A polygon as one list of numbers, or (restr's own files) run lengths in JSON text."""
    if "rle" in record:
        if record.values["rle"] == "none":
            return ()
        try:
            return ({"rle": json.loads(record.text("rle"))},)
        except ValueError as error:
            raise record.wrong("rle", record.values["rle"], "run lengths in JSON") from error
    numbers = record.items("segmentation")
    try:
        return ({"polygons": [[float(value) for value in numbers]]},)
    except (TypeError, ValueError) as error:
        raise record.wrong("segmentation", numbers, "x, y, x, y, ...") from error
