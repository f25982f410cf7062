"""The files of kept images in memory, for processes that have no folder in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from restr.bounded import Bounded
from restr.server.files.store import StoredFile


class MemoryStore:
    """A ``FileStore`` in memory: at most ``most`` bytes of files, each until ``seconds`` after its last use.

    Nothing is written to a disk, where it would outlive a crash of the machine. Wraps a ``Bounded`` instead of inheriting,
    as Ray cannot make an actor of a generic class.
    """

    def __init__(self, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._files: Bounded[str, StoredFile] = Bounded(most=most, seconds=seconds, clock=clock)

    @property
    def held(self) -> int:
        """Bytes of all files."""
        return self._files.held

    def put(self, name: str, file: StoredFile) -> None:
        """As ``FileStore.put``."""
        self._files.keep(name, file, len(file.data))

    def touch(self, name: str) -> bool:
        """As ``FileStore.touch``."""
        return self.get(name) is not None

    def holds(self, name: str) -> bool:
        """As ``FileStore.holds``."""
        return self._files.holds(name)

    def get(self, name: str) -> StoredFile | None:
        """As ``FileStore.get``; counts as a use."""
        return self._files.find(name)

    def remove(self, name: str) -> bool:
        """As ``FileStore.remove``."""
        return self._files.drop(name) is not None

    def trim(self) -> None:
        """As ``FileStore.trim``."""
        self._files.trim()
