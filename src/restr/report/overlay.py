"""A picture with a mask laid over it and the true region outlined: what every sheet and report of results shows."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

TRUTH = (255, 214, 0)
FOUND = (0, 190, 255)
INK, QUIET, PAPER = (25, 27, 31), (110, 114, 122), (255, 255, 255)


def overlay(image: np.ndarray, found: np.ndarray, truth: np.ndarray, side: int) -> Image.Image:
    """The picture, its longer side ``side`` pixels: the found mask tinted, the rest pale, the truth outlined.

    image: uint8 (H W 3). found, truth: bool (H W). Masks are taken twice as large and then reduced, so that no line is jagged.
    """
    picture = resized(image, side)
    double = (2 * picture.width, 2 * picture.height)
    inside, region = _fitted(found, double), _fitted(truth, double)
    line = region & ~_eroded(region, 5)
    beside = ~_eroded(~region, 2, beyond=True) & ~_eroded(region, 7) & ~line
    pixels = np.asarray(picture, np.float32)
    pale = 0.6 * pixels + 0.4 * pixels.mean(axis=-1, keepdims=True)
    shown = pale + _share(inside) * (0.5 * pixels + 0.5 * np.array(FOUND, np.float32) - pale)
    shown *= 1 - 0.45 * _share(beside)  # shade on both sides lifts the line off what is bright
    shown += _share(line) * (np.array(TRUTH, np.float32) - shown)
    return Image.fromarray((shown + 0.5).astype(np.uint8))


def resized(image: np.ndarray, side: int) -> Image.Image:
    """The picture alone, its longer side ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def legend(pen: ImageDraw.ImageDraw, right: int, top: int) -> None:
    """What the colours mean, ending at ``right``."""
    font = ImageFont.load_default(15)
    for text, colour, filled in (("predicted", FOUND, True), ("true region", TRUTH, False)):
        right -= round(pen.textlength(text, font))
        pen.text((right, top), text, QUIET, font)
        right -= 22
        box = (right, top + 2, right + 14, top + 16)
        pen.rectangle(box, fill=colour if filled else None, outline=colour, width=3)
        right -= 20


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask, bool (H W), at a size (width, height); where that is larger, the steps that its pixels make are rounded off."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    blur = max(size) / max(mask.shape) * 0.7
    if blur > 1:
        margin = 2 * math.ceil(blur)  # the border goes on, or it would be rounded off too
        padded = Image.fromarray(np.pad(np.asarray(grey), margin, mode="edge"))
        grey = padded.filter(ImageFilter.GaussianBlur(blur)).crop((margin, margin, margin + size[0], margin + size[1]))
    return np.asarray(grey) > 127


def _eroded(mask: np.ndarray, by: int, *, beyond: bool = False) -> np.ndarray:
    """The mask without the ``by`` pixels along its border. beyond: whether it goes on beyond the picture."""
    kept = np.pad(mask, by, constant_values=beyond)
    for _ in range(2):  # along one axis, then along the other
        width = 1  # of the neighbourhoods that lie in the mask; each pass makes them up to twice as wide
        while width < 2 * by + 1:
            step = min(width, 2 * by + 1 - width)
            kept = kept[step:] & kept[:-step]
            width += step
        kept = kept.T
    return kept


def _share(mask: np.ndarray) -> np.ndarray:
    """Of each pixel of half the size, how much lies in the mask: float32 (H/2 W/2 1)."""
    height, width = mask.shape
    return mask.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3), dtype=np.float32)[..., None]
