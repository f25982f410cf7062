"""Which pixels of a picture of a mask belong to the region: white ones, by habit, but programs write masks in many ways.

0 and 255, 0 and 1, 0 and any other number; a colour on black; the palette of PASCAL VOC; levels of grey where a mask was
resized or saved as JPEG. What could mean several regions (a picture of class numbers, several colours) is refused: guessing
would train on the wrong thing without a word.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from restr.errors import DatasetError

_WHITE = 127  # a level above it belongs
VOID, VOID_COLOUR = (
    255,
    (224, 224, 192),
)  # PASCAL VOC's index for pixels that nobody judges, and its colour in the palette
FEW = 32  # numbers or colours in a picture of classes; soft masks have more
STRAY = 0.01  # share of the bright pixels that another colour may have before it counts as one
LOSSY = ("JPEG", "WEBP", "MPO", "JPEG2000", "AVIF")


def belonging(picture: Image.Image, where: str) -> np.ndarray:
    """The pixels of a mask's picture that belong to the region, bool (H W). Raises ``DatasetError`` where several could be meant."""
    lossy = picture.format in LOSSY
    if picture.mode == "1":
        return np.asarray(picture)
    if picture.mode == "P":
        return _indexed(picture, where)
    if picture.mode in ("L", "I", "F") or picture.mode.startswith("I;"):
        return _levels(np.asarray(picture), where, lossy=lossy)
    pixels = np.array(picture.convert("RGBA"))
    pixels[pixels[..., 3] <= _WHITE] = 0  # what is transparent does not belong
    return _coloured(pixels[..., :3], where, lossy=lossy)


def numbered(picture: Image.Image, value: int, where: str) -> np.ndarray:
    """The pixels of a picture of classes that hold a number, bool (H W). Raises ``DatasetError`` where it holds no numbers."""
    numbers = np.asarray(picture)
    if numbers.ndim != 2:
        raise DatasetError(
            f"the mask {where} is in colour ({picture.mode}); expected one number a pixel for the value {value}"
        )
    return numbers == value


def _levels(levels: np.ndarray, where: str, *, lossy: bool = False) -> np.ndarray:
    """Of one channel: what is not 0, where that is one number; else what is bright."""
    if levels.dtype == np.uint8:
        above = np.flatnonzero(np.bincount(levels.reshape(-1), minlength=256)[1:]) + 1  # much faster than sorting
    else:
        above = np.unique(levels[levels > 0])
    if len(above) < 2:
        return levels > 0
    if levels.dtype != np.uint8 or above[-1] <= _WHITE or (not lossy and len(above) <= FEW and _areas(levels) > 1):
        raise _several(where, above)
    return levels > _WHITE


def _indexed(picture: Image.Image, where: str) -> np.ndarray:
    """Of a palette: what is not black, where that is of one colour."""
    indices, colours = np.asarray(picture), np.asarray(picture.convert("RGB"))
    void = (indices == VOID) & (colours == VOID_COLOUR).all(-1)
    colours = np.where(void[..., None], np.uint8(0), colours)
    try:
        return _coloured(colours, where)
    except DatasetError as error:
        raise _several(where, np.unique(indices[colours.any(-1)])) from error


def _coloured(colours: np.ndarray, where: str, *, lossy: bool = False) -> np.ndarray:
    """Of uint8 (H W 3): what is not black, where that is of one colour; else what is bright, where that is of one hue."""
    if (colours == colours[..., :1]).all():
        return _levels(colours[..., 0], where, lossy=lossy)
    brightest = colours.max(-1)
    codes = colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    found = np.unique(codes[codes > 0])
    if len(found) == 1:
        return codes > 0
    bright = colours[brightest > _WHITE] > _WHITE
    hues = np.bincount(bright @ np.array([4, 2, 1]), minlength=8)[1:]
    if (hues > STRAY * hues.sum()).sum() != 1 or (not lossy and len(found) <= FEW and _areas(codes) > 1):
        raise DatasetError(
            f"the mask {where} holds {len(found)} colours beside black; expected one colour on black, or white. Write a picture "
            "a region, or give run lengths"
        )
    return brightest > _WHITE


def _areas(codes: np.ndarray) -> int:
    """How many numbers but 0 fill an area, that is a pixel and its four neighbours. A soft edge's levels fill none."""
    centre = codes[1:-1, 1:-1]
    same = [codes[:-2, 1:-1], codes[2:, 1:-1], codes[1:-1, :-2], codes[1:-1, 2:]]
    inside = np.logical_and.reduce([centre == each for each in same])
    return len(np.unique(centre[inside & (centre > 0)]))


def _several(where: str, values: np.ndarray) -> DatasetError:
    shown = ", ".join(f"{value:g}" for value in values[:6].tolist()) + (", ..." if len(values) > 6 else "")
    return DatasetError(
        f"the mask {where} holds the numbers {shown} beside 0, as a picture of classes does; expected 0 and one other. "
        'Say which number is meant ("value": 1 beside "mask"), or write a picture a region'
    )
