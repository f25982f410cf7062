"""Where the pictures and masks of a dataset come from: a folder, or anything else that opens them by name."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import BinaryIO, Protocol


class Opener(Protocol):
    """Opens the files that a dataset's entries name. Can be sent to other processes."""

    def open(self, name: str, /) -> BinaryIO:
        """The file, at its beginning. Raises ``FileNotFoundError`` where there is none, ``OSError`` where it cannot be read,
        ``DatasetError`` where what holds it cannot be had: then nothing of the dataset may be."""
        ...

    def where(self, name: str, /) -> str:
        """The file for people, as errors name it."""
        ...


class Folder:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str, /) -> BinaryIO:
        path = self.root / name
        if not path.is_file():
            path = self._spelt_otherwise(name)
        return open(path, "rb")

    def _spelt_otherwise(self, name: str) -> Path:
        """The file whose name differs only in how its accents are written: file systems and annotations may disagree."""
        for form in ("NFC", "NFD"):
            path = self.root / unicodedata.normalize(form, name)
            if path.is_file():
                return path
        raise FileNotFoundError(self.root / name)

    def where(self, name: str, /) -> str:
        return str(self.root / name)
