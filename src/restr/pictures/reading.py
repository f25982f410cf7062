"""A picture's file as pixels: the one reader for prediction, server, datasets and reports.

The rules: Pixels are uint8 RGB. Transparent pixels become white, whether transparency is an alpha channel, part of a
palette, or one colour. 16-bit values are scaled by their full range (65535 -> 255); float values must be in [0, 1]. Of
an animation, or of several pictures in a file, the first is read. A picture is turned according to its EXIF block,
unless that block is unreadable.

All exceptions of decoders become an ``ImageError`` here. Pillow's warnings are suppressed: those about metadata do not
concern the pixels, and ``MOST_PIXELS`` limits the size.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from restr.errors import ImageError, ImageTooLargeError, RestrError
from restr.pictures.png_notes import without_notes

MOST_PIXELS = (
    178_956_970  # half a gigabyte as RGB; twice ``PIL.Image.MAX_IMAGE_PIXELS``, which is Pillow's limit as well
)
MOST_BYTES = 2**30  # of a file whose size is unknown: a pipe, a device
ORIENTATION = 0x0112  # EXIF
_WHITE = 255

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


class DecodedPicture(NamedTuple):
    """A decoded picture, not turned yet."""

    stored: np.ndarray
    """uint8 (H W 3), as stored in the file."""
    orientation: int
    """EXIF's, 1 to 8; 1 is upright."""

    @property
    def upright(self) -> np.ndarray:
        """uint8 (H W 3), contiguous, as viewers show it."""
        turn = _TURNS.get(self.orientation)
        return self.stored if turn is None else np.ascontiguousarray(turn(self.stored))

    def for_size(self, size: tuple[int, int] | None) -> np.ndarray:
        """The pixels that belong to annotations of ``size`` (H, W): upright, unless only the stored pixels have that
        size.

        COCO annotates stored pixels; annotation tools show upright ones.
        """
        upright = self.upright
        return self.stored if size not in (None, upright.shape[:2]) and self.stored.shape[:2] == size else upright


def read_picture(file: BinaryIO | bytes, name: str) -> DecodedPicture:
    """The picture of an open file, or of its bytes. name: the file's, for errors. Raises ``ImageError``."""
    with open_picture(file, name) as picture:
        return from_pil(picture, name)


@contextmanager
def open_picture(file: BinaryIO | bytes, name: str, *, forms: list[str] | None = None) -> Iterator[Image.Image]:
    """A picture with only its header read. forms: Pillow's names of the accepted file formats; all if None.

    Raises ``ImageError`` if it is not a picture, ``ImageTooLargeError`` for too many pixels. Exceptions of decoders inside
    the block become an ``ImageError`` as well.
    """
    with decoding(name):
        file = without_notes(_seekable(file, name))
        if not file.read(1):
            raise ImageError(f"{name} is empty (0 bytes); fetch or save it again")
        file.seek(0)
        with Image.open(file, formats=forms) as picture:
            _check_size(picture, name)
            yield picture


def from_pil(picture: Image.Image, name: str) -> DecodedPicture:
    """The first frame of a PIL image, whose current frame stays the same. Raises ``ImageError``."""
    _check_size(picture, name)
    with decoding(name):
        shown = picture.tell()
        if shown:
            picture.seek(0)
            first = picture.copy()
            picture.seek(shown)
            picture = first
        picture.load()
        # After load(), which turns a TIFF itself and removes its orientation.
        return DecodedPicture(_rgb(picture, name), orientation_of(picture))


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if it is missing or unreadable."""
    try:
        found = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged, but the pixels are not
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def from_array(array: np.ndarray, name: str = "the array") -> np.ndarray:
    """A numpy image as uint8 (H W 3).

    Accepts (H W), (H W 1), (H W 2), (H W 3) and (H W 4) of uint8, uint16 or float.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; this one looks channel-first: pass image.transpose(1, 2, 0)"
        raise ImageError(f"got an array of shape {array.shape}; expected (H W), (H W 3) or (H W 4){hint}")
    if 0 in array.shape:
        raise ImageError(f"got an array of shape {array.shape}, which has no pixels")
    array = _to_bytes(array, name)
    if array.shape[2] in (2, 4):  # grey or colour with alpha
        return _rgb(Image.fromarray(array, "LA" if array.shape[2] == 2 else "RGBA"), name)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turns all exceptions of decoders into an ``ImageError`` that names the picture; keeps restr's own errors."""
    try:
        with _QUIET:
            yield
    except RestrError:  # such as those of a dataset's files, which say more
        raise
    except Image.UnidentifiedImageError as error:
        hint = " (HEIC photographs: convert them to JPEG first)" if name.lower().endswith((".heic", ".heif")) else ""
        raise ImageError(f"{name} is not an image that can be read; expected JPEG, PNG, WebP, ...{hint}") from error
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        raise _too_large(name, f"{int(found[0]):,}" if found else "far more") from error
    except MemoryError as error:
        raise ImageTooLargeError(f"{name} does not fit into memory; make it smaller") from error
    except Exception as error:
        # Damaged files make Pillow and its libraries raise nearly anything; no list of exceptions was ever complete.
        raise ImageError(f"{name} is damaged or truncated: {error or type(error).__name__}") from error


class _Quiet:
    """Suppresses Pillow's warnings while any thread reads a picture.

    ``warnings.catch_warnings`` alone is not thread-safe: if two overlap, the later one restores the filters that the
    earlier one set.
    """

    def __init__(self) -> None:
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)  # another thread may hold the lock during a fork

    def reset(self) -> None:
        """Back to the initial state."""
        self._lock, self._inside = threading.Lock(), 0
        self._caught: warnings.catch_warnings | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._caught is not None:
                self._caught.__exit__(None, None, None)
                self._caught = None


_QUIET = _Quiet()


def _seekable(file: BinaryIO | bytes, name: str) -> BinaryIO:
    """The file itself, or the whole content of a pipe."""
    if isinstance(file, bytes):
        return io.BytesIO(file)
    if file.seekable():
        return file
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ImageTooLargeError(f"{name} gives more than {MOST_BYTES:,} bytes; expected those of one image")
    return io.BytesIO(content)


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise ImageError(f"{name} is {width} x {height} pixels; it needs at least one each way")
    if width * height > MOST_PIXELS:
        raise _too_large(name, f"{width} x {height} = {width * height:,}")


def _too_large(name: str, pixels: str) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"{name} is too large to open safely: it has {pixels} pixels, at most {MOST_PIXELS:,} are read; make it smaller"
    )


def _rgb(picture: Image.Image, name: str) -> np.ndarray:
    """A loaded PIL image of any mode as uint8 (H W 3)."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        return _deep_grey(picture, name)
    if picture.mode in ("La", "RGBa"):  # premultiplied alpha, which Pillow converts to these modes only
        picture = picture.convert(picture.mode[:-1] + "A")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (_WHITE, _WHITE, _WHITE, 255)), picture)
    return np.array(picture.convert("RGB"))


def _deep_grey(picture: Image.Image, name: str) -> np.ndarray:
    """Grey of more than 8 bits; a PNG's transparent value becomes white."""
    values = np.asarray(picture)
    if picture.mode == "F":
        return from_array(values, name)
    # "I" has 32 bits, but in practice it holds 16-bit images.
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(
            f"{name} holds values from {values.min()} to {values.max()}; expected 16 bits: scale it to "
            "0-65535, or save 8 bits"
        )
    pixels = from_array(values.astype(np.uint16), name)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        pixels[values == clear] = _WHITE
    return pixels


def _to_bytes(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # of either byte order
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):  # also refuses NaN
            raise ImageError(
                f"{name} is a {array.dtype} image with values from {low:g} to {high:g}; floats must be in [0, 1]: "
                "divide by 255, or make it uint8 (image.astype('uint8')) if it already is in 0-255"
            )
        return np.rint(array * 255).astype(np.uint8)
    raise ImageError(f"{name} is an image of {array.dtype}; expected uint8, uint16 or floats in [0, 1]")
