"""From a photograph to the model's input, and from the model's output back to the photograph's size.

Training, evaluation and prediction all call these functions with the same ``PreprocessConfig``, so that what the
model saw in training is what it sees in use. numpy and PIL only.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from restr.config import PreprocessConfig
from restr.errors import ConfigError, ImageError

ImageSize = tuple[int, int]  # (height, width), in pixels


def input_size(size: ImageSize, config: PreprocessConfig, patch: int) -> ImageSize:
    """The (height, width) that the model gets for a photograph of ``size`` = (height, width).

    Both are multiples of ``patch``. Raises ``ImageError`` for a photograph without pixels.
    """
    _check(size, config, patch)
    if config.fit in ("letterbox", "square"):
        return config.size, config.size
    longest = max(size)
    height, width = (max(1, _half_up(side * config.size / longest / patch)) * patch for side in size)
    return height, width


def content_size(size: ImageSize, config: PreprocessConfig, patch: int) -> ImageSize:
    """The top-left (height, width) of the model's input that shows the photograph; the rest is padding."""
    if config.fit != "letterbox":
        return input_size(size, config, patch)
    _check(size, config, patch)
    longest = max(size)
    height, width = (max(1, _half_up(side * config.size / longest)) for side in size)
    return height, width


def prepare(image: np.ndarray, config: PreprocessConfig, patch: int) -> np.ndarray:
    """A photograph, uint8 (H W 3), as the model's input: normalised float32 (3 H' W'), contiguous.

    (H', W') is ``input_size``. Padding is the mean colour, which is 0 after normalisation.
    """
    return normalise(fit_image(image, config, patch), config)


def fit_image(image: np.ndarray, config: PreprocessConfig, patch: int) -> np.ndarray:
    """A photograph, uint8 (H W 3), resized and padded to ``input_size``, still uint8 (H' W' 3)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f"got an image of {image.dtype} {image.shape}; expected uint8 (H W 3)")
    original = (image.shape[0], image.shape[1])
    height, width = input_size(original, config, patch)
    inner_height, inner_width = content_size(original, config, patch)
    if (inner_height, inner_width) != original:
        picture = Image.fromarray(image).resize((inner_width, inner_height), Image.Resampling.BICUBIC)
        image = np.asarray(picture)
    if (inner_height, inner_width) == (height, width):
        return image
    mean = np.rint(np.asarray(config.mean) * 255).astype(np.uint8)
    padded = np.empty((height, width, 3), np.uint8)
    padded[inner_height:] = mean  # the rest alone: filling in three values a pixel takes as long as decoding does
    padded[:inner_height, inner_width:] = mean
    padded[:inner_height, :inner_width] = image
    return padded


def normalise(image: np.ndarray, config: PreprocessConfig, out: np.ndarray | None = None) -> np.ndarray:
    """uint8 (H W 3) to float32 (3 H W), minus the config's mean and divided by its std; contiguous.

    out: where to write it, such as a row of a batch.
    """
    if out is None:
        out = np.empty((3, *image.shape[:2]), np.float32)
    mean, std = (np.asarray(values, np.float32)[:, None, None] for values in (config.mean, config.std))
    out[...] = image.transpose(2, 0, 1)
    out *= 1 / (255 * std)
    out -= mean / std
    return out


def fit_mask(mask: np.ndarray, config: PreprocessConfig, patch: int) -> np.ndarray:
    """A mask, bool (H W), laid over ``fit_image``'s output: float32 (H' W') in [0, 1], padding 0.

    A value is the share of the pixel that the mask covers; threshold it at 0.5 (``> 0`` would dilate the mask).
    """
    original = (mask.shape[0], mask.shape[1])
    inner = content_size(original, config, patch)
    fitted = np.zeros(input_size(original, config, patch), np.float32)
    fitted[: inner[0], : inner[1]] = resize(mask.astype(np.float32), inner)
    return fitted


def restore(values: np.ndarray, size: ImageSize, config: PreprocessConfig, patch: int) -> np.ndarray:
    """The model's probabilities or logits, (H' W'), at the photograph's own ``size`` = (H, W): float32 (H W).

    Cuts the padding off, then resizes (bilinear, antialiased where it shrinks).
    """
    expected = input_size(size, config, patch)
    if values.shape != expected:
        raise ImageError(
            f"got a map of {values.shape} for a photograph of {size}; expected {expected}, "
            "the input size of that photograph under this config"
        )
    height, width = content_size(size, config, patch)
    return resize(values[:height, :width], size)


def resize(values: np.ndarray, size: ImageSize) -> np.ndarray:
    """A float map (h w) at ``size`` = (H, W): bilinear, antialiased where it shrinks, float32."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.shape == tuple(size):
        return values.copy()
    picture = Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(picture, dtype=np.float32)


def _half_up(value: float) -> int:
    """Rounded to the nearest whole number, halves up (Python's ``round`` takes them to the even one)."""
    return int(value + 0.5)


def _check(size: ImageSize, config: PreprocessConfig, patch: int) -> None:
    if min(size) < 1:
        raise ImageError(f"the image is {size[1]} x {size[0]} pixels; it needs at least one pixel each way")
    if config.size % patch:
        raise ConfigError(f"preprocess size {config.size} is not a multiple of patch {patch}; choose one that is")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float32; beyond 80 float32 has no nearer number to 0 and 1."""
    return 1 / (1 + np.exp(-logits.clip(-80, 80)))
