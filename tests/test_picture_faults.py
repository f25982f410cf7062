"""Damage of every sort in files of every form ends as an ``ImageError``, or does not matter; never as something else."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from picture_files import GREY, PICTURE, PIXELS, chunk, png, saved, turned
from restr.data.pictures import entry_picture
from restr.errors import DatasetError, ImageError
from restr.inference.sources import read_image
from restr.pictures import reading

ALPHA = Image.fromarray(np.dstack([PIXELS, np.broadcast_to(GREY[..., None], (24, 36, 1))]))
GREY16 = GREY.astype(np.uint16) * 257
LATER: dict[str, Any] = {"save_all": True, "append_images": [PICTURE.rotate(180)]}
FORMS = {
    "png": saved(exif=turned(6)),
    "png-palette": saved(PICTURE.quantize(16), transparency=3),
    "png-16": png(GREY16[..., None], 0, chunk(b"tRNS", b"\0\7"), chunk(b"tEXt", b"Comment\0x")),
    "apng": saved(**LATER),
    "jpeg": saved(kind="JPEG", exif=turned(5)),
    "jpeg-progressive": saved(kind="JPEG", progressive=True),
    "jpeg-cmyk": saved(PICTURE.convert("CMYK"), "JPEG", icc_profile=b"garbage" * 9),
    "mpo": saved(kind="MPO", exif=turned(3), **LATER),
    "gif": saved(PICTURE.quantize(16), "GIF", **LATER),
    "webp": saved(ALPHA, "WEBP", exif=turned(2)),
    "webp-lossless": saved(kind="WEBP", lossless=True, **LATER),
    "avif": saved(kind="AVIF", exif=turned(7)),
    "avif-alpha": saved(ALPHA, "AVIF"),
    "tiff": saved(kind="TIFF", exif=turned(6)),
    "tiff-lzw": saved(kind="TIFF", compression="tiff_lzw"),
    "tiff-jpeg": saved(kind="TIFF", compression="jpeg"),
    "tiff-float": saved(Image.fromarray((GREY / 255).astype(np.float32)), "TIFF"),
    "tiff-16": saved(Image.fromarray(GREY16.astype(">u2")), "TIFF"),
    "tiff-lab": saved(PICTURE.convert("LAB"), "TIFF"),
    "dds": saved(ALPHA, "DDS"),
    "dds-dxt5": saved(ALPHA, "DDS", pixel_format="DXT5"),
    "bmp": saved(kind="BMP"),
    "jpeg2000": saved(kind="JPEG2000"),
    "tga": saved(kind="TGA", compression="tga_rle"),
    "ppm": saved(kind="PPM"),
    "pfm": saved(Image.fromarray((GREY / 255).astype(np.float32)), "PPM"),
    "ico": saved(kind="ICO", sizes=[(24, 24), (16, 16)]),
    "icns": saved(PICTURE.resize((32, 32)), "ICNS"),
    "pcx": saved(kind="PCX"),
    "sgi": saved(kind="SGI"),
    "qoi": saved(kind="QOI"),
}


class Memory:
    """A dataset's file that is in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, name: str, /) -> BinaryIO:
        return io.BytesIO(self.content)

    def where(self, name: str, /) -> str:
        return f"memory/{name}"


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one fault of those that discs, networks and people make."""
    broken = bytearray(content)
    start = int(rng.integers(0, len(broken)))
    length = int(rng.integers(1, 200))
    match int(rng.integers(0, 8)):
        case 0:  # the end is missing
            return bytes(broken[:start])
        case 1:  # a block was never written
            broken[start : start + length] = bytes(min(length, len(broken) - start))
        case 2:  # of another file
            broken[start : start + length] = rng.bytes(length)
        case 3:  # a part is missing
            del broken[start : start + length]
        case 4:  # a part came twice
            broken[start:start] = broken[start : start + length]
        case 5:  # numbers in the head become the greatest or the least there are
            at = start % min(len(broken), 120)
            broken[at : at + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\x80"])
        case 6:  # bits flip in the head
            for at in rng.integers(0, min(len(broken), 120), 3):
                broken[at] ^= 1 << int(rng.integers(0, 8))
        case _:  # bytes change anywhere
            for at in rng.integers(0, len(broken), 6):
                broken[at] = rng.integers(0, 256)
    return bytes(broken)


def survive(form: str, count: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Reads a form's damaged files as prediction and as a dataset does; returns how many were refused, by both."""
    monkeypatch.setattr(reading, "MOST_PIXELS", 2**22)  # a damaged size costs memory and time, and shows nothing
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**21)
    rng = np.random.default_rng((seed, sum(form.encode())))
    refused = 0
    for _ in range(count):
        content = damaged(FORMS[form], rng)
        try:
            read = read_image(content)
        except ImageError as error:
            refused += 1
            assert str(error)
            with pytest.raises(DatasetError, match="train 1: the picture memory/a cannot be read \\(it "):
                entry_picture(Memory(content), "a", None, "train 1")
            continue
        assert read.dtype == np.uint8 and read.ndim == 3 and read.shape[2] == 3 and read.flags.c_contiguous
        np.testing.assert_array_equal(entry_picture(Memory(content), "a", None, "train 1"), read)
    return refused


@pytest.mark.parametrize("form", FORMS)
def test_undamaged_they_are_read(form):
    assert read_image(FORMS[form]).size


@pytest.mark.parametrize("form", FORMS)
def test_damage_ends_in_an_image_error(form, monkeypatch):
    assert survive(form, 16, 0, monkeypatch) > 0


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_damage_of_thousands_of_files_ends_in_an_image_error(form, monkeypatch):
    assert survive(form, 250, 1, monkeypatch) > 25
