"""Reads the samples for every writer, and writes each picture once under a unique name."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from restr.data.entries.entry import Entry
from restr.data.entries.identity import Names, digest_of_array, file_name
from restr.data.pictures import entry_picture
from restr.data.sample import Sample
from restr.errors import DatasetError
from restr.files import write_atomically
from restr.formats.writers.census import Census
from restr.formats.writers.source import Progress, Source

_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}


class Reading:
    """One pass over a source's samples, which counts them."""

    def __init__(self, samples: Source, progress: Progress) -> None:
        self.samples, self.progress, self.census = samples, progress, Census()

    def __iter__(self) -> Iterator[tuple[Entry, Sample]]:
        for number in range(len(self.samples)):
            entry, sample = self.samples.entry(number), self.samples[number]
            self.census.add(entry.split, sample)
            yield entry, sample
            self.progress(1)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture to be written."""

    name: str
    """Unique in the dataset."""

    suffix: str
    """The suffix of its format."""

    content: bytes
    """The file's bytes."""


class PictureWriter:
    """The pictures of samples as files. Keeps the last one, as samples of one picture follow each other.

    suffixes: of the formats that are copied unchanged (all, if None). Other formats become PNG, and so do pictures that
    EXIF data turns: their bytes alone would not read back as the sample shows them.
    """

    def __init__(self, reading: Reading, suffixes: Collection[str] | None = None) -> None:
        self.files, self.suffixes = reading.samples.files, suffixes
        self.names = Names()
        self._ids: dict[str, str] = {}
        self._last: tuple[str, bytes, PictureFile] | None = None

    def file(self, entry: Entry, sample: Sample) -> PictureFile:
        """A sample's picture, identified by its path and its pixels: one path may be read in two ways."""
        pixels = digest_of_array(sample.image)
        if self._last is None or self._last[:2] != (entry.image, pixels):
            content, suffix = self._encoded(entry, sample)
            name = self.names.of(entry.image, pixels, name=_with_picture_suffix(entry.image, suffix))
            self._last = (entry.image, pixels, PictureFile(name, suffix or ".png", content))
        return self._last[2]

    def image_id(self, entry: Entry, file: PictureFile) -> str:
        """The entry's ``image_id``, or the picture's name if another picture has that id."""
        claimed = entry.image_id or file.name
        return claimed if self._ids.setdefault(claimed, file.name) == file.name else file.name

    def _encoded(self, entry: Entry, sample: Sample) -> tuple[bytes, str]:
        """The file's own bytes and its format's suffix; bytes of a PNG and "" if they cannot be copied."""
        with self.files.open(entry.image) as file:
            content = file.read()
        suffix = _suffix_of(content)
        if suffix and (self.suffixes is None or suffix in self.suffixes) and _reads_as(content, sample.image):
            return content, suffix
        buffer = io.BytesIO()
        Image.fromarray(sample.image).save(buffer, "PNG")
        return buffer.getvalue(), ""


class PictureFolder(PictureWriter):
    """Copies each picture once, into ``folder/images``."""

    def __init__(self, reading: Reading, folder: Path) -> None:
        super().__init__(reading)
        self.folder = folder / "images"
        self.folder.mkdir()
        self._written: set[str] = set()

    def name(self, entry: Entry, sample: Sample) -> str:
        """Write a sample's picture unless it is written; returns its name."""
        file = self.file(entry, sample)
        if file.name not in self._written:
            write_atomically(self.folder / file.name, file.content)
            self._written.add(file.name)
        return file.name


class _Bytes:
    """Opens the same bytes under any name."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, name: str, /) -> BinaryIO:
        return io.BytesIO(self.content)

    def where(self, name: str, /) -> str:
        return name


def _with_picture_suffix(path: str, suffix: str) -> str:
    """A picture's own name with a picture suffix. suffix: of its format, "" if it became a PNG."""
    name = file_name(path)
    stem, own = os.path.splitext(name)
    known = own.lower() in Image.registered_extensions()
    if known and suffix:
        return name
    return (stem if known else name) + (suffix or ".png")


def _suffix_of(content: bytes) -> str:
    """The usual suffix of a picture's format; "" if Pillow does not know it."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            form = picture.format or ""
    except (OSError, SyntaxError, ValueError):
        return ""
    return _SUFFIXES.get(form) or f".{form.lower()}"


def _reads_as(content: bytes, image: np.ndarray) -> bool:
    """Whether a file reads as these pixels when its size is not given."""
    try:
        return np.array_equal(entry_picture(_Bytes(content), "picture", None, "picture"), image)
    except DatasetError:
        return False
