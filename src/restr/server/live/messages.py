"""The messages of a live stream: documents as JSON text, and answers with pictures as one binary message."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError

from restr.server.problems import Problem
from restr.server.schemas import RequestDocument, invalid

_LENGTH_BYTES = 4  # before an answer's document, little endian
JPEG_QUALITY = 85


class LiveRequest(RequestDocument):
    """What a viewer says: settings that change, and whether the next picture of the machine's camera is wanted."""

    key: str | None = Field(None, max_length=1000, description="An API key, in the first message.")
    model: str | None = Field(None, max_length=100, description="The model's name (default: the first).")
    text: str | None = Field(None, max_length=1000, description="What to find; empty to look at the picture alone.")
    threshold: float | None = Field(None, gt=0, lt=1, allow_inf_nan=False, description="Null for the model's own.")
    presence: float | None = Field(None, ge=0, le=1, allow_inf_nan=False, description="Null for the model's own.")
    smooth: float = Field(0.0, ge=0, lt=1, allow_inf_nan=False, description="Weight of the pictures before.")
    next: bool = Field(False, description="Ask for the next picture of the machine's camera.")


def read_request(text: str) -> LiveRequest:
    """A viewer's document. Raises ``Problem``."""
    try:
        return LiveRequest.model_validate_json(text)
    except ValidationError as error:
        raise invalid(error, "the message") from error


def pack(document: dict[str, Any], mask: bytes, picture: bytes) -> bytes:
    """An answer as one message: the length of its document, the document, the mask as PNG, the picture as JPEG.

    The document says how long each part is (``mask``, ``picture``); a part may be empty.
    """
    head = json.dumps(document | {"mask": len(mask), "picture": len(picture)}, separators=(",", ":")).encode()
    return len(head).to_bytes(_LENGTH_BYTES, "little") + head + mask + picture


def problem_text(problem: Problem) -> str:
    """A problem as a message. ``retry_after``: seconds after which the same may succeed, or null."""
    wait = problem.headers.get("Retry-After")
    return json.dumps({"problem": problem.document(), "retry_after": None if wait is None else int(wait)})


def mask_png(mask: np.ndarray) -> bytes:
    """A mask, bool (H W), as PNG of one bit a pixel: inside white, outside transparent."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", transparency=0, compress_level=1)
    return buffer.getvalue()


def picture_jpeg(pixels: np.ndarray) -> bytes:
    """A picture, uint8 (H W 3), as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
