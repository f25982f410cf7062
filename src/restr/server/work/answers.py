"""Results in the forms that clients ask for."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from restr.inference.result import Result

_PICTURES: dict[str, Callable[[Result], Image.Image]] = {
    "mask": Result.mask_image,
    "prob": lambda result: Image.fromarray(np.rint(result.prob * 255).astype(np.uint8)),
    "overlay": lambda result: result.overlay(caption=False),
    "cutout": Result.cutout,
}


def found(result: Result, formats: Sequence[str], *, words: bool) -> dict[str, Any]:
    """A ``schemas.Found`` document. words: whether to say how much each counted; null where it is not known."""
    document: dict[str, Any] = {
        "text": result.text,
        "found": result.found,
        "presence": None if result.presence is None else round(result.presence, 4),
        "score": round(result.score, 4),
        "box": list(result.box) if result.box else None,
        "area": result.area,
    }
    for form in formats:
        if form in _PICTURES:
            document[form] = base64.b64encode(picture(result, form)).decode("ascii")
        else:
            document[form] = result.rle if form == "rle" else result.polygons
    if words:
        document["words"] = result.attention.to_dict() if result.attention else None
    return document


def picture(result: Result, form: str) -> bytes:
    """One of "mask", "prob", "overlay" and "cutout" as PNG."""
    buffer = io.BytesIO()
    _PICTURES[form](result).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
