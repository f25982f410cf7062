"""A photograph with its instance masks: what the grammar talks about."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

PARTLY = "partly_visible"
"""Attribute of an instance that shows little of itself: no good target, but still a rival of what it resembles."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """One annotated mask.

    mask: bool (H W), visible pixels only. category: the dataset's name ("person", "sky", "skirt").
    stuff: a region, not a countable object. owner: index (in ``Scene.instances``) of the person that wears or has
    it, for clothing and body parts of street photographs; None otherwise. attributes: free facts that the
    pixels do not give (generated scenes: {"colour": "red", "size": "big"}).
    """

    mask: np.ndarray
    category: str
    stuff: bool = False
    owner: int | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """image: uint8 (H W 3). complete: every object of the known categories has a mask, so contrast is safe."""

    id: str
    image: np.ndarray
    instances: tuple[Instance, ...]
    complete: bool
    source: str = "coco"  # "coco", "ccp", "composite", "generated"
