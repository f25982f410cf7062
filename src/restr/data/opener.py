"""Opening the pictures and masks of a dataset by name: from a folder, or from anything else."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import BinaryIO, Protocol

from restr.pictures.embedded import abbreviate, decode_embedded, is_data_uri


class Opener(Protocol):
    """Opens the files that a dataset's entries name. Can be sent to other processes."""

    def open(self, name: str, /) -> BinaryIO:
        """The file, at its beginning.

        Raises ``FileNotFoundError`` for a missing file, ``OSError`` for an unreadable one, and ``DatasetError`` if its
        container is unavailable, which may hold the rest of the dataset as well.
        """
        ...

    def where(self, name: str, /) -> str:
        """The file's name in error messages."""
        ...


class Folder:
    """Files below a folder. A ``data:`` URI, or an image in base64, may stand in place of a name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str, /) -> BinaryIO:
        content = decode_embedded(name)
        if content is not None:
            return io.BytesIO(content)
        path = self.root / name
        if not path.exists():
            path = self._in_other_form(name)
        if not path.is_file():  # opened a second time, a pipe is empty or blocks
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise OSError(f"it is {kind}; the files of a dataset are read more than once, and must be files")
        return open(path, "rb")

    def _in_other_form(self, name: str) -> Path:
        """The file whose name differs only in the Unicode form of its accents: file systems and annotations may
        disagree."""
        for form in ("NFC", "NFD"):
            path = self.root / unicodedata.normalize(form, name)
            if path.is_file():
                return path
        raise FileNotFoundError(self.root / name)

    def where(self, name: str, /) -> str:
        return abbreviate(name) if is_data_uri(name) else str(self.root / name)
