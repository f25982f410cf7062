"""Make the training photographs of restr_small: the train split, its mirror images, and composites of them.

    python recipes/restr_small/make_photos.py --photos PHOTOS --out runs/photos --composites 5000

The output has the layout of the input (``restr.data.photos``), so ``make_sentences.py`` and ``cache.py`` read either.
Composite i depends on the seed and i alone: a stopped run goes on where it was, a larger ``--composites`` adds to a
folder, and ``--workers`` changes only the speed. Nothing of the val split is ever a source.

Facts: PHOTOS is COCO 2017 (annotations CC BY 4.0, photographs under their Flickr terms) and Clothing Co-Parsing
(Apache-2.0), 2,313 train photographs, 1,422 of them completely annotated. Their composites stay on the machine that
trains; the package ships none of them. People come from all photographs, backgrounds and grids only from completely
annotated ones. Street photographs name clothes alone, so only people and animals are pasted into them: a pasted car
would stand beside parked ones that have no mask.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tyro
from rich.progress import track

from restr.data.augment import PARTLY, SHAPES, closest_shapes, crop, flip, jitter
from restr.data.copy_paste import CutOut, arrange, cut_out
from restr.data.mosaic import grid, street_row
from restr.data.photos import PhotoSet, has_shard, join_shards, load_photos, write_shard
from restr.data.scene import Scene
from restr.errors import DataError

ANIMALS = frozenset("bird cat dog horse sheep cow elephant bear zebra giraffe".split())
# Built in, or seen only in part, or something that others lie on: implausible anywhere else.
FIXED = frozenset(["dining table", "bed", "sink", "oven", "microwave", "refrigerator", "toilet", "couch", "parking meter"])


@dataclass(frozen=True)
class Shares:
    """How often each kind of composite is made; need not add up to 1."""

    crop: float = 0.15
    paste: float = 0.45
    street: float = 0.2
    grid: float = 0.2


@dataclass(frozen=True)
class Photos:
    photos: Path  # a folder with images/ and instances.json
    out: Path = Path("runs/photos")
    originals: bool = True  # the train photographs as they are ...
    mirrored: bool = True  # ... and the mirror images of the completely annotated ones
    composites: int = 5000
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    shard: int = 100  # photographs that a worker makes before it saves their masks
    workers: int = 1


class Composites:
    """Makes composite i of a seed out of the train photographs."""

    def __init__(self, photos: PhotoSet, shares: Shares, seed: int) -> None:
        self.photos, self.seed = photos, seed
        self.kinds = {"crop": self.crop, "paste": self.paste, "street": self.street, "grid": self.grid}
        weights = np.array([getattr(shares, kind) for kind in self.kinds])
        if not weights.sum() > 0 or weights.min() < 0:
            raise DataError(f"shares must be positive, some above 0; got {shares}")
        self.weights = weights / weights.sum()
        street = [entry.get("source") == "ccp" for entry in photos.images]
        complete = [bool(entry.get("complete")) for entry in photos.images]
        self.streets = [i for i, is_street in enumerate(street) if is_street]
        self.whole = [i for i in range(len(photos)) if complete[i] and not street[i]]
        if not self.streets or not self.whole:
            raise DataError(
                f"{photos.root} has {len(self.streets)} street photographs and {len(self.whole)} completely annotated "
                "others; composites need some of both"
            )
        self.objects = objects_of(photos)
        self.names = sorted(self.objects)
        popularity = np.array([min(len(self.objects[name]), 40) ** 0.6 for name in self.names])
        popularity[[name == "person" for name in self.names]] *= 6  # people speak mostly of people
        self.popularity = popularity / popularity.sum()
        self.scene = functools.lru_cache(maxsize=64)(photos.__getitem__)

    def __call__(self, i: int) -> Scene:
        """The composite, never without something to speak of."""
        for attempt in range(100):
            rng = np.random.default_rng((self.seed, i, attempt))
            kind = list(self.kinds)[rng.choice(len(self.kinds), p=self.weights)]
            scene = self.kinds[kind](rng)
            if scene is not None and any(not x.stuff and PARTLY not in x.attributes for x in scene.instances):
                return replace(scene, id=f"virtual_{self.seed}_{i:06d}.jpg", source="composite")
        raise DataError(f"composite {i} of seed {self.seed} failed 100 times; are the photographs' masks empty?")

    def crop(self, rng: np.random.Generator) -> Scene:
        """Part of a photograph, larger."""
        scene = self._any(self.whole if rng.random() < 0.8 else self.streets, rng)
        return jitter(crop(scene, _pick(closest_shapes(scene), rng), rng, share=(0.55, 0.9)), rng)

    def paste(self, rng: np.random.Generator) -> Scene | None:
        """A photograph with one to four things more, mostly of one category, often one that it has already."""
        on_street = rng.random() < 0.15
        scene = self._any(self.streets if on_street else self.whole, rng)
        scene = crop(scene, _pick(closest_shapes(scene), rng), rng, share=(0.85, 1.0))
        allowed = [name for name in self.names if not on_street or name in ANIMALS | {"person"}]
        there = sorted({x.category for x in scene.instances if not x.stuff} & set(allowed))
        count = int(rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.3, 0.15]))
        name = _pick(there, rng) if there and rng.random() < 0.45 else self._name(allowed, rng)
        wanted = [name] * count + ([self._name(allowed, rng)] if rng.random() < 0.25 else [])
        cuts = [cut for cut in (self._cut_out(name, rng) for name in wanted) if cut is not None]
        size = rng.uniform(0.35, 0.85) if name == "person" else rng.uniform(0.2, 0.5)
        pasted = arrange(scene, cuts, rng, size=size)
        return jitter(pasted, rng) if pasted is not scene else None

    def street(self, rng: np.random.Generator) -> Scene | None:
        """Two to four people on the street in a row."""
        shape = SHAPES[rng.integers(len(SHAPES))]
        most = 3 if shape[1] <= 360 else 4
        people = [self._any(self.streets, rng) for _ in range(int(rng.integers(2, most + 1)))]
        return street_row(people, shape, rng)

    def grid(self, rng: np.random.Generator) -> Scene:
        """Two photographs side by side or one below the other, or four."""
        rows, count = [(1, 2), (2, 2), (2, 4)][rng.choice(3, p=[0.4, 0.25, 0.35])]
        return grid([self._any(self.whole, rng) for _ in range(count)], SHAPES[rng.integers(len(SHAPES))], rng, rows=rows)

    def _any(self, among: list[int], rng: np.random.Generator) -> Scene:
        scene = self.scene(among[rng.integers(len(among))])
        return flip(scene) if rng.random() < 0.5 else scene

    def _name(self, allowed: list[str], rng: np.random.Generator) -> str:
        weights = self.popularity[[name in allowed for name in self.names]]
        return allowed[rng.choice(len(allowed), p=weights / weights.sum())]

    def _cut_out(self, name: str, rng: np.random.Generator) -> CutOut | None:
        for _ in range(3):
            photo, instance = _pick(self.objects[name], rng)
            cut = cut_out(self.scene(photo), instance, mirror=bool(rng.random() < 0.5))
            if cut is not None:
                return cut
        return None


def objects_of(photos: PhotoSet, least: float = 0.012) -> dict[str, list[tuple[int, int]]]:
    """By category, the (photograph, instance) that are large enough and whole enough to be cut out."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, entry in enumerate(photos.images):
        if entry.get("source") == "ccp":
            found["person"].append((i, 0))
            continue
        for k, annotation in enumerate(photos.annotations.get(entry["id"], [])):
            name, stuff = photos.categories[annotation["category_id"]]
            x, y, w, _ = annotation["bbox"]
            inside = x >= 2 and y >= 2 and x + w <= entry["width"] - 2
            if not stuff and name not in FIXED and inside and annotation["area"] >= least * entry["width"] * entry["height"]:
                found[name].append((i, k))
    return {name: places for name, places in found.items() if len(places) >= 3}


def _pick(among: list, rng: np.random.Generator):  # noqa: ANN - any list, one of its members
    return among[rng.integers(len(among))]


@functools.cache
def _train_photos(root: Path) -> PhotoSet:
    return load_photos(root, "train")


@functools.cache
def _composites(root: Path, shares: Shares, seed: int) -> Composites:
    return Composites(_train_photos(root), shares, seed)


def _shards(settings: Photos) -> Iterator[tuple[str, str, int, int]]:
    """The work: (shard's name, kind, first, one past the last)."""
    counts = {"original": 0, "mirrored": 0, "composite": settings.composites}
    total = len(_train_photos(settings.photos))
    counts["original"] = total if settings.originals else 0
    counts["mirrored"] = total if settings.mirrored else 0
    for kind, count in counts.items():
        for first in range(0, count, settings.shard):
            last = min(first + settings.shard, count)
            yield f"{kind}_{settings.seed}_{first:06d}_{last:06d}", kind, first, last


def make_shard(settings: Photos, name: str, kind: str, first: int, last: int) -> int:
    """Write one shard; returns how many photographs are in it."""
    photos = _train_photos(settings.photos)
    if kind == "composite":
        make = _composites(settings.photos, settings.shares, settings.seed)
        scenes = (make(i) for i in range(first, last))
    elif kind == "mirrored":
        complete = (i for i in range(first, last) if photos.images[i].get("complete"))
        scenes = (replace(flip(scene), id=f"flip_{scene.id}") for scene in map(photos.__getitem__, complete))
    else:
        scenes = (photos[i] for i in range(first, last))
    return write_shard(scenes, settings.out, name)


def main(settings: Photos) -> None:
    todo = [(settings, *shard) for shard in _shards(settings) if not has_shard(settings.out, shard[0])]
    if settings.workers > 1:
        with multiprocessing.get_context("spawn").Pool(settings.workers) as pool:
            done = [pool.apply_async(make_shard, work) for work in todo]
            for result in track(done, description="photographs"):
                result.get()
    else:
        for work in track(todo, description="photographs"):
            make_shard(*work)
    print(f"{join_shards(settings.out)} photographs in {settings.out}")


if __name__ == "__main__":
    main(tyro.cli(Photos))
