"""A store for the files of kept images that several processes share, so that a handle works at each of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StoredFile(NamedTuple):
    """An image's file as it came, already checked, and the name of the model that it was sent to."""

    model: str
    data: bytes


class FileStore(Protocol):
    """Files by handle, each within bounds of size and age; safe among threads.

    A store that cannot be reached raises ``Problem``, one that cannot be written to raises ``OSError``.
    """

    def put(self, name: str, file: StoredFile) -> None:
        """Keep a file under a handle; evicts older ones if it needs their room."""

    def touch(self, name: str) -> bool:
        """Whether the file exists; counts as a use."""
        ...

    def holds(self, name: str) -> bool:
        """Whether the file exists; does not count as a use."""
        ...

    def get(self, name: str) -> StoredFile | None:
        """The file, or None if it is gone."""

    def remove(self, name: str) -> bool:
        """Delete the file; returns whether it existed."""
        ...

    def trim(self) -> None:
        """Evict expired files, then the least recently used, until the rest is within bounds."""
