"""Draws a mask and its sentence on the frames of a video."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from restr.inference.render import with_caption
from restr.report.overlay import highlight_quickly


class FrameDrawer:
    """Draws frames of one size for one sentence: the thing in colour, the rest dimmed, and a caption underneath.

    Safe to share among threads.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def draw(self, image: np.ndarray, mask: np.ndarray, row: dict[str, Any]) -> np.ndarray:
        """The picture of one frame: uint8 (H' W' 3), both sides even, as H.264 needs them.

        image: uint8 (H W 3); mask: bool (H W). row: the frame's line in the file of masks. An odd width is made even by
        repeating the last column; the caption takes the rows that an odd height lacks.
        """
        note = f"{row['score']:.0%}" if row["found"] else "not found"
        drawn = np.asarray(with_caption(highlight_quickly(Image.fromarray(image), mask), self._text, note))
        height, width = drawn.shape[:2]
        return np.pad(drawn, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
