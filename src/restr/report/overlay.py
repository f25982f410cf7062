"""Masks laid over pictures: one mask alone, or a predicted mask and the true one."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from restr.masks import box_of
from restr.report.text import QUIET

ACCENT = (56, 214, 255)  # a mask alone
_DIMMED = [round(value * 0.6) for value in range(256)] * 3  # what lies outside of a mask
TRUTH, FOUND = (255, 214, 0), (0, 190, 255)  # the true mask's outline, the predicted mask's tint


def highlight_mask(picture: Image.Image, mask: np.ndarray, *, tint: float = 0.13, longest: int = 0) -> Image.Image:
    """The masked part in its own colours, slightly tinted, with a thin contour; the rest dimmed and greyed.

    mask: bool (H W), scaled to the picture. tint: the share of ``ACCENT`` inside; thumbnails need more than large pictures.
    longest: the side in pixels that the contour's width goes by, if not the picture's own: of the whole, for a part.
    """
    longest = longest or max(picture.size)
    pixels = np.asarray(picture, np.float32)
    distance = _signed_distance(mask, picture.size, longest)
    inside = np.clip(distance + 0.5, 0, 1)[..., None]
    accent = np.asarray(ACCENT, np.float32)

    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    backdrop = (0.55 * grey[..., None] + 0.45 * pixels) * 0.6
    subject = (1 - tint) * pixels + tint * accent
    shown = inside * subject + (1 - inside) * backdrop

    line = longest / 420  # the contour's width in pixels
    glow = np.clip(1 - np.maximum(np.abs(distance) - line / 2, 0) / (2.5 * line), 0, 1)[..., None] ** 2
    if mask.any():
        shown *= 1 - 0.35 * glow * (1 - inside)  # a soft shadow lifts the line off light backgrounds
        edge = np.clip(line / 2 + 0.5 - np.abs(distance), 0, 1)[..., None]
        shown = (1 - edge) * shown + edge * (0.92 * accent + 0.08 * 255)
    return Image.fromarray(np.clip(shown + 0.5, 0, 255).astype(np.uint8))


def highlight_quickly(picture: Image.Image, mask: np.ndarray) -> Image.Image:
    """``highlight_mask`` for the frames of a video: the same but for rounding, quicker where the mask is small.

    mask: bool (H W) of the picture's size.
    """
    shown = Image.blend(picture.convert("L").convert("RGB"), picture, 0.45).point(_DIMMED)
    found = box_of(mask)
    if found is not None:
        margin = round(max(picture.size) / 420 * 8) + 2
        left, top = (max(0, side - margin) for side in found[:2])
        right, bottom = (min(most, side + margin) for most, side in zip(picture.size, found[2:], strict=True))
        part = highlight_mask(
            picture.crop((left, top, right, bottom)), mask[top:bottom, left:right], longest=max(picture.size)
        )
        shown.paste(part, (left, top))
    return shown


def compare_masks(image: np.ndarray, found: np.ndarray, truth: np.ndarray, side: int) -> Image.Image:
    """The picture, its longer side ``side`` pixels: the predicted mask tinted, the rest pale, the true mask outlined.

    image: uint8 (H W 3). found, truth: bool (H W). Masks are drawn at twice the size and reduced, so that edges are smooth.
    """
    picture = fit_side(image, side)
    double = (2 * picture.width, 2 * picture.height)
    inside, region = _fitted(found, double), _fitted(truth, double)
    line = region & ~_eroded(region, 5)
    beside = ~_eroded(~region, 2, beyond=True) & ~_eroded(region, 7) & ~line
    pixels = np.asarray(picture, np.float32)
    pale = 0.6 * pixels + 0.4 * pixels.mean(axis=-1, keepdims=True)
    shown = pale + _coverage(inside) * (0.5 * pixels + 0.5 * np.array(FOUND, np.float32) - pale)
    shown *= 1 - 0.45 * _coverage(beside)  # shade on both sides lifts the line off light backgrounds
    shown += _coverage(line) * (np.array(TRUTH, np.float32) - shown)
    return Image.fromarray((shown + 0.5).astype(np.uint8))


def fit_side(image: np.ndarray, side: int) -> Image.Image:
    """The picture, uint8 (H W 3), scaled so that its longer side has ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def draw_legend(pen: ImageDraw.ImageDraw, right: int, top: int) -> None:
    """Write what the colours of ``compare_masks`` mean, ending at ``right``."""
    font = ImageFont.load_default(15)
    for text, colour, filled in (("predicted", FOUND, True), ("true region", TRUTH, False)):
        right -= round(pen.textlength(text, font))
        pen.text((right, top), text, QUIET, font)
        right -= 22
        box = (right, top + 2, right + 14, top + 16)
        pen.rectangle(box, fill=colour if filled else None, outline=colour, width=3)
        right -= 20


def _signed_distance(mask: np.ndarray, size: tuple[int, int], longest: int) -> np.ndarray:
    """About how many pixels each pixel of a picture of ``size`` (width, height) is inside the mask: float32 (H W).

    Exact enough near the contour: the value of a blurred step is a known function of the distance. The blur also
    smooths the steps between the mask's pixels.
    """
    sigma = longest / 420
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    margin = round(4 * sigma) + 1  # repeat the border: a mask that leaves the picture has no edge there
    padded = np.pad(np.asarray(soft), margin, mode="edge")
    blurred = np.asarray(Image.fromarray(padded).filter(ImageFilter.GaussianBlur(sigma)), np.float32)
    share = blurred[margin:-margin, margin:-margin] / 255
    share = np.clip(share, 1e-4, 1 - 1e-4)
    return sigma * 0.59 * np.log(share / (1 - share))  # the logistic curve replaces the normal's inverse


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask, bool (H W), scaled to ``size`` (width, height); a larger one gets smooth edges instead of steps."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    blur = max(size) / max(mask.shape) * 0.7
    if blur > 1:
        margin = 2 * math.ceil(blur)  # repeat the border, or the blur would round it
        padded = Image.fromarray(np.pad(np.asarray(grey), margin, mode="edge"))
        grey = padded.filter(ImageFilter.GaussianBlur(blur)).crop((margin, margin, margin + size[0], margin + size[1]))
    return np.asarray(grey) > 127


def _eroded(mask: np.ndarray, by: int, *, beyond: bool = False) -> np.ndarray:
    """The mask without the ``by`` pixels along its edge. beyond: the mask's value outside the picture."""
    kept = np.pad(mask, by, constant_values=beyond)
    for _ in range(2):  # along one axis, then along the other
        width = 1  # of the neighbourhoods that lie in the mask; each pass makes them up to twice as wide
        while width < 2 * by + 1:
            step = min(width, 2 * by + 1 - width)
            kept = kept[step:] & kept[:-step]
            width += step
        kept = kept.T
    return kept


def _coverage(mask: np.ndarray) -> np.ndarray:
    """How much of each pixel at half the size lies in the mask: float32 (H/2 W/2 1)."""
    height, width = mask.shape
    return mask.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3), dtype=np.float32)[..., None]
