"""What a live page begins with, and the machine's camera as a stream sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class LivePicture(Protocol):
    """A picture of the machine's camera."""

    @property
    def image(self) -> np.ndarray:
        """uint8 (H W 3), upright."""
        ...

    @property
    def index(self) -> int:
        """Counts the camera's pictures."""
        ...

    @property
    def taken(self) -> float:
        """``time.monotonic()`` when it came."""
        ...


class LiveCamera(Protocol):
    """A camera that keeps its newest picture, such as ``restr.video.camera.Camera``."""

    @property
    def label(self) -> str:
        """What the page calls it."""
        ...

    @property
    def failure(self) -> str | None:
        """Why there will be no more pictures; None while there may be."""
        ...

    def newest(self, after: int, seconds: float) -> LivePicture | None:
        """The newest picture if its index is above ``after``; waits at most ``seconds`` for one."""
        ...


@dataclass(frozen=True, kw_only=True)
class LiveStart:
    """What a live page begins with; viewers change all but the camera."""

    text: str = ""
    """The expression; empty for none."""

    threshold: float | None = None
    """Least probability of a mask's pixels; None for the model's own."""

    presence: float | None = None
    """Least probability that anything is meant; None for the model's own."""

    smooth: float = 0.0
    """Weight of the pictures before, from 0 to below 1."""

    camera: LiveCamera | None = None
    """The machine's camera; without one, viewers send pictures of their own."""
