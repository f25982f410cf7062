"""The files of kept images in memory, where no folder is seen by all who need them."""

from __future__ import annotations

from restr.inference.cache import Bounded
from restr.server.shelf import Shelved


class MemoryShelf(Bounded[str, Shelved]):
    """What ``Shelf`` does, in memory: at most ``most`` bytes of files, each until ``seconds`` after its last use.

    Nothing is written to a disk, where it would outlive a machine's crash.
    """

    def put(self, name: str, file: Shelved) -> None:
        """Keep a file under a handle; older ones make way for it."""
        self._keep(name, file, len(file.data))

    def touch(self, name: str) -> bool:
        """Whether there is such a file, which is from now on the most recently used."""
        return self._find(name) is not None

    def get(self, name: str) -> Shelved | None:
        """The file, unless it has gone."""
        return self._find(name)

    def remove(self, name: str) -> bool:
        """Whether there was such a file; now there is none."""
        return self._drop(name) is not None
