"""Scenes painted from rectangles and discs, with exact masks, for the tests of the grammar."""

from __future__ import annotations

import numpy as np

from restr.grammar.scene import Instance, Scene

PAINT = {"red": (200, 30, 40), "green": (40, 150, 60), "blue": (40, 70, 200), "yellow": (235, 215, 50),
         "black": (15, 15, 18), "white": (245, 245, 245), "gray": (130, 130, 130), "purple": (110, 40, 140)}  # fmt: skip
SIDE = 200


class Canvas:
    """Paints a scene from rectangles and discs; later shapes hide earlier ones."""

    def __init__(self, side: int = SIDE) -> None:
        self.image = np.full((side, side, 3), (150, 120, 90), np.uint8)
        self.rows, self.columns = np.mgrid[0:side, 0:side]
        self.masks: list[np.ndarray] = []
        self.facts: list[tuple[str, int | None]] = []

    def box(self, category: str, x: int, y: int, wide: int, tall: int, paint: str, owner: int | None = None) -> int:
        inside = (self.columns >= x) & (self.columns < x + wide) & (self.rows >= y) & (self.rows < y + tall)
        return self._add(category, inside, paint, owner)

    def disc(self, category: str, x: int, y: int, radius: int, paint: str) -> int:
        return self._add(category, np.hypot(self.columns - x, self.rows - y) <= radius, paint, None)

    def _add(self, category: str, inside: np.ndarray, paint: str, owner: int | None) -> int:
        self.image[inside] = PAINT[paint]
        self.masks = [mask if number == owner else mask & ~inside for number, mask in enumerate(self.masks)]
        self.masks.append(inside)
        self.facts.append((category, owner))
        return len(self.masks) - 1

    def person(self, x: int, y: int, tall: int, clothes: dict[str, str]) -> int:
        """A person from head to foot in garments with masks of their own."""
        wide = tall // 3
        person = self.box("person", x, y, wide, tall, "gray")
        self.box("hair", x, y, wide, tall // 8, "black", person)
        top = y + tall // 4
        for category, paint in clothes.items():
            self.box(category, x, top, wide, tall // 3, paint, person)
            top += tall // 3
        return person

    def scene(self, *, complete: bool = True) -> Scene:
        instances = tuple(
            Instance(mask=mask, category=category, owner=owner)
            for mask, (category, owner) in zip(self.masks, self.facts, strict=True)
        )
        return Scene(id="painted", image=self.image, instances=instances, complete=complete, source="composite")


def random_scene(rng: np.random.Generator) -> Scene:
    """Two to nine objects of few kinds, sometimes with dressed people and a table."""
    canvas = Canvas()
    kinds = rng.choice(["dog", "car", "cup", "person", "chair", "umbrella", "book"], 3, replace=False)
    paints = list(PAINT)
    if rng.random() < 0.4:
        canvas.box("dining table", 40, 130, 120, 60, "gray")
    if rng.random() < 0.15:
        for x in range(10, 180, 50):
            canvas.box("dog", x, 20 + int(rng.integers(0, 12)), 34, int(rng.integers(24, 40)), str(rng.choice(paints)))
        return canvas.scene()
    for _ in range(int(rng.integers(2, 9))):
        x, y = (int(v) for v in rng.integers(0, SIDE - 30, 2))
        kind, paint = str(rng.choice(kinds)), str(rng.choice(paints))
        if kind == "person" and rng.random() < 0.5:
            low, high = str(rng.choice(paints)), str(rng.choice(["skirt", "pants"]))
            canvas.person(x, y, int(rng.integers(60, 110)), {str(rng.choice(["shirt", "coat"])): low, high: paint})
        elif rng.random() < 0.5:
            canvas.disc(kind, x + 12, y + 12, int(rng.integers(3, 24)), paint)
        else:
            canvas.box(kind, x, y, int(rng.integers(8, 60)), int(rng.integers(8, 60)), paint)
    return canvas.scene(complete=bool(rng.random() < 0.9))
