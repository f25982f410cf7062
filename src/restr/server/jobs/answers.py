"""Results in the forms that clients ask for, see ``restr.inference.forms``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from restr.inference.forms import PICTURE_ANSWERS, answer_content, png_bytes
from restr.inference.result import Result


def found_document(result: Result, formats: Sequence[str], *, words: bool) -> dict[str, Any]:
    """A ``schemas.Found`` document. words: whether to add each word's weight; null if the model cannot tell."""
    document = result.summary()
    for form in formats:
        if form in PICTURE_ANSWERS:
            document[form] = base64.b64encode(picture(result, form)).decode("ascii")
        else:
            document[form] = answer_content(result, form)
    if words:
        document["words"] = result.attention.to_dict() if result.attention else None
    return document


def picture(result: Result, form: str) -> bytes:
    """One of ``PICTURE_ANSWERS`` as PNG."""
    return png_bytes(answer_content(result, form), fast=True)
