"""A second opinion on generated references: who else could the sentence mean, from masks and pixels alone.

Nothing of the generator's measuring is used here (no facts, clothes, places, relations or resolve): geometry comes
from pixel coordinates, colours from HSV. A rival counts as soon as it fits loosely; the target must fit loosely too, so
the generator has to keep clear of both borders by its own margins.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from restr.grammar.meaning.description import Description, Garment, Relation
from restr.grammar.scene import Scene
from restr.grammar.words.lexicon import HYPERNYMS

SAME_NAME = (
    {"table", "dining table"},
    {"bag", "purse", "handbag", "backpack"},
    {"cup", "wine glass"},
    {"couch", "chair"},
    {"shirt", "t-shirt", "top", "blouse"},
    {"jacket", "coat", "blazer"},
    {"pants", "jeans"},
    {"shoes", "heels", "pumps", "boots", "sandals", "sneakers", "flats", "loafers", "wedges"},
)
FEMININE = {"skirt", "dress", "bra", "heels", "tights", "pumps", "stockings", "blouse", "romper", "bodysuit",
            "leggings", "earrings", "wedges", "purse"}  # fmt: skip
HUES = {"red": (-22, 22), "orange": (10, 48), "yellow": (38, 72), "green": (65, 180), "blue": (170, 265),
        "purple": (245, 330), "pink": (285, 375), "brown": (-5, 55), "tan": (15, 60)}  # fmt: skip


class Checker:
    """Checks references of one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.height, self.width = scene.image.shape[:2]
        self.points = [np.argwhere(instance.mask) for instance in scene.instances]  # rows of (y, x)
        self.hue, self.saturation, self.value = _hsv(scene.image)

    def problems(self, description: Description, targets: tuple[int, ...]) -> list[str]:
        """The problems of this meaning for these targets; empty if the sentence is fair."""
        if not self.scene.complete:
            return self._incomplete(description, targets)
        meant = self.meant(description)
        if not targets:
            return [f"nothing meant, but {meant} fit"] if meant else []
        if description.plural:
            fair = sorted(targets) == sorted(meant) and len(targets) == description.plural
            return [] if fair else [f"{description.plural} named, {meant} fit"]
        if len(targets) != 1:
            return [f"one object described, {len(targets)} targets"]
        owners = {instance.owner for instance in self.scene.instances}
        people = [i for i, instance in enumerate(self.scene.instances) if instance.category == "person"]
        bare = any(i not in owners and len(self.points[i]) > 0.003 * self.height * self.width for i in people)
        if bare and self.scene.instances[targets[0]].owner is not None and description.part_of is None:
            return ["somebody without clothing masks may wear one too"]
        if meant != list(targets):
            return [f"targets {targets}, but {meant} fit {description}"]
        return []

    def _incomplete(self, description: Description, targets: tuple[int, ...]) -> list[str]:
        contrast = (description.side, description.ordinal, description.relation, description.size, description.part_of)
        if any(contrast) or description.negated or description.plural or description.superlative:
            return ["a contrast in a scene that is not completely annotated"]
        small = any(len(self.points[i]) < 0.03 * self.height * self.width for i in targets)
        return ["a small target in a scene that is not completely annotated"] if small else []

    def meant(self, description: Description) -> list[int]:
        """The instances that a hearer could take the description for."""
        if description.negated:
            all_of_it = self.meant(Description(category=description.category, noun=description.noun))
            named = self.meant(_plain(description))
            return [i for i in all_of_it if i not in named] if len(all_of_it) == 2 and len(named) == 1 else all_of_it
        fitting = [i for i in self._named(description) if self._fits(i, description)]
        return self._placed(fitting, description)

    def _named(self, description: Description) -> list[int]:
        names = set(HYPERNYMS.get(description.category, ())) | {description.category}
        for group in SAME_NAME:
            if names & group:
                names |= group
        return [
            i for i, instance in enumerate(self.scene.instances) if instance.category in names and len(self.points[i])
        ]

    def _fits(self, i: int, description: Description) -> bool:
        instance = self.scene.instances[i]
        if description.noun in ("woman", "man") and instance.category == "person":
            worn = {other.category for other in self.scene.instances if other.owner == i}
            feminine = bool(worn & FEMININE)
            if description.noun == "woman" and {"suit", "tie"} <= worn and not feminine:
                return False
            if description.noun == "man" and feminine:
                return False
        if description.colour is not None and self._colour_share(instance.mask, description.colour) < 0.3:
            return False
        if description.part_of is not None:
            whose = self.meant(description.part_of)
            if instance.owner is not None and instance.owner not in whose:
                return False
        if any(not self._wears(i, garment) for garment in description.garments):
            return False
        return description.relation is None or self._related(i, description.relation)

    def _wears(self, i: int, garment: Garment) -> bool:
        worn = [other for other in self.scene.instances if other.owner == i]
        if not worn:
            if garment.colour is None:
                return True  # nobody knows
            y = self.points[i][:, 0]
            low, high = y.min(), y.max() + 1
            rows = np.zeros((self.height, 1), bool)
            rows[int(low + 0.2 * (high - low)) : int(low + 0.9 * (high - low)) + 1] = True
            return self._colour_share(self.scene.instances[i].mask & rows, garment.colour) >= 0.2
        if garment.category is not None:
            names = {garment.category}
            for group in SAME_NAME:
                if names & group:
                    names |= group
            worn = [other for other in worn if other.category in names]
        else:
            worn = [other for other in worn if other.category not in ("hair", "skin", "bag", "purse", "wallet")]
        if garment.colour is None:
            return bool(worn)
        return any(self._colour_share(other.mask, garment.colour) >= 0.3 for other in worn)

    def _colour_share(self, mask: np.ndarray, colour: str) -> float:
        """The share of a region that somebody could call by this colour."""
        hue, saturation, value = self.hue[mask], self.saturation[mask], self.value[mask]
        if not hue.size:
            return 0.0
        if colour == "black":
            fits = value < 0.35
        elif colour == "white":
            fits = (value > 0.62) & (saturation < 0.22)
        elif colour == "gray":
            fits = (saturation < 0.3) & (value > 0.18) & (value < 0.9)
        else:
            low, high = HUES[colour]
            turned = (hue - low) % 360 <= high - low
            if colour in ("brown", "tan"):
                fits = turned & (saturation > 0.1) & (value < 0.75 if colour == "brown" else value > 0.4)
            else:
                fits = turned & (saturation > (0.08 if colour in ("blue", "pink", "purple") else 0.2)) & (value > 0.1)
        return float(fits.mean())

    def _related(self, i: int, relation: Relation) -> bool:
        landmarks = [self.meant(other) for other in relation.others]
        if relation.name == "between":
            first, second = (landmarks[0][:1], landmarks[0][1:]) if len(landmarks[0]) == 2 else landmarks[:2]
            x = self._centre(i)[1]
            ends = [(self._centre(j)[1], self._centre(k)[1]) for j in first for k in second]
            return any(min(pair) < x < max(pair) for pair in ends)
        return any(j != i and self._holds(relation.name, i, j) for j in landmarks[0])

    def _holds(self, name: str, i: int, j: int) -> bool:
        (yi, xi), (yj, xj) = self._centre(i), self._centre(j)
        distance, bottoms = self._gap(i, j), self._bottom(i) - self._bottom(j)
        simple = {
            "left of": xi < xj - 0.02, "right of": xi > xj + 0.02, "above": yi < yj - 0.02, "below": yi > yj + 0.02,
            "next to": distance < 0.12, "behind": bottoms < -0.03 and distance < 0.12,
            "in front of": bottoms > 0.03 and distance < 0.12,
        }  # fmt: skip
        if name in simple:
            return simple[name]
        return distance < 0.025  # touching: on, under, holding, riding, with

    def _placed(self, fitting: list[int], description: Description) -> list[int]:
        """Those of the fitting ones that side, order and size leave."""
        kept = fitting
        if description.side is not None:
            kept = self._by_side(kept, description.side)
        if description.ordinal is not None and len(kept) >= description.ordinal[0]:
            number, side = description.ordinal
            row = sorted(kept, key=lambda i: self._centre(i)[1], reverse=side == "right")
            x = [self._centre(i)[1] for i in row]
            clear = all(abs(a - b) > 0.02 for a, b in pairwise(x))
            kept = [row[number - 1]] if clear else kept
        if description.size is not None and (description.superlative or len(kept) > 1):
            sign = 1 if description.size in ("big", "tall", "wide") else -1
            value = {i: self._extent(i, description.size) ** sign for i in kept}
            most = max(value.values(), default=0)
            kept = [i for i in kept if value[i] > most / 1.15]
        return kept

    def _by_side(self, fitting: list[int], side: str) -> list[int]:
        if not fitting:
            return []
        if side in ("front", "back"):
            sign = 1 if side == "front" else -1
            near = {i: (self._bottom(i) * sign, self._extent(i, "big") ** sign) for i in fitting}
            low, big = max(v[0] for v in near.values()), max(v[1] for v in near.values())
            return [i for i in fitting if near[i][0] > low - 0.02 or near[i][1] > big / 1.2]
        y, x = np.array([self._centre(i) for i in fitting]).T
        if side == "middle":
            if len(fitting) == 3:
                order = np.argsort(x)
                gaps = np.diff(x[order])
                return [fitting[order[1]]] if gaps.min() > 0.04 else fitting
            off = np.abs(x - 0.5)
            return [i for i, o in zip(fitting, off, strict=True) if o < max(0.2, off.min() + 0.05)]
        if " " in side:
            vertical, horizontal = side.split()
            y, x = (y if vertical == "top" else 1 - y), (x if horizontal == "left" else 1 - x)
            return [i for i, a, b in zip(fitting, y, x, strict=True) if max(a, b) < 0.52]
        along = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}[side]
        return [i for i, a in zip(fitting, along, strict=True) if a < along.min() + 0.04 and a < 0.65]

    def _centre(self, i: int) -> np.ndarray:
        """(y, x) in shares of the image."""
        return self.points[i].mean(0) / (self.height, self.width)

    def _bottom(self, i: int) -> float:
        return float(self.points[i][:, 0].max() / self.height)

    def _extent(self, i: int, size: str) -> float:
        if size in ("big", "small"):
            return float(len(self.points[i]))
        axis = 1 if size in ("wide", "thin") else 0
        return float(np.ptp(self.points[i][:, axis]) + 1)

    def _gap(self, i: int, j: int) -> float:
        """Distance of the bounding boxes, in heights of the image."""
        low = np.maximum(self.points[i].min(0), self.points[j].min(0))
        high = np.minimum(self.points[i].max(0), self.points[j].max(0))
        return float(np.hypot(*np.maximum(low - high, 0)) / self.height)


def _plain(description: Description) -> Description:
    return replace(description, negated=False)


def _hsv(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue in degrees, saturation and value in [0, 1], each (H W)."""
    rgb = image.astype(np.float64) / 255
    top, bottom = rgb.max(-1), rgb.min(-1)
    spread = np.maximum(top - bottom, 1e-9)
    r, g, b = np.moveaxis(rgb, -1, 0)
    hue = np.where(top == r, (g - b) / spread % 6, np.where(top == g, (b - r) / spread + 2, (r - g) / spread + 4)) * 60
    return hue, (top - bottom) / np.maximum(top, 1e-9), top
