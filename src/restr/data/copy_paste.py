"""Instances cut out of photographs and pasted into others: new neighbours, new order, new occlusion.

Several of one category beside each other are what makes "left", "second from the right", "the red one" necessary;
photographs with one mask a category teach none of it. (Copy-paste after Ghiasi et al., CVPR 2021; here the pasted
instances are chosen alike, of about one size, far ones first.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from restr.data.augment import LEAST_PIXELS, PARTLY, Shape, jitter_image, still_seen, view
from restr.data.scene import Scene
from restr.errors import DataError
from restr.masks import box_of, polygons_of, signed_area

MARGIN = 2  # pixels between a cut-out and its photograph's sides, else the photograph may have cut it off


@dataclass(frozen=True, kw_only=True, eq=False)
class CutOut:
    """An instance and what belongs to it, alone: ``scene`` is its bounding box, ``outline`` bool (h w) its pixels.

    The first instance of the scene is the thing itself, the others (a person's clothes and bag) point to it.
    grounded: its photograph cut it off below, so that it can only stand at the lower edge of another.
    """

    scene: Scene
    outline: np.ndarray
    grounded: bool


def cut_out(scene: Scene, index: int, *, mirror: bool = False) -> CutOut | None:
    """The instance cut out with all that it owns; None where it looks cut off, torn apart or too small to reuse."""
    if not 0 <= index < len(scene.instances):
        raise DataError(f"scene {scene.id} has {len(scene.instances)} instances, none of them is {index}")
    members = [index, *(i for i, other in enumerate(scene.instances) if other.owner == index and i != index)]
    union = np.logical_or.reduce([scene.instances[i].mask for i in members])
    box = box_of(union)
    if box is None:
        return None
    height, width = union.shape
    x0, y0, x1, y1 = box
    if x0 < MARGIN or y0 < MARGIN or x1 > width - MARGIN or x1 - x0 < 12 or y1 - y0 < 16:
        return None
    alone_mask = scene.instances[index].mask[y0:y1, x0:x1]
    if alone_mask.sum() < LEAST_PIXELS or not in_one_piece(alone_mask):
        return None
    alone = tuple(replace(scene.instances[i], owner=None if i == index else 0) for i in members)
    part = view(replace(scene, instances=alone), box, mirror=mirror)
    outline = union[y0:y1, x0:x1]
    return CutOut(scene=part, outline=outline[:, ::-1] if mirror else outline, grounded=y1 > height - MARGIN)


def in_one_piece(mask: np.ndarray, share: float = 0.85) -> bool:
    """Whether one connected part holds nearly all of a mask: if not, something in front of it divides it."""
    small = Image.fromarray(mask.astype(np.uint8) * 255)
    small.thumbnail((48, 48), Image.Resampling.BOX)
    coarse = np.asarray(small) > 60
    areas = [signed_area(np.asarray(points).reshape(-1, 2)) for points in polygons_of(coarse)]
    return bool(areas) and areas[0] >= share * sum(areas)


def paste(scene: Scene, cut: CutOut, place: tuple[int, int], shape: Shape) -> Scene | None:
    """The scene with a cut-out at ``place`` (x y of its upper left corner, outside allowed), resampled to ``shape``.

    Pixels of others that it covers are taken off their masks. The edge is blended over about a pixel, inwards, so that
    no rim of the old background comes along. None if nothing of it would be inside.
    """
    height, width = scene.image.shape[:2]
    x, y = place
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + shape[0], height), min(x + shape[1], width)
    if bottom - top < 8 or right - left < 8:
        return None
    there = (slice(top, bottom), slice(left, right))
    here = (slice(top - y, bottom - y), slice(left - x, right - x))
    new = view(cut.scene, shape=shape)
    if not new.instances or new.instances[0].category != cut.scene.instances[0].category:
        return None  # too small at this size
    outline = Image.fromarray(np.ascontiguousarray(cut.outline).astype(np.uint8) * 255)
    outline = outline.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    solid = np.asarray(outline) > 127
    soft = np.asarray(Image.fromarray(solid.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1)), np.float32)
    alpha = np.where(solid, soft / 255, 0)[here][..., None]

    image = scene.image.copy()
    image[there] = np.rint(image[there] * (1 - alpha) + new.image[here] * alpha).astype(np.uint8)
    covered = np.zeros((height, width), bool)
    covered[there] = solid[here]
    first = len(scene.instances)
    instances = [replace(instance, mask=instance.mask & ~covered) for instance in scene.instances]
    areas = [float(instance.mask.sum()) for instance in scene.instances]
    for instance in new.instances:
        mask = np.zeros((height, width), bool)
        mask[there] = instance.mask[here]
        owner = None if instance.owner is None else instance.owner + first
        instances.append(replace(instance, mask=mask, owner=owner))
        areas.append(float(instance.mask.sum()))
    return replace(scene, image=image, instances=still_seen(instances, areas))


def arrange(scene: Scene, cuts: Sequence[CutOut], rng: np.random.Generator, *, size: float) -> Scene:
    """The scene with the cut-outs in it, each about ``size`` of its height (people) or shorter side (the rest).

    Near ones are lower and in front. A place that would nearly hide something larger than half a percent of the picture
    is tried again elsewhere.
    """
    height, width = scene.image.shape[:2]
    sized = []
    for cut in cuts:
        h, w = cut.outline.shape
        side = height if cut.scene.instances[0].category == "person" else min(height, width)
        wanted = size * rng.uniform(0.7, 1.3) * side / max(h, 0.8 * w)
        scale = min(wanted, 1.1 * height / h, 0.8 * width / w, 2.0)
        if h * scale >= 24 and w * scale >= 16:
            sized.append((cut, (int(h * scale), int(w * scale))))
    for cut, shape in sorted(sized, key=lambda item: item[1][0]):
        for _ in range(4):
            x = int(rng.uniform(-0.15 * shape[1], width - 0.85 * shape[1]))
            placed = paste(scene, jittered(cut, rng), (x, foot(cut, shape, height, rng) - shape[0]), shape)
            if placed is not None and not _hides(scene, placed):
                scene = placed
                break
    return scene


def foot(cut: CutOut, shape: Shape, height: int, rng: np.random.Generator) -> int:
    """The row of a cut-out's lower edge: larger is nearer and so lower; what was cut off below is cut off again."""
    if cut.grounded:
        return int(height + rng.uniform(0, 0.08) * shape[0])
    usual = rng.normal(0.55 * height + 0.45 * shape[0], 0.08 * height)
    return int(np.clip(usual, 0.6 * shape[0], height + 0.15 * shape[0]))


def jittered(cut: CutOut, rng: np.random.Generator) -> CutOut:
    """The cut-out in other light than its new background."""
    return replace(cut, scene=replace(cut.scene, image=jitter_image(cut.scene.image, rng)))


def _hides(before: Scene, after: Scene) -> bool:
    """Whether a paste nearly covers something that could be seen well."""
    least = 0.005 * before.image.shape[0] * before.image.shape[1]

    def visible(scene: Scene) -> int:
        plain = [i for i in scene.instances if not i.stuff and PARTLY not in i.attributes]
        return sum(instance.mask.sum() >= least for instance in plain if instance.owner is None)

    return visible(after) <= visible(before)
