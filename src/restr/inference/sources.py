"""Images from every source - path, pipe, bytes, base64 text, PIL image, array - as upright uint8 RGB.

Files are read by ``restr.pictures.reading``, in prediction as in training and evaluation.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from restr.errors import ImageError
from restr.pictures.embedded import abbreviate, decode_embedded
from restr.pictures.reading import from_array, from_pil, read_picture

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif",
                      ".tiff", ".avif", ".jp2", ".j2k", ".dds", ".tga", ".ppm", ".pgm", ".pbm", ".pnm"})  # fmt: skip


def read_image(source: ImageSource) -> np.ndarray:
    """An image from any source as uint8 (H W 3), contiguous. Raises ``ImageError`` with the reason.

    A string is a path, a ``data:`` URI or the base64 of a file. An open file is read from its current position.
    """
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        return from_pil(source, "the PIL image").upright
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source))
    if isinstance(source, (str, os.PathLike)):
        content = decode_embedded(source) if isinstance(source, str) else None
        return _from_path(source) if content is None else _from_bytes(content)
    if isinstance(source, io.TextIOBase):
        raise ImageError(f"{getattr(source, 'name', 'the file')} is open as text; an image is bytes: open(path, 'rb')")
    if hasattr(source, "read"):
        return _from_file(source)
    raise ImageError(
        f"got {type(source).__name__}; expected a path, the bytes of an image file, a PIL image or a numpy array"
    )


def image_name(source: ImageSource, default: str = "image") -> str:
    """A name for files made from this image: its file's stem, if it has one."""
    if isinstance(source, (str, os.PathLike)):
        written_out = isinstance(source, str) and decode_embedded(source) is not None
        return default if written_out else Path(source).stem or default
    filename = getattr(source, "filename", None)  # PIL images opened from a file
    return Path(filename).stem if isinstance(filename, str) and filename else default


def _from_bytes(content: bytes) -> np.ndarray:
    if not content:
        raise ImageError("got 0 bytes; expected the content of an image file")
    return read_picture(content, f"the image of {len(content)} bytes").upright


def _from_file(file: BinaryIO) -> np.ndarray:
    """An open file, from its current position."""
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"the open file cannot be read: {error}; pass its path, or its bytes") from error
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise ImageError(f"reading the open file gives {type(content).__name__}; expected bytes: open(path, 'rb')")
    if not content:
        raise ImageError(
            "the open file gives 0 bytes; is it empty, or read already? file.seek(0) goes back to its beginning"
        )
    return _from_bytes(bytes(content))


def _from_path(source: str | os.PathLike[str]) -> np.ndarray:
    text = os.fspath(source)
    if text.startswith(("http://", "https://")):
        raise ImageError(f"{text} is a web address; download it and pass the file or its bytes")
    name = abbreviate(text)
    try:
        if stat.S_ISDIR(os.stat(text).st_mode):
            raise ImageError(f"{name} is a folder; pass one of its images")
        with open(text, "rb") as file:
            return read_picture(file, name).upright
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}; check the path (the current folder is {Path.cwd()})") from error
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # no permission, or an invalid file name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ImageError(f"{name} cannot be opened: {reason}; check the path and who may read it") from error
