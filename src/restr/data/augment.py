"""New photographs out of old ones: pure functions from a scene to a scene.

Sentences are generated after augmentation, from the new masks, so "left" is always left; nothing here touches words.
Random choices come from the ``numpy.random.Generator`` that the caller passes in. Hue is never changed: colours are
named in sentences. ``copy_paste`` and ``mosaic`` put several scenes together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from restr.data.scene import Instance, Scene
from restr.errors import DataError
from restr.masks import Box

Shape = tuple[int, int]  # H W

SHAPES: tuple[Shape, ...] = ((360, 480), (360, 480), (320, 480), (480, 480), (480, 360), (480, 320))
"""What composites measure, H x W: few enough for batches of one shape; the most usual one counts twice."""

PARTLY = "partly_visible"
"""Attribute of an instance that shows little of itself: no good target, but still a rival of what it resembles."""

LEAST_VISIBLE = 0.4  # less of an instance than this is flagged with PARTLY
LEAST_PIXELS = 13  # and fewer pixels than this are dropped: nobody sees them


def view(scene: Scene, box: Box | None = None, shape: Shape | None = None, *, mirror: bool = False) -> Scene:
    """What a camera would see of a scene: the part in ``box``, resampled to ``shape`` (H W), mirrored if asked.

    Masks follow the image. Instances outside the box are gone; those of which little is left are flagged ``PARTLY``.
    """
    height, width = scene.image.shape[:2]
    x0, y0, x1, y1 = box or (0, 0, width, height)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise DataError(f"box {box} is not inside the scene {scene.id}, {width} x {height}; boxes are x0 y0 x1 y1")
    shape = shape or (y1 - y0, x1 - x0)
    resample = shape != (y1 - y0, x1 - x0)
    step = -1 if mirror else 1

    def part(array: np.ndarray) -> np.ndarray:
        return array[y0:y1, x0:x1][:, ::step]

    def scaled(array: np.ndarray, method: Image.Resampling) -> np.ndarray:
        return np.asarray(Image.fromarray(np.ascontiguousarray(array)).resize((shape[1], shape[0]), method))

    def seen(mask: np.ndarray) -> np.ndarray:
        mask = part(mask)
        if not resample or not mask.any():
            return np.ascontiguousarray(mask) if not resample else np.zeros(shape, bool)
        return scaled(mask.astype(np.uint8) * 255, Image.Resampling.BILINEAR) > 127

    image = part(scene.image)
    scale = (shape[0] / (y1 - y0)) * (shape[1] / (x1 - x0))
    return replace(
        scene,
        image=scaled(image, Image.Resampling.BICUBIC) if resample else np.ascontiguousarray(image),
        instances=still_seen(
            [replace(instance, mask=seen(instance.mask)) for instance in scene.instances],
            [instance.mask.sum() * scale for instance in scene.instances],
        ),
    )


def flip(scene: Scene) -> Scene:
    """The mirror image."""
    return view(scene, mirror=True)


def still_seen(instances: Sequence[Instance], areas: Sequence[float]) -> tuple[Instance, ...]:
    """The instances of which something is left, owners renumbered, those of which little is left flagged.

    areas: the pixels that each had before something was cut off or covered. Stuff is never flagged: half a sky is sky.
    """
    left = [int(instance.mask.sum()) for instance in instances]
    kept = [i for i, pixels in enumerate(left) if pixels >= LEAST_PIXELS]
    place = {old: new for new, old in enumerate(kept)}
    found = []
    for i in kept:
        instance = instances[i]
        owner = None if instance.owner is None else place.get(instance.owner)
        attributes = instance.attributes
        if not instance.stuff and left[i] < LEAST_VISIBLE * areas[i]:
            attributes = {**attributes, PARTLY: "yes"}
        found.append(replace(instance, owner=owner, attributes=attributes))
    return tuple(found)


def crop(scene: Scene, shape: Shape, rng: np.random.Generator, *, share: tuple[float, float] = (0.55, 1.0)) -> Scene:
    """A random part of a scene at ``shape``: the best of a few, which keep things whole rather than cut them off.

    share: the range of the part's size, as a share of the largest part that has the shape's aspect ratio.
    """
    height, width = scene.image.shape[:2]
    things = [instance.mask for instance in scene.instances if not instance.stuff]
    areas = [max(1, mask.sum()) for mask in things]
    tried: list[tuple[float, Box]] = []
    for _ in range(5):
        fitted = min(height / shape[0], width / shape[1]) * rng.uniform(*share)
        h, w = max(1, int(shape[0] * fitted)), max(1, int(shape[1] * fitted))
        x0, y0 = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        box = (x0, y0, x0 + w, y0 + h)
        shown = [mask[y0 : y0 + h, x0 : x0 + w].sum() / area for mask, area in zip(things, areas, strict=True)]
        tried.append((sum(1.0 if s > 0.9 else -0.5 if 0 < s < LEAST_VISIBLE else s for s in shown), box))
    return view(scene, max(tried)[1], shape)


def jitter(scene: Scene, rng: np.random.Generator) -> Scene:
    """Another exposure of the same scene: mild changes of brightness, contrast and saturation, never of hue."""
    return replace(scene, image=jitter_image(scene.image, rng))


def jitter_image(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``jitter`` of pixels, uint8 (H W 3)."""
    brightness, contrast, saturation = rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15)
    pixels = image.astype(np.float32) * np.float32(brightness)
    pixels = (pixels - pixels.mean()) * np.float32(contrast) + pixels.mean()
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels = grey[..., None] + (pixels - grey[..., None]) * np.float32(saturation)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def nearby_shape(scene: Scene, rng: np.random.Generator, *, longest: int = 480) -> Shape:
    """About the scene's own aspect ratio (each side up to 18% off) at a longest side of ``longest`` pixels."""
    stretch = rng.uniform(0.85, 1.18)
    height, width = scene.image.shape[0] * stretch, scene.image.shape[1] / stretch
    scale = longest / max(height, width)
    return max(16, round(height * scale)), max(16, round(width * scale))
