"""Photographs beside each other as one: street photographs in a row, and grids of any completely annotated ones.

A row of street photographs gives "second from left" and "the woman in the red skirt" with masks for what each wears;
a grid gives unlike things to tell apart. The parts are cut to fill their places: nothing is shrunk onto a canvas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from restr.data.augment import Shape, crop, jitter, view
from restr.data.scene import Instance, Scene
from restr.errors import DataError
from restr.masks import box_of

SHOWN = (1 / 1.15, 1.0)  # of a photograph that fills a place of another aspect ratio, as a share of what could be


def join(scenes: Sequence[Scene], axis: int) -> Scene:
    """Scenes side by side (axis 1) or one below the other (axis 0) as one; owners stay with their people.

    Raises ``DataError`` if the sides that touch differ in length.
    """
    sides = {scene.image.shape[1 - axis] for scene in scenes}
    if len(sides) != 1:
        raise DataError(
            f"scenes to be joined along axis {axis} need one length across it; got {sorted(sides)}: crop them first"
        )
    image = np.concatenate([scene.image for scene in scenes], axis)
    instances: list[Instance] = []
    start = 0
    for scene in scenes:
        first, length = len(instances), scene.image.shape[axis]
        for instance in scene.instances:
            mask = np.zeros(image.shape[:2], bool)
            mask[(slice(None),) * axis + (slice(start, start + length),)] = instance.mask
            owner = None if instance.owner is None else instance.owner + first
            instances.append(replace(instance, mask=mask, owner=owner))
        start += length
    return Scene(
        id=scenes[0].id,
        image=image,
        instances=tuple(instances),
        complete=all(scene.complete for scene in scenes),
        source="composite",
    )


def street_row(people: Sequence[Scene], shape: Shape, rng: np.random.Generator) -> Scene | None:
    """Street photographs in a row of ``shape``, each cut to its person."""
    widths = parts(shape[1], len(people), rng, even=12)
    row = [portrait(scene, (shape[0], width), rng) for scene, width in zip(people, widths, strict=True)]
    return join([scene for scene in row if scene is not None], 1) if None not in row else None


def portrait(scene: Scene, shape: Shape, rng: np.random.Generator) -> Scene | None:
    """A street photograph cut to its person and to ``shape``: all of it, or the upper part. None if nobody is there."""
    box = next((box_of(i.mask) for i in scene.instances if i.category == "person"), None)
    if box is None:
        return None
    height, width = scene.image.shape[:2]
    x0, y0, x1, y1 = box
    if rng.random() < 0.3:
        y1 = y0 + int((y1 - y0) * rng.uniform(0.45, 0.7))
    aspect = shape[1] / shape[0]
    h = max((y1 - y0) * rng.uniform(1.02, 1.35), (x1 - x0) * 1.05 / aspect)
    h = min(h, height, width / aspect)
    w = h * aspect
    x = np.clip((x0 + x1 - w) / 2 + rng.uniform(-0.1, 0.1) * w, 0, width - w)
    y = np.clip(y0 - rng.uniform(0.02, 0.5) * max(0.0, h - (y1 - y0)), 0, height - h)
    return jitter(view(scene, (int(x), int(y), int(x) + max(8, int(w)), int(y) + max(8, int(h))), shape), rng)


def grid(scenes: Sequence[Scene], shape: Shape, rng: np.random.Generator, *, rows: int) -> Scene:
    """Scenes in ``rows`` rows of equally many, of unequal sizes, together ``shape``; each fills its place."""
    if not scenes or len(scenes) % rows:
        raise DataError(f"{len(scenes)} scenes do not fill {rows} rows evenly")
    each = len(scenes) // rows
    lines = []
    for line, height in enumerate(parts(shape[0], rows, rng)):
        widths = parts(shape[1], each, rng)
        chosen = scenes[line * each : (line + 1) * each]
        sized = [crop(scene, (height, width), rng, share=SHOWN) for scene, width in zip(chosen, widths, strict=True)]
        lines.append(join(sized, 1))
    return join(lines, 0)


def parts(length: int, count: int, rng: np.random.Generator, *, even: float = 30) -> list[int]:
    """A length in ``count`` random parts that add up to it; the more ``even``, the more alike."""
    cuts = np.rint(np.cumsum(rng.dirichlet([even] * count)) * length).astype(int)
    cuts[-1] = length
    return np.diff(np.concatenate([[0], cuts])).tolist()
