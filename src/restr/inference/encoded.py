"""An image that met the vision encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedImage:
    """An image that met the vision encoder and now waits for sentences.

    pixels: uint8 (H W 3). features: what the segmenter's backend made of them (``CachedImage`` with PyTorch).
    """

    pixels: np.ndarray
    features: Any
    name: str
