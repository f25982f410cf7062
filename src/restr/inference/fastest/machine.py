"""What a measurement depends on: the processor, its cores, and versions."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from restr import __version__
from restr.files import hash_of_files

_RUNTIMES = ("torch", "onnxruntime", "openvino")
_FACTS = ".dist-info"  # ending of the folder in which an installer notes a package's name and version
_EXPORTING = ("model", "nn", "export")  # the parts of restr that decide what an export computes


def processor() -> str:
    """The processor as Linux names it, or as Python does."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed_version(package: str) -> str | None:
    """The version of an installed package, found without importing it; None if it is not installed."""
    if find_spec(package) is None:
        return None
    for folder in sys.path:  # as ``importlib.metadata`` does it, whose import takes longer than all else here
        with suppress(OSError):
            found = [
                name for name in os.listdir(folder or ".") if name.startswith(f"{package}-") and name.endswith(_FACTS)
            ]
            if len(found) == 1:
                return found[0].removeprefix(f"{package}-").removesuffix(_FACTS)
            if found:
                break
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def restr_version() -> str:
    """restr's version; of one in development with a hash of the code that exports depend on."""
    if ".dev" not in __version__:
        return __version__
    root = Path(__file__).parents[2]
    sources = sorted(path for part in _EXPORTING for path in (root / part).rglob("*.py"))
    return f"{__version__}+{hash_of_files(sources)}"


def machine_facts() -> dict[str, Any]:
    """All that decides how fast a runtime is here, in JSON's types."""
    versions = {name: installed_version(name) for name in _RUNTIMES}
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "versions": {"restr": restr_version(), **versions, "python": platform.python_version()},
    }


def choice_key(weights: str, facts: dict[str, Any]) -> str:
    """A file name for the measurement of a model on a machine. weights: the hash of the model's files."""
    return hashlib.sha256(f"{weights} {sorted(facts.items())}".encode()).hexdigest()[:24]
