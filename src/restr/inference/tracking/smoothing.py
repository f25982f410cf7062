"""Smooths what the model says from frame to frame, and notices where the scene changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from restr.errors import ConfigError
from restr.fields import as_int
from restr.inference.result import Result

# Mean difference of two frames' small copies, from 0 to 1. On four clips neighbours within a scene stay below 0.08,
# also where the camera pans; cuts begin at 0.12 (benchmarks/video.py --cuts).
CUT = 0.1
_SIDE = 32  # of the small copies


@dataclass(frozen=True, kw_only=True)
class TrackSettings:
    """Which frames are computed, and how much the past weighs."""

    every: int = 1
    """Every n-th frame is computed, and the first of each scene; the frames between carry the masks over."""

    smooth: float = 0.0
    """The weight of the past a frame later, from 0 (none) to below 1."""

    def __post_init__(self) -> None:
        if as_int(self.every) is None or self.every < 1:
            raise ConfigError(
                f"every is {self.every!r}; it must be a whole number of at least 1, which computes each frame"
            )
        if isinstance(self.smooth, bool) or not isinstance(self.smooth, (int, float)) or not 0 <= self.smooth < 1:
            raise ConfigError(f"smooth is {self.smooth!r}; it must be from 0, no smoothing, to below 1, such as 0.6")


class CutDetector:
    """Says of each frame whether a new scene begins with it.

    That is so if the mean absolute difference of its 32 x 32 copy from that of the frame before is above ``CUT``, or if
    its size is another one. A slow fade is not noticed.
    """

    def __init__(self) -> None:
        self._last: tuple[tuple[int, ...], np.ndarray] | None = None
        self.difference = 1.0
        """Of the last two frames, from 0 to 1."""

    def begins_scene(self, image: np.ndarray) -> bool:
        """Whether this frame, uint8 (H W 3), begins a new scene; so does the first one."""
        small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=2.0)
        copy = np.asarray(small, np.float32) / 255
        last, self._last = self._last, (image.shape, copy)
        self.difference = 1.0 if last is None or last[0] != image.shape else float(np.abs(copy - last[1]).mean())
        return self.difference > CUT


class Smoother:
    """The exponential moving average of probabilities and presence over the frames of one scene.

    S = w * S_before + (1 - w) * P with w = ``smooth ** gap``, where gap is the number of frames since the last computed
    one; so the past fades equally fast however few frames are computed. A mask lags behind what moves: by about
    smooth / (1 - smooth) frames.
    """

    def __init__(self, smooth: float = 0.0) -> None:
        self.smooth = smooth
        self.last: list[Result] = []
        """The smoothed results of the last computed frame, one for each text."""

    def add(self, results: Sequence[Result], *, gap: int = 1, new_scene: bool = False) -> list[Result]:
        """The results of the next computed frame, smoothed. new_scene: forget what was before."""
        fits = len(self.last) == len(results) and all(
            before.prob.shape == now.prob.shape for before, now in zip(self.last, results, strict=True)
        )
        if new_scene or not fits or not self.smooth:
            self.last = list(results)
        else:
            weight = self.smooth**gap
            self.last = [blend(before, now, 1 - weight) for before, now in zip(self.last, results, strict=True)]
        return self.last


def blend(before: Result, after: Result, share: float) -> Result:
    """``after`` with the mean of both results' probabilities, presence and score. share: the weight of ``after``.

    The score is not computed from the mean probabilities: they are less certain by being means, and the model's scores
    are calibrated for single pictures.
    """
    presence = after.presence
    if presence is not None and before.presence is not None:
        presence = (1 - share) * before.presence + share * presence
    prob = np.float32(1 - share) * before.prob + np.float32(share) * after.prob
    score = (1 - share) * before.score + share * after.score
    return replace(after, prob=prob, presence=presence, known_score=score)
