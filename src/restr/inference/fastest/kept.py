"""Finds in the cache what was measured for a model, and the exports that were made of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from restr.errors import WeightsError
from restr.files import read_text, write_atomically
from restr.inference.exported import FACTS, ExportManifest
from restr.inference.fastest.choice import RuntimeChoice
from restr.inference.fastest.machine import choice_key, machine_facts, restr_version
from restr.inference.fastest.places import cache_folders

EXPORTS, CHOICES, COMPILED = "exports", "choices", "compiled"  # folders in the cache
PARTIAL = ".partial-"  # beginning of the name of a folder with an export that is being made
_CONTENT = {EXPORTS: "*", CHOICES: "*.json", COMPILED: "*.blob"}
_OURS = re.compile(r"[0-9a-f]{24}\.json|.+-[0-9a-f]{16}\.blob")
_COMPLETE = "complete.json"  # in a kept export: the size of each file, written last
# What runs an export, and in which order to try them where nothing was measured: as on the processors measured so far.
PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime"}
EXPECTED_ORDER = (("openvino", "int8"), ("openvino", "fp32"), ("onnx", "int8"), ("onnx", "fp32"))


def kept_folder(cache: Path, weights: str, target: str, precision: str) -> Path:
    """Where a cache keeps an export of the model with that hash."""
    return cache / EXPORTS / f"{weights}-{target}-{precision}-{restr_version()}"


def choice_path(cache: Path, weights: str) -> Path:
    """Where a cache keeps what was measured with the model of that hash, here and with today's versions."""
    return cache / CHOICES / f"{choice_key(weights, machine_facts())}.json"


def find_choice(weights: str) -> RuntimeChoice | None:
    """What was measured here with the model of that hash; None if nothing was, or the file is damaged."""
    facts = machine_facts()
    for cache in cache_folders():
        choice = RuntimeChoice.read(choice_path(cache, weights))
        if choice is not None and choice.weights == weights and choice.machine == facts:
            return choice
    return None


def find_export(weights: str, target: str, precision: str) -> ExportManifest | None:
    """A kept export that is whole and whose runtime is installed."""
    if target not in PACKAGES or find_spec(PACKAGES[target]) is None:
        return None
    for cache in cache_folders():
        facts = read_complete(kept_folder(cache, weights, target, precision))
        if facts is not None and (facts.target, facts.precision) == (target, precision):
            return facts
    return None


def find_fastest(
    weights: str, choice: RuntimeChoice | None, *, backend: str = "auto", precision: str = "auto"
) -> ExportManifest | None:
    """The export to use for a model, choice: as ``find_choice`` gives it; None if PyTorch is the fastest, or nothing was
    measured.

    Without PyTorch, any kept export that can run, in ``EXPECTED_ORDER``.
    """
    best = choice.best(backend=backend, precision=precision) if choice else None
    if best is not None:
        return find_export(weights, best.target, best.precision) if best.target in PACKAGES else None
    if find_spec("torch") is not None:
        return None
    kept = (
        find_export(weights, target, number_format)
        for target, number_format in EXPECTED_ORDER
        if backend in ("auto", target) and precision in ("auto", number_format)
    )
    return next((facts for facts in kept if facts is not None), None)


def is_settled(weights: str) -> bool:
    """Whether nothing is left to prepare: the model was measured here, and what was chosen is there."""
    choice = find_choice(weights)
    best = choice.best() if choice else None
    if choice is None or best is None:
        return choice is not None
    return best.target == "torch" or find_export(weights, best.target, best.precision) is not None


def mark_complete(folder: Path) -> None:
    """Note the size of each file of an export, so that one with half a file is not used. Raises ``OSError``."""
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != _COMPLETE}
    write_atomically(folder / _COMPLETE, json.dumps(sizes, indent=2) + "\n")


def read_complete(folder: Path) -> ExportManifest | None:
    """The manifest of an export; None if a file is missing or has another size than when it was made."""
    try:
        sizes = json.loads(read_text(folder / _COMPLETE))
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
        return ExportManifest.read(folder) if whole and FACTS in sizes else None
    except (OSError, ValueError, TypeError, AttributeError, WeightsError):
        return None


def compiled_mark(folder: Path) -> str:
    """The part of the names of compiled graphs that tells which export they belong to."""
    return hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]


def remove_losers(cache: Path, choice: RuntimeChoice) -> None:
    """Remove the exports that are slower than the chosen runtime, and their compiled graphs; none if none is chosen."""
    best = choice.best()
    for target, precision in EXPECTED_ORDER if best is not None else ():
        folder = kept_folder(cache, choice.weights, target, precision)
        if best is not None and (target, precision) != (best.target, best.precision) and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            for path in (cache / COMPILED).glob(f"*-{compiled_mark(folder)}-*.blob"):
                with suppress(OSError):
                    path.unlink()


def cache_bytes_in(cache: Path) -> int:
    """Bytes of all files in a cache."""
    sizes = 0
    for path in cache.rglob("*"):
        with suppress(OSError):
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes


def clear_caches() -> int:
    """Delete exports, measurements and compiled graphs from all caches; returns how many bytes they had.

    Only what restr has put there is deleted: ``$RESTR_CACHE`` may name a folder that holds other things.
    """
    freed = 0
    for cache in cache_folders():
        found = [(cache / folder).glob(pattern) for folder, pattern in _CONTENT.items()]
        for path in chain.from_iterable(found):
            ours = _OURS.fullmatch(path.name) or path.name.startswith(PARTIAL) or (path / _COMPLETE).is_file()
            if not ours:
                continue
            size = cache_bytes_in(path) if path.is_dir() else path.stat().st_size
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
            freed += 0 if path.exists() else size
    return freed
