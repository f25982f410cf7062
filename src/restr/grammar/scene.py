"""A photograph with its instance masks: the subject of the grammar."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

PARTLY = "partly_visible"
"""Attribute of an instance of which little can be seen: no good target, but still a rival of similar instances."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """One annotated mask."""

    mask: np.ndarray
    """bool (H W), visible pixels only."""

    category: str
    """The dataset's name ("person", "sky", "skirt")."""

    stuff: bool = False
    """A region, not a countable object."""

    owner: int | None = None
    """The owner of clothing and body parts in street photographs: the person's index in ``Scene.instances``. None otherwise."""

    attributes: dict[str, str] = field(default_factory=dict)
    """Facts that the pixels do not give (generated scenes: {"colour": "red", "size": "big"})."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """An image and its instances."""

    id: str
    """Names the image in its dataset."""

    image: np.ndarray
    """uint8 (H W 3)."""

    instances: tuple[Instance, ...]
    """In the dataset's order."""

    complete: bool
    """Every object of the known categories has a mask, so that a contrast ("the left dog") is safe."""

    source: str = "coco"
    """One of "coco", "ccp", "composite" and "generated"."""
