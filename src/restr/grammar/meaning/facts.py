"""Facts about a scene, measured once: sizes, places, colours and clothes of its instances."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Iterable

import numpy as np

from restr.grammar.meaning import colours
from restr.grammar.meaning.description import Description, Matches
from restr.grammar.scene import Scene
from restr.grammar.words.categories import WOMENS_CLOTHES, rivals

_CONTACT_SIDE = 128  # contact is measured on masks of about this longest side, in pixels
_COLOUR_SIDE = 256  # colours are measured on an image of about this longest side


class SceneFacts:
    """Measurements of one scene; every array has one row for each instance, in the scene's order.

    share: (n,) area over the image's area. box: (n 4) x0 y0 x1 y1, size: (n 2) width and height of the box,
    centre: (n 2) x y of the visible pixels' mean; all three in shares of the image's width and height.
    """

    def __init__(self, scene: Scene) -> None:
        self.categories = tuple(instance.category for instance in scene.instances)
        self.stuff = tuple(instance.stuff for instance in scene.instances)
        self.owner = tuple(instance.owner for instance in scene.instances)
        self.attributes = tuple(instance.attributes for instance in scene.instances)
        self.complete = scene.complete
        self.source = scene.source
        self.count = len(scene.instances)
        height, width = scene.image.shape[:2]
        self.aspect = width / height
        self._masks = [instance.mask for instance in scene.instances]
        step = max(1, math.ceil(max(height, width) / _COLOUR_SIDE))
        self._buckets = colours.bucket_map(np.ascontiguousarray(scene.image[::step, ::step, :3]))
        self._dim = float(scene.image[::step, ::step, :3].mean()) < colours.DIM
        self._fine = [mask[::step, ::step] for mask in self._masks]
        self._measure(height, width)
        self._shares: dict[tuple[int, str], np.ndarray | None] = {}
        self.garments_of: dict[int, list[int]] = {}
        self.matches: dict[Description, Matches] = {}  # a cache, filled by resolve.find_matches
        for i, owner in enumerate(self.owner):
            if owner is not None:
                self.garments_of.setdefault(owner, []).append(i)

    def _measure(self, height: int, width: int) -> None:
        n = self.count
        self.share = np.zeros(n)
        self.box = np.zeros((n, 4))
        self.centre = np.zeros((n, 2))
        for i, mask in enumerate(self._masks):
            columns, rows = mask.sum(0, dtype=np.int64), mask.sum(1, dtype=np.int64)
            area = int(columns.sum())
            if not area:
                continue
            x, y = np.flatnonzero(columns), np.flatnonzero(rows)
            self.share[i] = area / (height * width)
            self.box[i] = x[0] / width, y[0] / height, (x[-1] + 1) / width, (y[-1] + 1) / height
            self.centre[i] = (
                (columns @ np.arange(width) / area + 0.5) / width,
                (rows @ np.arange(height) / area + 0.5) / height,
            )
        self.size = self.box[:, 2:] - self.box[:, :2]

    @functools.cached_property
    def contact(self) -> np.ndarray:
        """(n n): the share of instance j that lies within about 2% of the longest side of instance i."""
        if not self.count:
            return np.zeros((0, 0))
        step = max(1, math.ceil(max(self._masks[0].shape) / _CONTACT_SIDE))
        small = [np.ascontiguousarray(mask[::step, ::step]) for mask in self._masks]
        flat = np.stack([mask.ravel() for mask in small]).astype(np.float32)
        near = np.stack([_dilate(mask, 2).ravel() for mask in small]).astype(np.float32)
        return (near @ flat.T) / np.maximum(flat.sum(1), 1.0)[None]

    def instances_of(self, categories: Iterable[str]) -> tuple[list[int], list[int]]:
        """The instances of these categories, and all instances that might be called by the same names."""
        exact = set(categories)
        loose = frozenset().union(*(rivals(category) for category in exact))
        present = [i for i in range(self.count) if self.share[i] > 0]
        certain = [i for i in present if self.categories[i] in exact]
        return certain, [i for i in present if self.categories[i] in loose]

    def noun_of(self, person: int) -> str | None:
        """ "woman" or "man" if this person's clothes say so, else None."""
        worn = {self.categories[i] for i in self.garments_of.get(person, ())}
        if worn & WOMENS_CLOTHES:
            return "woman"
        if {"tie", "suit"} <= worn:
            return "man"
        return None

    def has_clothing_masks(self, person: int) -> bool:
        """Whether this person's clothes have masks of their own."""
        return person in self.garments_of

    def colour_shares(self, i: int, part: str = "whole") -> np.ndarray | None:
        """Shares of the colour buckets in an instance; None if it is too small to tell.

        part: "whole" or, for people without clothing masks, "upper", "lower" or "clothes".
        """
        key = (i, part)
        if key not in self._shares:
            region = self._fine[i]
            if part != "whole":
                region = region & self._band(i, part)
            self._shares[key] = colours.bucket_shares(self._buckets, region)
        return self._shares[key]

    def _band(self, i: int, part: str) -> np.ndarray:
        """Rows of the reduced image where a part of a person's clothes should be, bool (rows 1)."""
        y0, y1 = self.box[i, 1], self.box[i, 3]
        low, high = self._clothing_bands(i)[part]
        rows = self._buckets.shape[0]
        band = np.zeros((rows, 1), bool)
        band[int((y0 + low * (y1 - y0)) * rows) : math.ceil((y0 + high * (y1 - y0)) * rows)] = True
        return band

    def _clothing_bands(self, i: int) -> dict[str, tuple[float, float]]:
        """The first and last row of a person's upper, lower and all clothes, in shares of the box's height."""
        if self.slimness(i) >= 2.0:  # head to foot
            return {"upper": (0.2, 0.46), "lower": (0.58, 0.84), "clothes": (0.17, 0.9)}
        if self.slimness(i) >= 1.2:  # sitting, or cut at the hips
            return {"upper": (0.3, 0.55), "lower": (1.0, 1.0), "clothes": (0.2, 1.0)}
        return {"upper": (0.5, 0.9), "lower": (1.0, 1.0), "clothes": (0.25, 1.0)}

    def slimness(self, i: int) -> float:
        """Height over width of an instance's box, in pixels."""
        return float(self.size[i, 1] / max(self.size[i, 0] * self.aspect, 1e-6))

    def colour_of(self, i: int) -> str | None:
        """The colour that people would name for this object; None if the pixels do not show it clearly."""
        return self.attributes[i].get("colour") or self.trusted_colour(self.colour_shares(i))

    def trusted_colour(self, shares: np.ndarray | None) -> str | None:
        """The dominant colour of a region with these shares, unless the whole image is too dark to trust it."""
        colour = colours.dominant(shares)
        return None if self._dim and colour in ("black", "brown", "gray") else colour

    def lacks_colour(self, i: int, colour: str) -> bool:
        """Whether nobody would give this object that colour."""
        known = self.attributes[i].get("colour")
        return known != colour if known else colours.rules_out(self.colour_shares(i), colour)


def _dilate(mask: np.ndarray, times: int) -> np.ndarray:
    """The mask grown by ``times`` pixels in all eight directions."""
    grown = mask.copy()
    for _ in range(times):
        tall = grown.copy()
        tall[1:] |= grown[:-1]
        tall[:-1] |= grown[1:]
        grown = tall.copy()
        grown[:, 1:] |= tall[:, :-1]
        grown[:, :-1] |= tall[:, 1:]
    return grown


_cache: weakref.WeakKeyDictionary[Scene, SceneFacts] = weakref.WeakKeyDictionary()


def facts_of(scene: Scene) -> SceneFacts:
    """The scene's facts, measured on first use and kept while the scene lives."""
    found = _cache.get(scene)
    if found is None:
        found = _cache[scene] = SceneFacts(scene)
    return found
