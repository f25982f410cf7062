"""An image after the vision encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedImage:
    """An image that the vision encoder has read, ready for any number of sentences."""

    pixels: np.ndarray
    """uint8 (H W 3), as read."""
    features: Any
    """The output of the segmenter's backend, in the backend's own form."""
    name: str
    """The name of files made from this image."""
