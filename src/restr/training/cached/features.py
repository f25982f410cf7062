"""Cached patch features: the frozen vision encoder runs once for each photograph, training reads its tokens from disk.

A store is a folder: ``tokens.f16`` (all tokens, one after the other, half precision), ``index.jsonl`` (for each
photograph the row of its first token and its patch grid) and ``meta.json`` (width and fingerprint). Building it can be
interrupted and resumed: photographs are appended, and a half-written one is cut off again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from restr.errors import DataError
from restr.files import read_lines, write_atomically

TOKENS, INDEX, META = "tokens.f16", "index.jsonl", "meta.json"


@dataclass(frozen=True)
class StoredFeature:
    """The position of a photograph's tokens: the row of the first one, and the patch grid (h, w)."""

    start: int
    grid: tuple[int, int]

    @property
    def count(self) -> int:
        """The number of tokens."""
        return self.grid[0] * self.grid[1]


class FeatureStore:
    """Patch features of photographs: ``store[name]`` -> float16 (h*w, d), read through a memory map."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / META).is_file():
            raise DataError(f"{self.folder} is not a feature store (it has no {META}); build one with cache_features")
        meta = json.loads((self.folder / META).read_text())
        self.width: int = meta["width"]
        self.fingerprint: str = meta["fingerprint"]
        self.entries = _read_index(self.folder / INDEX)
        size = (self.folder / TOKENS).stat().st_size if (self.folder / TOKENS).exists() else 0
        rows = size // (2 * self.width)
        self._tokens = np.memmap(self.folder / TOKENS, np.float16, "r", shape=(rows, self.width)) if rows else None

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self.entries[name]
        if self._tokens is None or entry.start + entry.count > len(self._tokens):
            raise DataError(
                f"{self.folder / TOKENS} is shorter than its index says; delete {self.folder} and build it again"
            )
        return self._tokens[entry.start : entry.start + entry.count]


def cache_features(
    names: Iterable[str],
    encode: Callable[[str], tuple[np.ndarray, tuple[int, int]]],
    folder: str | Path,
    *,
    width: int,
    fingerprint: str,
) -> int:
    """Encode the photographs that the store does not have, and append them; returns how many these were.

    ``encode``: name -> (tokens float (h*w, width), grid). ``fingerprint`` identifies the encoder's weights and the
    preprocessing (``fingerprint_of``). Raises ``DataError`` if the store was made with another one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"width": width, "fingerprint": fingerprint}
    if (folder / META).exists() and json.loads((folder / META).read_text()) != meta:
        raise DataError(f"{folder} was made with other weights or preprocessing; delete it or choose another folder")
    write_atomically(folder / META, json.dumps(meta))
    entries = _read_index(folder / INDEX)
    _write_index(entries, folder / INDEX)  # without the half-written line of an interrupted run
    end = max((e.start + e.count for e in entries.values()), default=0)
    new = 0
    with open(folder / TOKENS, "ab") as tokens_file, open(folder / INDEX, "a", encoding="utf-8") as index_file:
        if tokens_file.tell() < end * width * 2:
            raise DataError(f"{folder / TOKENS} is shorter than its index says; delete {folder} and build it again")
        tokens_file.truncate(end * width * 2)
        for name in names:
            if name in entries:
                continue
            tokens, grid = encode(name)
            tokens_file.write(np.ascontiguousarray(tokens, np.float16).tobytes())
            tokens_file.flush()
            entry = entries[name] = StoredFeature(end, grid)
            index_file.write(_line(name, entry))
            index_file.flush()
            end += entry.count
            new += 1
        os.fsync(tokens_file.fileno())
    return new


def fingerprint_of(state: Mapping[str, torch.Tensor], preprocess: object) -> str:
    """A short hash of encoder weights and preprocessing, so that a cache is never used with another model."""
    digest = hashlib.sha256(repr(preprocess).encode())
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name].float().cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


def _line(name: str, entry: StoredFeature) -> str:
    return json.dumps({"name": name, "start": entry.start, "grid": list(entry.grid)}) + "\n"


def _write_index(entries: dict[str, StoredFeature], path: Path) -> None:
    write_atomically(path, "".join(_line(name, entry) for name, entry in entries.items()))


def _read_index(path: Path) -> dict[str, StoredFeature]:
    entries: dict[str, StoredFeature] = {}
    if path.exists():
        for line in read_lines(path):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the last line of an interrupted run
                break
            entries[row["name"]] = StoredFeature(row["start"], tuple(row["grid"]))
    return entries
