"""The files of kept images, in a folder that all workers see: a handle works at each, and outlives the one that made it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from restr.files import write_whole


class Shelved(NamedTuple):
    """An image's file as it came, checked, and the model that it was sent to."""

    model: str
    data: bytes


class FolderStore:
    """At most ``most`` bytes of image files in a private folder, each until ``seconds`` after its last use.

    A file's name is the hash of its handle, so that no handle is ever part of a path or lies on the disk, and its time of
    change is its last use, so that all workers agree on it.
    """

    def __init__(self, folder: Path, *, most: int, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.most, self.seconds, self._clock = folder, most, seconds, clock

    def put(self, name: str, model: str, data: bytes) -> None:
        """Keep a file under a handle; older ones make way for it."""
        write_whole(self._path(name), model.encode() + b"\n" + data)
        self.trim()

    def touch(self, name: str) -> bool:
        """Whether there is such a file, which is from now on the most recently used."""
        path = self._path(name)
        try:
            if path.stat().st_mtime < self._clock() - self.seconds:
                return False
            os.utime(path, (self._clock(), self._clock()))
        except FileNotFoundError:
            return False
        return True

    def get(self, name: str) -> Shelved | None:
        """The file, unless it has gone."""
        try:
            model, _, data = self._path(name).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return Shelved(model.decode(), data)

    def remove(self, name: str) -> bool:
        """Whether there was such a file; now there is none."""
        there = self.touch(name)
        self._path(name).unlink(missing_ok=True)
        return there

    def holds(self, name: str) -> bool:
        """Whether there is such a file; does not count as a use."""
        return self._path(name).exists()

    def trim(self) -> None:
        """Give up what has expired, then the least recently used; also what a dead worker left half written."""
        found = []
        for path in self.folder.iterdir():
            try:
                facts = path.stat()
            except FileNotFoundError:  # another worker was faster
                continue
            found.append((facts.st_mtime, facts.st_size, path))
        held, expired = sum(size for _, size, _ in found), self._clock() - self.seconds
        for used, size, path in sorted(found):
            if held <= self.most and used >= expired:
                break
            path.unlink(missing_ok=True)
            held -= size

    def _path(self, name: str) -> Path:
        return self.folder / hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
