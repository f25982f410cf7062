"""Pictures written out in a text where others have a path: ``data:`` URIs and base64."""

from __future__ import annotations

import base64
import binascii
import os
import re
from urllib.parse import unquote_to_bytes

from restr.errors import ImageError

_URI = "data:"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")  # shorter ones are no image
# What an image's bytes begin with: a text that could be a path is taken for base64 only where it says one of these.
_MAGIC = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\0|MM\0\*|....ftyp|DDS ", re.DOTALL)
_SHOWN = 60  # letters of a text in an error


def embedded(text: str) -> bytes | None:
    """The bytes that a text holds; None for what is a path. Raises ``ImageError`` for a ``data:`` URI that is damaged."""
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
    """Whether a text is a URI that holds its content."""
    return text[: len(_URI)].lower() == _URI and "," in text


def shown(text: str) -> str:
    """A path, or a text with a picture in it, for people: the latter by its beginning."""
    long = len(text) > _SHOWN and (is_data_uri(text) or _BASE64.fullmatch(text) is not None)
    return f"{text[:_SHOWN]}..." if long else text


def _of_data_uri(uri: str) -> bytes:
    """The content of a ``data:`` URI (RFC 2397)."""
    head, _, content = uri.partition(",")
    if not head.lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(re.sub(rb"\s", b"", unquote_to_bytes(content)), validate=True)
    except binascii.Error as error:
        raise ImageError(f"the data URI {shown(uri)} is not base64 ({error}); is it cut off?") from error
