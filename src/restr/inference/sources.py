"""Whatever an image comes in - path, bytes, PIL image, array - as one thing: uint8 RGB, upright.

Rules that a reader may want to know: EXIF orientation is applied; of an animation the first frame is taken;
transparent pixels are laid on white; 16-bit values are scaled to 8 bits by their full range (65535 -> 255); float
values must be in [0, 1].
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from restr.errors import ImageError

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".ppm", ".jfif"})

# What PIL's decoders raise for damaged files, beside its own UnidentifiedImageError (an OSError).
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, AttributeError,
            struct.error, zlib.error, MemoryError, NotImplementedError)  # fmt: skip
_WHITE = (255, 255, 255, 255)


def read_image(source: ImageSource) -> np.ndarray:
    """An image from anywhere as uint8 (H W 3), contiguous. Raises ``ImageError`` saying what is wrong with it."""
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        return _from_pil(source, "the PIL image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        if len(source) == 0:
            raise ImageError("got 0 bytes; expected the content of an image file")
        return _decode(io.BytesIO(source), f"the {len(source)} bytes given")
    if isinstance(source, (str, os.PathLike)):
        return _decode(_existing(source), str(source))
    if hasattr(source, "read"):
        return read_image(source.read())
    raise ImageError(
        f"got {type(source).__name__}; expected a path, the bytes of an image file, a PIL image or a numpy array"
    )


def from_array(array: np.ndarray) -> np.ndarray:
    """A numpy image as uint8 (H W 3). Takes (H W), (H W 1), (H W 2), (H W 3) and (H W 4) of uint8, uint16, or float."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; this one looks channel-first: pass image.transpose(1, 2, 0)"
        raise ImageError(f"got an array of shape {array.shape}; expected (H W), (H W 3) or (H W 4){hint}")
    if 0 in array.shape:
        raise ImageError(f"got an array of shape {array.shape}, which has no pixels")
    array = _to_bytes(array)
    if array.shape[2] in (2, 4):  # grey or colour with alpha
        return _from_pil(Image.fromarray(array, "LA" if array.shape[2] == 2 else "RGBA"), "the array")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def image_name(source: ImageSource, default: str = "image") -> str:
    """A name for files made from this image: its file's stem where it has one."""
    if isinstance(source, (str, os.PathLike)):
        return Path(source).stem or default
    filename = getattr(source, "filename", None)  # PIL images opened from a file
    return Path(filename).stem if isinstance(filename, str) and filename else default


def _existing(source: str | os.PathLike[str]) -> Path:
    text = os.fspath(source)
    if text.startswith(("http://", "https://")):
        raise ImageError(f"{text} is a web address; download it and pass the file or its bytes")
    path = Path(text)
    if path.is_dir():
        raise ImageError(f"{path} is a folder; pass one of its images")
    if not path.exists():
        raise ImageError(f"there is no file {path}; check the path (the current folder is {Path.cwd()})")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes); fetch or save it again")
    return path


def _decode(file: Path | io.BytesIO, name: str) -> np.ndarray:
    try:
        with Image.open(file) as picture:
            return _from_pil(picture, name)
    except Image.UnidentifiedImageError as error:
        hint = " (HEIC photographs: convert them to JPEG first)" if name.lower().endswith((".heic", ".heif")) else ""
        raise ImageError(f"{name} is not an image that can be read; expected JPEG, PNG, WebP, ...{hint}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to open safely: {error}; make it smaller") from error
    except ImageError:
        raise
    except _DAMAGED as error:
        raise ImageError(f"{name} cannot be read: {error or type(error).__name__}") from error


def _from_pil(picture: Image.Image, name: str) -> np.ndarray:
    if picture.width < 1 or picture.height < 1:
        raise ImageError(f"{name} is {picture.width} x {picture.height} pixels; it needs at least one each way")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > 2 * limit:
        raise ImageError(
            f"{name} is {picture.width} x {picture.height} = {picture.width * picture.height:,} pixels; at most "
            f"{2 * limit:,} are opened (PIL.Image.MAX_IMAGE_PIXELS raises the limit): make it smaller"
        )
    try:
        shown = picture.tell()
        if shown:  # the caller is at a later frame of an animation, and stays there
            picture.seek(0)
            first = picture.copy()
            picture.seek(shown)
            picture = first
        picture.load()
        upright = ImageOps.exif_transpose(picture)
        return _to_rgb(upright if upright is not None else picture)
    except ImageError:
        raise
    except _DAMAGED as error:
        raise ImageError(f"{name} is damaged or truncated: {error or type(error).__name__}") from error


def _to_rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        values = np.asarray(picture)
        if picture.mode != "F":  # "I" is 32 bits wide, but what it holds in practice is a 16-bit image
            if values.min() < 0 or values.max() > 65535:
                raise ImageError(f"the image holds values from {values.min()} to {values.max()}; expected 16 bits")
            values = values.astype(np.uint16)
        return from_array(values)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return np.array(picture.convert("RGB"))


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):  # also refuses NaN
            raise ImageError(
                f"got a {array.dtype} image with values from {low:g} to {high:g}; floats must be in [0, 1]: "
                "divide by 255, or pass image.astype('uint8') if it already is in 0-255"
            )
        return np.rint(array * 255).astype(np.uint8)
    raise ImageError(f"got an image of {array.dtype}; expected uint8, uint16 or floats in [0, 1]")
