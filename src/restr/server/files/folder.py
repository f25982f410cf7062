"""The files of kept images in a folder that all workers see. They outlive the worker that wrote them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from restr.files import write_atomically
from restr.server.files.store import StoredFile


class FolderStore:
    """A ``FileStore`` in a private folder: at most ``most`` bytes of files, each until ``seconds`` after its last use.

    A file's name is the hash of its handle, so no handle is part of a path or readable on the disk. Its modification time is
    its last use, so all workers agree on it.
    """

    def __init__(self, folder: Path, *, most: int, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.most, self.seconds, self._clock = folder, most, seconds, clock

    def put(self, name: str, file: StoredFile) -> None:
        """As ``FileStore.put``."""
        write_atomically(self._path(name), file.model.encode() + b"\n" + file.data)
        self.trim()

    def touch(self, name: str) -> bool:
        """As ``FileStore.touch``."""
        path = self._path(name)
        try:
            if path.stat().st_mtime < self._clock() - self.seconds:
                return False
            os.utime(path, (self._clock(), self._clock()))
        except FileNotFoundError:
            return False
        return True

    def holds(self, name: str) -> bool:
        """As ``FileStore.holds``; an expired file counts until it is evicted."""
        return self._path(name).exists()

    def get(self, name: str) -> StoredFile | None:
        """As ``FileStore.get``."""
        try:
            model, _, data = self._path(name).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return StoredFile(model.decode(), data)

    def remove(self, name: str) -> bool:
        """As ``FileStore.remove``."""
        existed = self.touch(name)
        self._path(name).unlink(missing_ok=True)
        return existed

    def trim(self) -> None:
        """As ``FileStore.trim``; also deletes files that a dead worker left half written."""
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
