"""Image files inside a text, where a path could stand: ``data:`` URIs and base64."""

from __future__ import annotations

import base64
import binascii
import os
import re
from urllib.parse import unquote_to_bytes

from restr.errors import ImageError

_URI = "data:"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")  # shorter texts hold no image
# First bytes of image files: a text that could be a path is read as base64 only if its content begins with one of these.
_MAGIC = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\0|MM\0\*|....ftyp|DDS ", re.DOTALL)
_LONGEST = 60  # letters of a text in a message


def decode_embedded(text: str) -> bytes | None:
    """The bytes inside a text, or None for a path. Raises ``ImageError`` for a damaged ``data:`` URI."""
    if is_data_uri(text):
        return _of_data_uri(text)
    if _BASE64.fullmatch(text) is None or os.path.exists(text):
        return None
    try:
        content = base64.b64decode(text)
    except binascii.Error:
        return None
    return content if _MAGIC.match(content) else None


def is_data_uri(text: str) -> bool:
    """Whether a text is a ``data:`` URI, which holds its content."""
    return text[: len(_URI)].lower() == _URI and "," in text


def abbreviate(text: str) -> str:
    """The text for a message: a path as it is, a text with an image in it cut to its beginning."""
    long = len(text) > _LONGEST and (is_data_uri(text) or _BASE64.fullmatch(text) is not None)
    return f"{text[:_LONGEST]}..." if long else text


def _of_data_uri(uri: str) -> bytes:
    """The content of a ``data:`` URI (RFC 2397)."""
    head, _, content = uri.partition(",")
    if not head.lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(re.sub(rb"\s", b"", unquote_to_bytes(content)), validate=True)
    except binascii.Error as error:
        raise ImageError(f"the data URI {abbreviate(uri)} is not base64 ({error}); is it cut off?") from error
