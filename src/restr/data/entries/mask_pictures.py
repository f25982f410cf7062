"""Mask pictures: which of their pixels belong to the region. White ones as a rule, but programs write masks in many
ways.

Accepted are 0 and 255, 0 and 1, 0 and any other number; a colour on black; the palette of PASCAL VOC; and levels of
grey, if a mask was resized or saved as JPEG. Pictures that may show several regions (class numbers, several colours)
are refused: a guess could silently train on the wrong region.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from restr.errors import DatasetError

_WHITE = 127  # levels above it belong to the region
_VOID = 255  # PASCAL VOC's index for pixels that are not judged
_VOID_COLOUR = (224, 224, 192)  # and its colour in the palette
_FEW = 32  # at most, numbers or colours in a picture of classes; soft masks have more
_STRAY = 0.01  # share of the bright pixels up to which another colour is ignored
_LOSSY = ("JPEG", "WEBP", "MPO", "JPEG2000", "AVIF")


def region_pixels(picture: Image.Image, where: str) -> np.ndarray:
    """The pixels of a mask picture that belong to the region, bool (H W).

    Raises ``DatasetError`` if it may show several.
    """
    lossy = picture.format in _LOSSY
    if picture.mode == "1":
        return np.asarray(picture)
    if picture.mode == "P":
        return _indexed(picture, where)
    if picture.mode in ("L", "I", "F") or picture.mode.startswith("I;"):
        return _levels(np.asarray(picture), where, lossy=lossy)
    pixels = np.array(picture.convert("RGBA"))
    pixels[pixels[..., 3] <= _WHITE] = 0  # transparent pixels do not belong
    return _coloured(pixels[..., :3], where, lossy=lossy)


def pixels_of_class(picture: Image.Image, value: int, where: str) -> np.ndarray:
    """The pixels of a class picture that equal ``value``, bool (H W).

    Raises ``DatasetError`` for a picture in colour.
    """
    numbers = np.asarray(picture)
    if numbers.ndim != 2:
        raise DatasetError(
            f"the mask {where} is in colour ({picture.mode}); expected one number per pixel for the value {value}"
        )
    return numbers == value


def _levels(levels: np.ndarray, where: str, *, lossy: bool = False) -> np.ndarray:
    """The region in one channel: the pixels other than 0 if they hold one number; else the bright ones."""
    if levels.dtype == np.uint8:
        above = np.flatnonzero(np.bincount(levels.reshape(-1), minlength=256)[1:]) + 1  # much faster than sorting
    else:
        above = np.unique(levels[levels > 0])
    if len(above) < 2:
        return levels > 0
    if levels.dtype != np.uint8 or above[-1] <= _WHITE or (not lossy and len(above) <= _FEW and _areas(levels) > 1):
        raise _several(where, above)
    return levels > _WHITE


def _indexed(picture: Image.Image, where: str) -> np.ndarray:
    """The region in a palette picture: the pixels that are not black, if they have one colour."""
    indices, colours = np.asarray(picture), np.asarray(picture.convert("RGB"))
    void = (indices == _VOID) & (colours == _VOID_COLOUR).all(-1)
    colours = np.where(void[..., None], np.uint8(0), colours)
    try:
        return _coloured(colours, where)
    except DatasetError as error:
        raise _several(where, np.unique(indices[colours.any(-1)])) from error


def _coloured(colours: np.ndarray, where: str, *, lossy: bool = False) -> np.ndarray:
    """The region in uint8 (H W 3): the pixels that are not black if they have one colour; else the bright ones of one
    hue."""
    if (colours == colours[..., :1]).all():
        return _levels(colours[..., 0], where, lossy=lossy)
    brightest = colours.max(-1)
    codes = colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    found = np.unique(codes[codes > 0])
    if len(found) == 1:
        return codes > 0
    bright = colours[brightest > _WHITE] > _WHITE
    hues = np.bincount(bright @ np.array([4, 2, 1]), minlength=8)[1:]
    if (hues > _STRAY * hues.sum()).sum() != 1 or (not lossy and len(found) <= _FEW and _areas(codes) > 1):
        raise DatasetError(
            f"the mask {where} holds {len(found)} colours beside black; expected one colour on black, or white. "
            "Write one picture per region, or give run lengths"
        )
    return brightest > _WHITE


def _areas(codes: np.ndarray) -> int:
    """How many numbers other than 0 fill a pixel and its four neighbours. The levels of a soft edge never do."""
    centre = codes[1:-1, 1:-1]
    same = [codes[:-2, 1:-1], codes[2:, 1:-1], codes[1:-1, :-2], codes[1:-1, 2:]]
    inside = np.logical_and.reduce([centre == each for each in same])
    return len(np.unique(centre[inside & (centre > 0)]))


def _several(where: str, values: np.ndarray) -> DatasetError:
    shown = ", ".join(f"{value:g}" for value in values[:6].tolist()) + (", ..." if len(values) > 6 else "")
    return DatasetError(
        f"the mask {where} holds the numbers {shown} beside 0, as a picture of classes does; expected 0 and one other. "
        'Say which number is meant ("value": 1 beside "mask"), or write one picture per region'
    )
