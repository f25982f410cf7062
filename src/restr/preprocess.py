"""From a photograph to the model's input, and from the model's output back to the photograph's size.

Training, evaluation, prediction and export all use the model's own ``Framing`` (``ModelConfig.framing``), so that the
model sees in use what it saw in training. numpy and PIL only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from restr.errors import ConfigError, ImageError
from restr.fields import at_least, one_of

ImageSize = tuple[int, int]  # (height, width), in pixels
Fit = Literal["longest", "letterbox", "square"]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How photographs of any size fit the model's input, and how its output is laid back over them.

    Raises ``ConfigError`` where ``size`` is not a multiple of ``patch``.
    """

    size: int
    """The longest side of the input, in pixels."""
    fit: Fit
    """"longest" scales the longest side and rounds the other to whole patches; "letterbox" pads to a square with the
    mean colour; "square" stretches both sides."""
    place: Literal["corner", "centre"] = "corner"
    """Where a letterboxed photograph lies: "corner" is the top left, with padding at the right and at the bottom; "centre"
    has padding on both sides, of an odd number of pixels one more after the photograph."""
    mean: tuple[float, float, float]
    """Subtracted from each channel, in [0, 1]."""
    std: tuple[float, float, float]
    """Divides each channel."""
    threshold: float
    """The least probability of a pixel in the mask."""
    patch: int
    """The side of the model's patches, in pixels; both sides of an input are multiples of it."""

    def __post_init__(self) -> None:
        at_least(self, "size", 1)
        at_least(self, "patch", 1)
        one_of(self, "fit", "place")
        if self.size % self.patch:
            raise ConfigError(
                f"preprocess size {self.size} is not a multiple of patch {self.patch}; choose one that is"
            )
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"threshold is {self.threshold}; it must be between 0 and 1")

    def input_size(self, size: ImageSize) -> ImageSize:
        """The (height, width) of the model's input for a photograph of ``size`` = (height, width).

        Both are multiples of ``patch``. Raises ``ImageError`` for a photograph without pixels.
        """
        _check_pixels(size)
        if self.fit != "longest":
            return self.size, self.size
        longest = max(size)
        height, width = (max(1, _half_up(side * self.size / longest / self.patch)) * self.patch for side in size)
        return height, width

    def content_size(self, size: ImageSize) -> ImageSize:
        """The (height, width) of the photograph in the model's input; the rest is padding. ``content`` is its place."""
        if self.fit != "letterbox":
            return self.input_size(size)
        _check_pixels(size)
        if self.place == "centre":  # sides as the released program rounds them: halves to even
            scale = min(self.size / side for side in size)
            height, width = (max(1, round(side * scale)) for side in size)
        else:
            longest = max(size)
            height, width = (max(1, _half_up(side * self.size / longest)) for side in size)
        return height, width

    def content(self, size: ImageSize) -> tuple[slice, slice]:
        """The rows and the columns of the model's input that show a photograph of ``size``; the rest is padding."""
        sides = self.content_size(size)
        rest = (whole - side for whole, side in zip(self.input_size(size), sides, strict=True))
        before = (each // 2 if self.place == "centre" else 0 for each in rest)
        rows, columns = (slice(start, start + side) for start, side in zip(before, sides, strict=True))
        return rows, columns

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """A photograph, uint8 (H W 3), as the model's input: normalised float32 (3 H' W'), contiguous.

        (H', W') is ``input_size``. Padding is the mean colour, which is 0 after normalisation.
        """
        return self.normalise(self.fit_image(image))

    def fit_image(self, image: np.ndarray) -> np.ndarray:
        """A photograph, uint8 (H W 3), resized and padded to ``input_size``, still uint8 (H' W' 3)."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(f"got an image of {image.dtype} {image.shape}; expected uint8 (H W 3)")
        original = (image.shape[0], image.shape[1])
        height, width = self.input_size(original)
        inner_height, inner_width = self.content_size(original)
        if (inner_height, inner_width) != original:
            picture = Image.fromarray(image).resize((inner_width, inner_height), Image.Resampling.BICUBIC)
            image = np.asarray(picture)
        if (inner_height, inner_width) == (height, width):
            return image
        rows, columns = self.content(original)
        mean = np.rint(np.asarray(self.mean) * 255).astype(np.uint8)
        padded = np.empty((height, width, 3), np.uint8)
        # the padding only: to fill all with three values a pixel is as slow as decoding
        padded[: rows.start] = padded[rows.stop :] = mean
        padded[rows, : columns.start] = padded[rows, columns.stop :] = mean
        padded[rows, columns] = image
        return padded

    def normalise(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """uint8 (H W 3) to float32 (3 H W), minus the mean and divided by the std; contiguous.

        out: where to write it, such as a row of a batch.
        """
        if out is None:
            out = np.empty((3, *image.shape[:2]), np.float32)
        mean, std = (np.asarray(values, np.float32)[:, None, None] for values in (self.mean, self.std))
        out[...] = image.transpose(2, 0, 1)
        out *= 1 / (255 * std)
        out -= mean / std
        return out

    def fit_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask, bool (H W), laid over ``fit_image``'s output: bool (H' W'), padding False.

        A pixel belongs to it where the mask covers at least half of the pixel. Computed in bytes: that is precise
        enough for a half, and training reads many masks.
        """
        size = (mask.shape[0], mask.shape[1])
        height, width = self.content_size(size)
        picture = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
        fitted = np.zeros(self.input_size(size), bool)
        fitted[self.content(size)] = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) >= 128
        return fitted

    def restore(self, values: np.ndarray, size: ImageSize) -> np.ndarray:
        """The model's probabilities or logits, (H' W'), at the photograph's own ``size`` = (H, W): float32 (H W).

        Cuts off the padding, then resizes (bilinear, antialiased where it shrinks).
        """
        expected = self.input_size(size)
        if values.shape != expected:
            raise ImageError(
                f"got a map of {values.shape} for a photograph of {size}; expected {expected}, "
                "the input size of that photograph under this config"
            )
        return resize(values[self.content(size)], size)


def resize(values: np.ndarray, size: ImageSize) -> np.ndarray:
    """A float map (h w) at ``size`` = (H, W): bilinear, antialiased where it shrinks, float32."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.shape == tuple(size):
        return values.copy()
    picture = Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(picture, dtype=np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32; beyond 80 float32 has no nearer number to 0 and 1."""
    return 1 / (1 + np.exp(-logits.clip(-80, 80)))


def _half_up(value: float) -> int:
    """Rounded to the nearest whole number, halves up (Python's ``round`` rounds halves to even)."""
    return int(value + 0.5)


def _check_pixels(size: ImageSize) -> None:
    if min(size) < 1:
        raise ImageError(f"the image is {size[1]} x {size[0]} pixels; it needs at least one pixel each way")
