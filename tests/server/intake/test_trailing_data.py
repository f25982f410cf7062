"""Files that are an image and something else as well are refused; the data that cameras append is not."""

from __future__ import annotations

import io
import struct
import time
import zipfile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from restr.server.intake.trailing_data import check_whole, end_of
from restr.server.problems import Problem
from served import assert_problem, photograph

KINDS = ["PNG", "JPEG", "WEBP", "GIF", "BMP"]
PDF = b"%PDF-1.7\n1 0 obj\n<</Type /Catalog>>\nendobj\n%%EOF\n"
PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
SCRIPT = b"\n#!/bin/sh\necho this is run by whoever trusts the name\n"


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("run.sh", "echo")
    return buffer.getvalue()


ELSE = {"archive": archive(), "pdf": PDF, "page": PAGE, "script": SCRIPT, "program": b"\x7fELF" + bytes(range(1, 60)),
        "anything": b"anything that is long enough"}  # fmt: skip


def film() -> bytes:
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom") + np.random.default_rng(0).bytes(300_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", list(ELSE.values()), ids=list(ELSE))
def test_what_follows_or_goes_before_an_image_is_refused(client, kind, more):
    image = photograph(1, kind)
    headers = {"content-type": "image/*"}
    assert client.post("/v1/images", content=image, headers=headers).status_code == 201
    for padding in (b"", bytes(600)):
        refused = client.post("/v1/images", content=image + padding + more, headers=headers)
        assert kind in assert_problem(refused, "more-than-an-image", 422)["detail"]
    assert_problem(client.post("/v1/images", content=more + image, headers=headers), "not-an-image", 415)


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_is_where_the_writer_ended(kind):
    for size in ((1, 1), (3, 2), (110, 70), (513, 3)):
        data = photograph(0, kind, size)
        assert end_of(data, kind) == len(data)
        assert end_of(data + b"more", kind) == len(data)
        assert end_of(data[:-3], kind) is None


def test_other_writings_of_a_kind_end_too():
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 70, 3), dtype=np.uint8))
    files: list[tuple[str, dict[str, object]]] = [
        ("JPEG", {"progressive": True}), ("JPEG", {"restart_marker_blocks": 1}), ("JPEG", {"comment": b"\xff\xd9 no end"}),
        ("JPEG", {"exif": b"Exif\0\0\xff\xd8\xff\xd9thumbnail"}), ("WEBP", {"lossless": True}), ("PNG", {"optimize": True}),
        ("GIF", {"save_all": True, "append_images": [Image.new("RGB", (70, 60))], "comment": b"; two frames"}),
    ]  # fmt: skip
    for kind, options in files:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        assert end_of(buffer.getvalue(), kind) == len(buffer.getvalue()), (kind, options)
        check_whole(buffer.getvalue(), kind)
    for mode in ("1", "L", "P", "RGBA"):
        buffer = io.BytesIO()
        picture.convert(mode).save(buffer, "BMP")
        assert end_of(buffer.getvalue(), "BMP") == len(buffer.getvalue()), mode


def test_what_cameras_write_behind_a_photograph_is_taken():
    photo = photograph(1, "JPEG")
    samsung = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFH" + bytes(20) + b"\x24\0\0\0SEFT"
    for trailer in (
        photograph(2, "JPEG"),  # a second picture: MPF, a gain map
        bytes(1000) + photograph(2, "JPEG") + photograph(3, "JPEG"),
        film(),  # a motion photo
        samsung,
        b"\0" * 4096,
        b"\xff" * 64,
        b"\r\n",
        b"13 old bytes",
    ):
        check_whole(photo + trailer, "JPEG")
    for trailer in (photograph(2, "JPEG") + PAGE, film() + archive(), film() + PDF, samsung[:-4] + PAGE + samsung):
        with pytest.raises(Problem, match="as well|follows"):
            check_whole(photo + trailer, "JPEG")
    with pytest.raises(Problem, match="follow its end"):
        check_whole(photograph(1, "PNG") + film(), "PNG")  # no camera writes this


def test_an_archive_or_a_pdf_inside_the_image_is_found():
    notes = PngImagePlugin.PngInfo()
    notes.add(b"tEXt", b"Comment\0" + archive()[:-2] + struct.pack("<H", 60))  # its comment is the rest of the image
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=notes)
    with pytest.raises(Problem, match="ZIP"):
        check_whole(buffer.getvalue(), "PNG")
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG", comment=PDF)
    with pytest.raises(Problem, match="PDF"):
        check_whole(buffer.getvalue(), "JPEG")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("GIF", b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\x01a" * 8_000_000),
        ("JPEG", b"\xff\xd8" * 8_000_000),
        ("PNG", b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0aaaa0000" * 1_300_000),
    ],
)
def test_a_file_of_countless_parts_costs_little(kind, data):
    begun = time.process_time()
    assert end_of(data, kind) is None
    assert time.process_time() - begun < 1.0
