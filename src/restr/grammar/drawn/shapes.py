"""Drawn scenes: coloured shapes on a textured background, with exact masks and no file needed."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from restr.grammar.scene import Instance, Scene

SHAPES = ("circle", "square", "triangle", "star", "ring", "cross")
SHAPE_COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (244, 140, 30),
    "yellow": (240, 222, 60),
    "green": (50, 170, 70),
    "blue": (50, 90, 220),
    "purple": (132, 50, 170),
    "pink": (245, 140, 190),
    "white": (245, 245, 245),
}
RADII = {"small": (0.105, 0.13), "big": (0.185, 0.225)}  # shares of the image's side; clearly different
SUPERSAMPLING = 4
LARGEST_OVERLAP = 0.15  # of the smaller of two shapes: a little occlusion, nothing hidden


def draw_scene(rng: np.random.Generator, *, id: str, size: int = 64, most: int = 6) -> Scene:
    """A random scene of 2 to ``most`` shapes, later ones in front; masks hold visible pixels only.

    Shapes repeat on purpose: a scene has a favourite shape and a favourite colour. So a noun alone often does not single
    one out, and position, colour, size or a relation must.
    """
    image = _background(rng, size)
    favourite_shape, favourite_colour = rng.choice(SHAPES), rng.choice(list(SHAPE_COLOURS))
    wanted = int(rng.integers(2, most + 1))
    covers: list[np.ndarray] = []
    places: list[tuple[np.ndarray, float]] = []
    facts: list[tuple[str, dict[str, str]]] = []
    for _ in range(wanted * 12):
        if len(covers) == wanted:
            break
        shape = str(favourite_shape if rng.random() < 0.5 else rng.choice(SHAPES))
        colour = str(favourite_colour if rng.random() < 0.3 else rng.choice(list(SHAPE_COLOURS)))
        extent = str(rng.choice(list(RADII)))
        radius = rng.uniform(*RADII[extent]) * size
        centre = rng.uniform(radius, size - radius, 2)
        cover = _cover(shape, centre, radius, rng.uniform(-0.3, 0.3), size)
        solid = cover > 0.5
        near = [i for i, (place, reach) in enumerate(places) if math.dist(place, centre) < 1.2 * (reach + radius)]
        if any(_overlap(solid, covers[i]) > LARGEST_OVERLAP for i in near):
            continue
        places.append((centre, radius))
        paint = np.clip(np.array(SHAPE_COLOURS[colour]) + rng.normal(0, 8, 3), 0, 255)
        shade = paint * (1 + 0.12 * rng.normal(0, 1, (size, size, 1)) * rng.random())
        image = image * (1 - cover[..., None]) + shade * cover[..., None]
        covers = [other & ~solid for other in covers] + [solid]
        facts.append((shape, {"colour": colour, "size": extent}))
    instances = tuple(
        Instance(mask=mask, category=shape, attributes=attributes)
        for mask, (shape, attributes) in zip(covers, facts, strict=True)
    )
    pixels = np.clip(image + rng.normal(0, rng.uniform(0, 6), image.shape), 0, 255).astype(np.uint8)
    return Scene(id=id, image=pixels, instances=instances, complete=True, source="generated")


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The intersection of two masks over the area of the smaller one."""
    return float(np.count_nonzero(a & b) / max(min(np.count_nonzero(a), np.count_nonzero(b)), 1))


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Dull colours with a gradient and stripes or blotches, float (size size 3); no shape has a dull colour."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    angle = rng.uniform(0, 2 * math.pi)
    along = columns * math.cos(angle) + rows * math.sin(angle)
    if rng.random() < 0.5:
        texture = np.sin(along * rng.uniform(10, 60))
    else:
        coarse = Image.fromarray(rng.uniform(-1, 1, (6, 6)).astype(np.float32))
        texture = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    level = rng.uniform(50, 150) + 30 * along + rng.uniform(0, 18) * texture
    return level[..., None] + rng.normal(0, 8, 3)


def _cover(shape: str, centre: np.ndarray, radius: float, turn: float, size: int) -> np.ndarray:
    """The share of each pixel that the shape covers, float (size size) in [0, 1]. centre: (x, y) in pixels."""
    canvas = Image.new("L", (size * SUPERSAMPLING, size * SUPERSAMPLING))
    pen = ImageDraw.Draw(canvas)

    def polygon(points: np.ndarray, fill: int) -> None:
        cos, sin = math.cos(turn), math.sin(turn)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        pen.polygon([(x, y) for x, y in (turned * radius + centre) * SUPERSAMPLING], fill=fill)

    polygon(_outline(shape), 255)
    if shape == "ring":
        polygon(_outline("circle") * 0.5, 0)
    return np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float64) / 255


def _outline(shape: str) -> np.ndarray:
    """Corners of the shape in the unit circle, float (corners 2), y downwards."""
    if shape == "square":
        return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.85
    if shape == "triangle":
        return _on_circle(3)
    if shape == "star":
        return _on_circle(10) * np.where(np.arange(10) % 2, 0.5, 1.08)[:, None]
    if shape == "cross":
        a = 0.36
        return np.array([[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a],
                         [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]])  # fmt: skip
    return _on_circle(40)


def _on_circle(corners: int) -> np.ndarray:
    angles = np.arange(corners) * 2 * math.pi / corners - math.pi / 2
    return np.stack([np.cos(angles), np.sin(angles)], 1)
