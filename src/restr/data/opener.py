"""Where the pictures and masks of a dataset come from: a folder, or anything else that opens them by name."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import BinaryIO, Protocol

from restr.embedded import abbreviate, decode_embedded, is_data_uri


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
    """Files below a folder; a name that is a ``data:`` URI or an image in base64 is its own file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str, /) -> BinaryIO:
        content = decode_embedded(name)
        if content is not None:
            return io.BytesIO(content)
        path = self.root / name
        if not path.exists():
            path = self._spelt_otherwise(name)
        if not path.is_file():  # a pipe would be empty, or hang, when it is opened again
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise OSError(f"it is {kind}; the files of a dataset are read more than once, and must be files")
        return open(path, "rb")

    def _spelt_otherwise(self, name: str) -> Path:
        """The file whose name differs only in how its accents are written: file systems and annotations may disagree."""
        for form in ("NFC", "NFD"):
            path = self.root / unicodedata.normalize(form, name)
            if path.is_file():
                return path
        raise FileNotFoundError(self.root / name)

    def where(self, name: str, /) -> str:
        return abbreviate(name) if is_data_uri(name) else str(self.root / name)
