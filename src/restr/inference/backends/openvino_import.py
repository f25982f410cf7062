"""The package ``openvino`` without its model converter, which is three quarters of the time of its import."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import ModuleType
from typing import Any

_CONVERTER = "openvino.tools.ovc"
_LATER = ("convert_model", "tools")  # what the converter adds to ``openvino``


def import_openvino() -> ModuleType:
    """``import openvino``, where the converter is loaded only when its function is first used.

    The converter also reports each import over the network. A version of openvino that does not start without it is
    imported as usual. Raises ``ImportError``.
    """
    if "openvino" not in sys.modules and _CONVERTER not in sys.modules:
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # Python's mark for "not to be found"
        try:
            with suppress(ImportError):
                found = importlib.import_module("openvino")
                found.__dict__["__getattr__"] = _with_converter(found)
                return found
        finally:
            del sys.modules[_CONVERTER]
    return importlib.import_module("openvino")


@cache
def openvino_core() -> Any:
    """The one ``openvino.Core`` of this process, which lives as long as it.

    A core gives its thread another stack for signals, and gives the one before back when it is destroyed. With several
    cores that stack may be gone already: the next signal then ends the process, Ctrl-C too. Raises ``ImportError``.
    """
    return import_openvino().Core()


def _with_converter(package: ModuleType) -> Callable[[str], Any]:
    """A ``__getattr__`` for the package, which loads the converter if that has the name."""
    before = package.__dict__.get("__getattr__")

    def get(name: str) -> Any:
        if name in _LATER:
            with suppress(ImportError):
                converter = importlib.import_module(_CONVERTER)
                package.__dict__.setdefault("convert_model", converter.convert_model)
                return package.__dict__[name]
        if before is not None:
            return before(name)
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")

    return get
