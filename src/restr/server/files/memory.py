"""The files of kept images in memory, where no folder is seen by all who need them."""

from __future__ import annotations

import time
from collections.abc import Callable

from restr.bounded import Bounded
from restr.server.files.folder import Shelved


class MemoryStore:
    """What ``Shelf`` does, in memory: at most ``most`` bytes of files, each until ``seconds`` after its last use.

    Nothing is written to a disk, where it would outlive a machine's crash. It has a ``Bounded`` and is none, as Ray cannot send
    a generic class to its actors.
    """

    def __init__(self, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._files: Bounded[str, Shelved] = Bounded(most=most, seconds=seconds, clock=clock)

    @property
    def held(self) -> int:
        """Bytes of all files."""
        return self._files.held

    def put(self, name: str, file: Shelved) -> None:
        """Keep a file under a handle; older ones make way for it."""
        self._files.keep(name, file, len(file.data))

    def touch(self, name: str) -> bool:
        """Whether there is such a file, which is from now on the most recently used."""
        return self.get(name) is not None

    def get(self, name: str) -> Shelved | None:
        """The file, unless it has gone."""
        return self._files.find(name)

    def remove(self, name: str) -> bool:
        """Whether there was such a file; now there is none."""
        return self._files.drop(name) is not None

    def holds(self, name: str) -> bool:
        """Whether there is such a file; does not count as a use."""
        return self._files.holds(name)

    def trim(self) -> None:
        """Give up what has expired, then the least recently used."""
        self._files.trim()
