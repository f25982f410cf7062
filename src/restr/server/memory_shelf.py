"""The files of kept images in memory, where no folder is seen by all who need them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from restr.server.shelf import Shelved


@dataclass(kw_only=True, eq=False)
class File:
    """A file and when it was last used, on its actor's clock."""

    file: Shelved
    used: float


class MemoryShelf:
    """What ``Shelf`` does, in memory: at most ``most`` bytes of files, each until ``seconds`` after its last use.

    Nothing is written to a disk, where it would outlive a machine's crash.
    """

    def __init__(self, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self._clock = most, seconds, clock
        self.held = 0
        self._files: OrderedDict[str, File] = OrderedDict()  # the least recently used first

    def put(self, name: str, file: Shelved) -> None:
        """Keep a file under a handle; older ones make way for it."""
        self.remove(name)
        self._files[name] = File(file=file, used=self._clock())
        self.held += len(file.data)
        self.trim()

    def touch(self, name: str) -> bool:
        """Whether there is such a file, which is from now on the most recently used."""
        self.trim()
        if name not in self._files:
            return False
        self._files[name].used = self._clock()
        self._files.move_to_end(name)
        return True

    def get(self, name: str) -> Shelved | None:
        """The file, unless it has gone."""
        return self._files[name].file if self.touch(name) else None

    def remove(self, name: str) -> bool:
        """Whether there was such a file; now there is none."""
        self.trim()
        gone = self._files.pop(name, None)
        self.held -= len(gone.file.data) if gone else 0
        return gone is not None

    def holds(self, name: str) -> bool:
        """Whether there is such a file; does not count as a use."""
        self.trim()
        return name in self._files

    def trim(self) -> None:
        """Give up what has expired, then the least recently used."""
        expired = self._clock() - self.seconds
        while self._files:
            oldest = next(iter(self._files.values()))
            if self.held <= self.most and oldest.used >= expired:
                break
            self.held -= len(self._files.popitem(last=False)[1].file.data)
