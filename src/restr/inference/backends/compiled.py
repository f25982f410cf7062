"""Graphs that OpenVINO has compiled, kept in the user's cache: compiling is two thirds of a cold start."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restr.files import write_atomically
from restr.inference.backends.openvino_import import import_openvino
from restr.inference.fastest.kept import COMPILED, PARTIAL, compiled_mark
from restr.inference.fastest.places import cache_folders, writable_cache

if TYPE_CHECKING:
    import openvino
else:
    openvino = import_openvino()

MOST_KEPT = 8  # files, the latest used; a model has two, of 25 MB each in int8
_HEAD = struct.Struct("<8sQI")  # mark, length and CRC-32 of what follows
_MARK = b"restrov1"
_HOUR = 3600  # seconds; a partial file that is older belongs to a process that was killed

_logger = logging.getLogger("restr")


def compiled_graph(core: openvino.Core, path: Path, options: dict[str, Any]) -> openvino.CompiledModel:
    """A graph compiled for this processor: from the cache if it was compiled before, else compiled and kept.

    A file in the cache that is damaged, or of another OpenVINO, processor, graph or set of options, is never used. Where
    nothing can be written, nothing is kept, and nothing of an export that is still being made. Raises ``RuntimeError``
    for a graph that OpenVINO cannot read.
    """
    if any(part.startswith(PARTIAL) for part in path.absolute().parts):  # its folder will have another name
        return core.compile_model(path, "CPU", options)
    name = _file_name(core, path, options)
    for cache in cache_folders():
        with suppress(OSError, ValueError, RuntimeError):  # no file, a damaged one, one that OpenVINO refuses
            kept = cache / COMPILED / name
            found = core.import_model(_unpacked(kept), "CPU", options)
            with suppress(OSError):
                os.utime(kept)
            return found
    compiled = core.compile_model(path, "CPU", options)
    cache = writable_cache()
    if cache is not None:
        try:
            _keep(cache / COMPILED / name, compiled.export_model())
        except (OSError, RuntimeError) as error:  # a full disk; a graph that cannot be exported
            _logger.debug("the compiled graph of %s is not kept: %s", path, error)
    return compiled


def _keep(place: Path, blob: Any) -> None:
    """Write a compiled graph, and remove those that were not used for the longest time."""
    content = blob if isinstance(blob, bytes) else bytes(blob.getbuffer())
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(place, _HEAD.pack(_MARK, len(content), zlib.crc32(content)) + content)
    ages = []
    for each in place.parent.iterdir():
        with suppress(OSError):  # another process removes it
            used = each.stat().st_mtime
            if each.suffix == ".partial" and used < time.time() - _HOUR:
                each.unlink()
            elif each.suffix == place.suffix and each != place:
                ages.append((used, each))
    for _, each in sorted(ages, reverse=True)[MOST_KEPT - 1 :]:
        with suppress(OSError):
            each.unlink()


def _unpacked(kept: Path) -> openvino.Tensor:
    """The compiled graph in a file. Raises ``ValueError`` for a damaged one.

    The memory belongs to OpenVINO, whose graph goes on using it: no second copy is made.
    """
    with kept.open("rb") as file:
        head, size = file.read(_HEAD.size), os.fstat(file.fileno()).st_size
        mark, length, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0, 0)
        if mark == _MARK and 0 < length == size - _HEAD.size:
            blob = openvino.Tensor(openvino.Type.u8, openvino.Shape([length]))
            content: Any = blob.data
            if file.readinto(content) == length and zlib.crc32(content) == checksum:
                return blob
    raise ValueError(f"{size} bytes are not a kept graph")


def _file_name(core: openvino.Core, path: Path, options: dict[str, Any]) -> str:
    """The name of a compiled graph's file, which depends on all that the graph depends on."""
    files = [path, path.with_suffix(".bin")]  # OpenVINO's weights lie in the second
    facts = [(str(each.absolute()), each.stat().st_size, each.stat().st_mtime_ns) for each in files if each.exists()]
    machine = [openvino.get_version(), core.get_property("CPU", "FULL_DEVICE_NAME"), platform.machine(), os.cpu_count()]
    key = json.dumps([facts, machine, sorted(options.items())])
    return f"{path.stem}-{compiled_mark(path.parent)}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.blob"
