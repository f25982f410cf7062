"""restr: name something in a photograph, get its pixels.

>>> from restr import Segmenter
>>> result = Segmenter.from_pretrained()("photo.jpg", "the dog on the left")  # doctest: +SKIP
>>> result.mask, result.score, result.overlay()  # doctest: +SKIP

The names below are public, and so are the modules that docs/python.md lists. Importing the package loads nothing heavy:
each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restr import presets
    from restr.client import Client
    from restr.config import ModelConfig
    from restr.errors import RestrError
    from restr.evaluation.evaluate import evaluate
    from restr.export.prepare import prepare_runtime
    from restr.formats.catalog import open_dataset
    from restr.inference.result import Result
    from restr.inference.segmenter import Segmenter
    from restr.model.build import build_model
    from restr.model.restr import ReSTR
    from restr.training.loop.trainer import Trainer

__version__ = "0.2.0"
__all__ = [
    "Client",
    "ModelConfig",
    "ReSTR",
    "RestrError",
    "Result",
    "Segmenter",
    "Trainer",
    "__version__",
    "build_model",
    "evaluate",
    "open_dataset",
    "prepare_runtime",
    "presets",
]

_MODULES = {
    "Client": "restr.client",
    "ModelConfig": "restr.config",
    "ReSTR": "restr.model.restr",
    "RestrError": "restr.errors",
    "Result": "restr.inference.result",
    "Segmenter": "restr.inference.segmenter",
    "Trainer": "restr.training.loop.trainer",
    "build_model": "restr.model.build",
    "evaluate": "restr.evaluation.evaluate",
    "open_dataset": "restr.formats.catalog",
    "prepare_runtime": "restr.export.prepare",
}


def __getattr__(name: str) -> Any:
    if name == "presets":
        return importlib.import_module("restr.presets")
    if name not in _MODULES:
        raise AttributeError(f"module 'restr' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
