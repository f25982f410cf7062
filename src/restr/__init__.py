"""restr: name something in a photograph, get its pixels.

>>> from restr import Segmenter
>>> result = Segmenter.from_pretrained()("photo.jpg", "the dog on the left")  # doctest: +SKIP
>>> result.mask, result.score, result.overlay()  # doctest: +SKIP

Importing the package loads nothing heavy: each name below is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restr import presets
    from restr.errors import RestrError
    from restr.inference.result import Result
    from restr.inference.segmenter import Segmenter
    from restr.model.build import build_model

__version__ = "0.1.0"
__all__ = ["RestrError", "Result", "Segmenter", "__version__", "build_model", "presets"]

_HOMES = {
    "RestrError": "restr.errors",
    "Result": "restr.inference.result",
    "Segmenter": "restr.inference.segmenter",
    "build_model": "restr.model.build",
}


def __getattr__(name: str) -> Any:
    if name == "presets":
        return importlib.import_module("restr.presets")
    if name not in _HOMES:
        raise AttributeError(f"module 'restr' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
