"""Corruptions of photographs at three severities: uint8 (H W 3) in, and out in the same size."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

BLUR = (1 / 400, 1 / 200, 1 / 100)  # standard deviation, of the longest side
NOISE = (0.05, 0.1, 0.2)  # standard deviation, of the range of values
_QUALITY = (25, 10, 5)  # of JPEG, in Pillow's scale
LIGHT = (0.5, 0.25, 0.1)  # factor of every value
SEVERITIES = (1, 2, 3)

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def blur(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Out of focus: a Gaussian blur whose width is proportional to the photograph's size."""
    radius = BLUR[severity - 1] * max(image.shape[:2])
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def noisy(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise in every value; with the same generator state, severities differ only in its strength."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(255 * NOISE[severity - 1])
    return _rounded(image + noise)


def compress(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """JPEG of poor quality, at the photograph's own size."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=_QUALITY[severity - 1])
    return np.asarray(Image.open(buffer).convert("RGB"))


def darken(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Under-exposed: every value scaled down and rounded, which loses dark details."""
    return _rounded(image * np.float32(LIGHT[severity - 1]))


CORRUPTIONS: dict[str, Corruption] = {"blur": blur, "noise": noisy, "jpeg": compress, "dark": darken}


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
