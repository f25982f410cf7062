"""Make a domain that no model has seen: photographs with invented objects, their masks and sentences about them.

    python recipes/finetune/make_domain.py --photos PHOTOS --out runs/domain

Glorps, zindles, quorls and brakkels are drawn into photographs with shading, shadow and grain, so their masks are known
by construction. ``domain.jsonl`` is for ``restr finetune``; ``judge.jsonl`` is about other photographs, to judge with.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from restr.data.photos import ANNOTATIONS, IMAGES, PhotoSet, load_photos
from restr.errors import DataError
from restr.grammar.drawn.meanings import ANY
from restr.grammar.drawn.sentences import plain_references
from restr.grammar.scene import Instance, Scene
from restr.inference.sources import read_image
from restr.masks import rle_encode

COLOURS = {"red": (196, 32, 30), "blue": (38, 70, 190), "green": (40, 140, 50), "yellow": (232, 200, 40),
           "purple": (120, 44, 150), "orange": (232, 120, 24)}  # fmt: skip
TEXTURES = ("striped", "spotted", "plain")
SIZES = {"small": (0.10, 0.125), "big": (0.19, 0.25)}  # radius, as a share of the picture's shorter side
OBJECTS = (2, 5)  # a picture's fewest and most
MOST_HIDDEN = 0.15  # of an object by another that is in front of it


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Photographs with glorps, zindles, quorls and brakkels in them, and sentences about these."""

    photos: Path
    """A folder with images/ and instances.json, of which the split "train" is used; or a folder of photographs."""

    out: Path = Path("runs/domain")
    """Folder for images/, domain.jsonl and judge.jsonl."""

    train: int = 40
    """Photographs in domain.jsonl."""

    judge: int = 60
    """Photographs in judge.jsonl, none of them in domain.jsonl."""

    each: int = 24
    """Sentences per photograph of domain.jsonl, if it offers that many: a script labels as many as you like."""

    judge_each: int = 8
    """Sentences a photograph of judge.jsonl."""

    seed: int = 0
    """Seed of the photographs, the objects and the sentences."""


def main(settings: Domain) -> None:
    """Draw the pictures and write both files."""
    rng = np.random.default_rng(settings.seed)
    paths = photographs(settings.photos)
    wanted = settings.train + settings.judge
    if len(paths) < wanted:
        raise DataError(f"{settings.photos} has {len(paths)} photographs to draw in; {wanted} are asked for")
    chosen = [paths[i] for i in rng.permutation(len(paths))[:wanted]]
    (settings.out / IMAGES).mkdir(parents=True, exist_ok=True)
    for name, part, each in (
        ("domain", chosen[: settings.train], settings.each),
        ("judge", chosen[settings.train :], settings.judge_each),
    ):
        lines = [line for path in part for line in picture_lines(path, settings, each)]
        (settings.out / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(f"{settings.out / name}.jsonl: {len(lines)} sentences about {len(part)} photographs")


def photographs(folder: Path) -> list[Path]:
    """The photographs to draw in, sorted: never those of another split than "train"."""
    if (folder / ANNOTATIONS).is_file():
        photos: PhotoSet = load_photos(folder, split="train")
        return sorted(folder / IMAGES / name for name in photos.ids)
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def picture_lines(path: Path, settings: Domain, each: int) -> list[dict]:
    """Draw one picture, save it, and describe it: the lines of ``each`` sentences."""
    rng = np.random.default_rng((settings.seed, zlib.crc32(path.name.encode())))
    scene = populate(Scene(id=path.stem, image=read_image(path), instances=(), complete=True), rng)
    name = f"{IMAGES}/{scene.id}.jpg"
    Image.fromarray(scene.image).save(settings.out / name, quality=92)
    return [
        {"image": name, "text": text, "mask": rle_encode(mask), "kind": kind}
        for text, mask, kind in sentences(scene, rng, each)
    ]


# --- what is drawn -------------------------------------------------------------------------------------------------


def populate(scene: Scene, rng: np.random.Generator) -> Scene:
    """The photograph with some objects in it, all lit from one side."""
    image = scene.image.astype(np.float32)
    side = min(image.shape[:2])
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.8, -0.4), 0.7])
    light /= np.linalg.norm(light)
    instances: list[Instance] = []
    kinds = rng.permutation(list(KINDS))[: int(rng.integers(2, 4))]  # few kinds, so that there are several of one
    for _ in range(int(rng.integers(OBJECTS[0], OBJECTS[1] + 1))):
        kind, colour, texture, size = (str(rng.choice(c)) for c in (kinds, list(COLOURS), TEXTURES, list(SIZES)))
        for _ in range(20):
            radius = side * rng.uniform(*SIZES[size])
            centre = rng.uniform(radius, image.shape[1] - radius), rng.uniform(radius, image.shape[0] - radius)
            thing = solid(kind, image.shape[:2], centre, radius, rng.uniform(0, 2 * np.pi))
            mask = thing.cover > 0.5
            if all((old.mask & mask).sum() <= MOST_HIDDEN * min(old.mask.sum(), mask.sum()) for old in instances):
                break
        else:
            continue
        image = drawn(image, kind, thing, colour, texture, light, rng)
        instances = [dataclasses.replace(old, mask=old.mask & ~mask) for old in instances]
        attributes = {"colour": colour, "texture": texture, "size": size}
        instances.append(Instance(mask=mask, category=kind, attributes=attributes))
    return dataclasses.replace(
        scene, image=np.clip(np.rint(image), 0, 255).astype(np.uint8), instances=tuple(instances)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """An object before it has a colour, all float (H W): cover, the share of each pixel that it covers; height, towards
    us in pixels; x and y, where the pixel is on the object, in units of its radius."""

    cover: np.ndarray
    height: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: float


def solid(kind: str, shape: tuple[int, ...], centre: tuple[float, float], radius: float, turn: float) -> Solid:
    """An object of a kind at ``centre`` = (x, y) in pixels, turned by ``turn`` radians."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = (columns - centre[0]) / radius, (rows - centre[1]) / radius
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    middle, thick = KINDS[kind](x, y)  # the distance from the object's spine, and how thick it is there
    inside = np.clip(1 - (middle / thick) ** 2, 0, None)
    cover = np.clip((thick - middle) * radius + 0.5, 0, 1)
    return Solid(cover=cover, height=np.sqrt(inside) * thick * radius, x=x, y=y, radius=radius)


def glorp(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A dome with five lobes."""
    return np.hypot(x, y), 0.8 + 0.2 * np.cos(5 * np.arctan2(y, x))


def zindle(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A horn: a tube bent round three quarters of a circle, thick at one end."""
    along = np.clip(np.arctan2(y, x), -0.75 * np.pi, 0.75 * np.pi)
    off = np.hypot(x - 0.62 * np.cos(along), y - 0.62 * np.sin(along))
    return off, 0.25 + 0.12 * along / (0.75 * np.pi)


def quorl(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ring with seven beads."""
    return np.abs(np.hypot(x, y) - 0.66), 0.24 + 0.1 * np.cos(7 * np.arctan2(y, x))


def brakkel(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three arms with knobs at their ends."""
    nearest, thick = np.full_like(x, np.inf), np.ones_like(x)
    for angle in np.arange(3) * 2 * np.pi / 3:
        along = np.clip(x * np.cos(angle) + y * np.sin(angle), 0, 0.72)
        off = np.hypot(x - along * np.cos(angle), y - along * np.sin(angle))
        here = 0.2 + 0.1 * (along > 0.55)
        closer = off / here < nearest / thick
        nearest, thick = np.where(closer, off, nearest), np.where(closer, here, thick)
    return nearest, thick


KINDS = {"glorp": glorp, "zindle": zindle, "quorl": quorl, "brakkel": brakkel}


def relief(kind: str, thing: Solid, rng: np.random.Generator) -> np.ndarray:
    """What a kind's skin adds to its height, in radii: a glorp has warts, a zindle grooves, a brakkel bristles."""
    x, y = thing.x, thing.y
    if kind == "glorp":
        directions = ((1, 0), (0.5, 0.87), (0.5, -0.87))
        return 0.04 * np.sum([np.cos(13 * (a * x + b * y)) for a, b in directions], 0)
    if kind == "zindle":
        return 0.05 * np.cos(22 * np.arctan2(y, x))
    if kind == "brakkel":
        return 0.09 * blurred(rng.normal(0, 1, x.shape), 0.8) * 35 / thing.radius
    return np.zeros_like(x)


def drawn(
    image: np.ndarray,
    kind: str,
    thing: Solid,
    colour: str,
    texture: str,
    light: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The picture, float (H W 3), with the object in it: Lambert's shading, a highlight, a shadow, the photograph's grain.

    Zindles shine, quorls are of glass, glorps and brakkels are dull.
    """
    radius = thing.radius
    down, right = np.gradient(blurred(thing.height, 0.04 * radius) + radius * relief(kind, thing, rng))
    normal = np.stack([-right, -down, np.ones_like(down)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lit = np.clip(normal @ light, 0, 1)[..., None]
    halfway = (light + [0, 0, 1]) / np.linalg.norm(light + [0, 0, 1])
    gloss = np.clip(normal @ halfway, 0, 1)[..., None] ** 30 * {"zindle": 150, "quorl": 110}.get(kind, 15)
    nearby = blurred(thing.cover, radius) > 0.05
    exposure = np.clip(0.55 + image[nearby].mean() / 260, 0.6, 1.2)  # as bright as its surroundings
    albedo = painted(colour, texture, thing, rng)
    surface = (albedo * (0.35 + 0.75 * lit) + gloss) * exposure
    if kind == "quorl":
        rim = (1 - normal[..., 2:]) ** 2
        surface = 0.65 * surface + 0.35 * image + 110 * rim
    surface += rng.normal(0, 4, image.shape[:2])[..., None]
    reach = np.rint(-0.35 * radius * light[:2] / light[2]).astype(int)
    shadow = np.roll(blurred(thing.cover, 0.15 * radius), (int(reach[1]), int(reach[0])), (0, 1))
    ground = image * (1 - 0.45 * shadow[..., None])
    alpha = blurred(thing.cover, 0.6)[..., None]
    return (ground * (1 - alpha) + surface * alpha).astype(np.float32)


def painted(colour: str, texture: str, thing: Solid, rng: np.random.Generator) -> np.ndarray:
    """The object's own colours everywhere, float (H W 3): stripes and spots are pale, so that the colour stays the one named."""
    across, along = (place / 0.5 + rng.uniform() for place in (thing.x, thing.y))
    pale = {
        "striped": across % 1 < 0.3,
        "spotted": np.hypot(across % 1 - 0.5, along % 1 - 0.5) < 0.28,
        "plain": np.zeros(across.shape, bool),
    }[texture]
    return np.where(pale[..., None], (236, 232, 220), np.array(COLOURS[colour]) * rng.uniform(0.85, 1.1))


def blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a float (H W) array, as a product of spectra; sigma in pixels."""
    down, right = np.fft.fftfreq(values.shape[0])[:, None], np.fft.rfftfreq(values.shape[1])
    falloff = np.exp(-2 * (np.pi * sigma) ** 2 * (down**2 + right**2))
    return np.fft.irfft2(np.fft.rfft2(values) * falloff, values.shape)


# --- what is said --------------------------------------------------------------------------------------------------


def sentences(scene: Scene, rng: np.random.Generator, count: int) -> Iterator[tuple[str, np.ndarray, str]]:
    """Up to ``count`` sentences with their masks and kinds, each of which fits exactly what it names.

    The grammar of the drawn scenes writes them, once with colours and once with textures as the objects' look.
    "The thing on the left" is left out: the photograph has things of its own.
    """
    found: dict[str, tuple[np.ndarray, str]] = {}
    for look in ("colour", "texture"):
        instances = [
            dataclasses.replace(i, attributes={"colour": i.attributes[look], "size": i.attributes["size"]})
            for i in scene.instances
        ]
        for reference in plain_references(dataclasses.replace(scene, instances=tuple(instances)), rng, 3 * count):
            relation = reference.description.relation
            named = (reference.description, *(relation.others if relation else ()))
            if all(description.category != ANY for description in named):
                mask = np.logical_or.reduce([scene.instances[i].mask for i in reference.targets])
                kind = "texture" if reference.kind == "colour" and look == "texture" else reference.kind
                found[reference.text] = mask, kind
    texts = list(found)
    for text in (texts[i] for i in rng.permutation(len(texts))[:count]):
        yield text, *found[text]


if __name__ == "__main__":
    main(tyro.cli(Domain, description=__doc__))
