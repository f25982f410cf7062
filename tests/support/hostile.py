"""Malicious and malformed bodies, for tests and for benchmarks/serving_faults.py."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from served import photograph

Body = tuple[str, bytes, dict[str, str]]  # path, content, headers
KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp"}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims to be large."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")


def spoilt(width: int, height: int) -> bytes:
    """A large PNG in a few kilobytes, damaged near its end."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(file, "PNG")
    content = bytearray(file.getvalue())
    some = len(content) // 40
    content[-3 * some : -2 * some] = b"\xff" * some
    return bytes(content)


def broken_images() -> Iterator[tuple[bytes, str]]:
    """Files that are not images, and damaged images."""
    chance = random.Random(0)
    for kind, media in KINDS.items():
        whole = photograph(1, kind)
        for i in range(30):
            yield whole[: len(whole) * i // 40], media  # always less than three quarters
        for _ in range(15):
            yield bytes(chance.randrange(256) for _ in range(chance.randrange(200))), media
        for magic in (
            b"GIF8",
            b"\xff\xd8",
            b"\x89PNG",
            b"RIFF\0\0\0\0WAVE",
            b"%PDF-1.7",
            b"MZ",
            b"PK\3\4",
            b"<svg>",
            b"\x7fELF",
        ):
            yield magic + whole[12:], media
        yield whole[:16] + bytes(64), media
    for sides in ((50_000, 50_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (0, 0), (0, 5), (30_001, 1), (5000, 5000)):
        yield bomb(*sides), "image/png"


def hostile() -> Iterator[Body]:
    """At least 500 bodies."""
    json_type = {"content-type": "application/json"}
    good = base64.b64encode(photograph()).decode()
    for data, media in broken_images():
        yield "/v1/images", data, {"content-type": media}
        document = {"image": base64.b64encode(data).decode(), "text": "left"}
        yield "/v1/segment", json.dumps(document).encode(), json_type
    for path in ("/v1/images", "/v1/segment", "/v1/images/none/segment"):
        for body in (
            b"", b"{", b"null", b"[]", b"1e999", b'"x"', b"\xff\xfe", b"\0", b"[" * 5000, b'{"a":' * 5000, b"{}" * 9,
            b'{"image":1}', b'{"image":null}', b'{"image":[]}', b'{"image":"\\ud800"}', b'{"image":"/etc/passwd"}',
            b'{"image":"http://169.254.169.254/"}', b'{"image":"data:image/png;base64,AA=="}', b'{"image":"AA=A"}',
            b'{"image":"A"}', b'{"image":" AAAA"}', b'{"image":"AA\\nAA"}', b'{"image":"__8="}', b"9" * 5000,
        ):  # fmt: skip
            yield path, body, json_type
        for media in (
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/xml",
            "image/svg+xml",
            "a/b/c",
        ):
            yield path, b"x=1", {"content-type": media}
        for boundary in ("", "; boundary=", "; boundary=x", "; boundary=" + "y" * 300):
            for body in (b"", b"--x", b"--x\r\n\r\n\r\n--x--\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
                         b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc',
                         b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--x--\r\n'):  # fmt: skip
                yield path, body, {"content-type": "multipart/form-data" + boundary}
    questions: list[dict[str, object]] = [
        {"text": "left " * 500}, {"text": "x" * 100_000}, {"texts": ["left"] * 5000}, {"text": "\0"}, {"text": "\u202e"},
        {"text": "left", "threshold": 1e308}, {"text": "left", "threshold": "NaN"}, {"text": "left", "formats": ["rle"] * 999},
        {"text": "left", "formats": "rle"}, {"text": "left", "__proto__": {}}, {"text": {"$gt": ""}}, {"text": "left", "words": 7},
        {"text": "left", "model": "../../etc"}, {"texts": [["left"]]}, {"texts": None}, {"text": "-" * 1000}, {"text": "left-" * 199},
    ]  # fmt: skip
    for question in questions:
        yield "/v1/segment", json.dumps({"image": good} | question).encode(), json_type
