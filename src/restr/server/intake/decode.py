"""Bytes from strangers: read within bounds, and decoded only after a look at their header."""

from __future__ import annotations

import asyncio
import base64
import binascii
import threading
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from starlette.requests import ClientDisconnect, Request

from restr.errors import ImageError, ImageTooLargeError
from restr.pictures.reading import from_pil, open_picture
from restr.server.intake.trailing_data import check_whole
from restr.server.problems import Problem

# Recognised by the first bytes of the data, not by a declared type. Pillow's other decoders never see the data.
TAKEN = "JPEG, PNG, WebP, GIF or BMP"
BASE64_OVERHEAD = 2**16  # of a JSON body beside its image
LONGEST_SIDE = 30_000
_LARGE = 2**22  # pixels; larger images are decoded one at a time, as each takes at least four bytes per pixel
_LARGE_ONES = threading.Lock()


class Header(NamedTuple):
    """The facts in an image file's header."""

    kind: str
    """Pillow's name of the format, such as "PNG"."""

    width: int
    """Pixels, before the image is turned upright."""

    height: int
    """Pixels, before the image is turned upright."""

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height


async def read_body(request: Request, *, most: int, seconds: float) -> bytes:
    """The whole body. Raises ``Problem`` as soon as it is too slow, or larger than ``most`` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > most:
        raise too_large(int(declared[:20]), most)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large(len(body), most)
    except TimeoutError as error:
        raise Problem(
            "too-slow", f"{len(body)} bytes came in {seconds:g} seconds and more were to come; send it faster, or less",
            headers={"Connection": "close"},
        ) from error  # fmt: skip
    except ClientDisconnect as error:
        raise Problem("client-gone", "the connection ended before the body did") from error
    return bytes(body)


def from_base64(text: str, *, most: int) -> bytes:
    """The bytes of standard base64 (RFC 4648, section 4) without line breaks. Raises ``Problem``."""
    if len(text) // 4 * 3 > most + 2:
        raise too_large(len(text) // 4 * 3, most)
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Problem(
            "invalid-request",
            "'image' is not base64; expected the standard alphabet (A-Z a-z 0-9 + /) with its '=' and no line breaks, and "
            "no 'data:' before it",
            errors=[{"field": "image", "message": "not base64"}],
        ) from error


def header(data: bytes, *, most_bytes: int, most_pixels: int) -> Header:
    """Kind and size of an image, without decoding it. Raises ``Problem`` for data that must not be decoded."""
    if len(data) > most_bytes:
        raise too_large(len(data), most_bytes)
    kind = kind_of(data)
    if kind is None:
        raise Problem(
            "not-an-image",
            f"the {len(data)} bytes do not begin as an image that is taken does; send {TAKEN}"
            if data
            else f"the image is empty (0 bytes); send {TAKEN}",
        )
    try:
        with open_picture(data, "the image", forms=[kind]) as picture:
            width, height = picture.size
    except ImageTooLargeError as error:
        raise Problem(
            "image-too-large", f"the image has far more pixels than the {most_pixels:,} that are taken; make it smaller"
        ) from error
    except ImageError as error:
        raise _damaged(kind) from error
    if width * height > most_pixels or max(width, height) > LONGEST_SIDE:
        raise Problem(
            "image-too-large",
            f"the image is {width} x {height}; at most {most_pixels:,} pixels and {LONGEST_SIDE:,} a side are taken: make "
            "it smaller",
        )
    check_whole(data, kind)
    return Header(kind, width, height)


def decode(data: bytes, head: Header) -> np.ndarray:
    """The pixels, uint8 (H W 3), upright. Raises ``Problem`` for damaged data."""
    try:
        with (
            _LARGE_ONES if head.pixels > _LARGE else nullcontext(),
            open_picture(data, "the image", forms=[head.kind]) as picture,
        ):
            return from_pil(picture, "the image").upright
    except ImageError:
        pass
    # Not raised from the `except`: its traceback would keep the picture alive, 100 MB at 24 million pixels.
    raise _damaged(head.kind)


def kind_of(data: bytes) -> str | None:
    """The image format that the first bytes announce; None for any other data."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    return "BMP" if data.startswith(b"BM") else None


def too_large(got: int, most: int) -> Problem:
    """The problem of a body or file with more bytes than are taken."""
    return Problem(
        "body-too-large", f"got {got:,} bytes or more; at most {most:,} are taken: send a smaller image, or less"
    )


def _damaged(kind: str) -> Problem:
    return Problem("image-damaged", f"the data begins as {kind} but is damaged or truncated; save or fetch it again")
