"""One referring-segmentation sample, the type every reader gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """An image, an expression and the pixels that it means.

    image: uint8 (H W 3). mask: bool (H W), all False when the expression names nothing in the image.
    kind: what the sentence relies on ("category", "position", "colour", "relation", "clothing", ...), for
    breakdowns. id: unique within its dataset.
    """

    id: str
    image: np.ndarray
    text: str
    mask: np.ndarray
    kind: str = "other"
    image_id: str = ""
