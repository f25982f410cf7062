"""Make the training photographs of restr_small: the train split, its mirror images, and composites of them.

    python recipes/restr_small/make_photos.py --photos PHOTOS --out runs/photos --composites 2600

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

import dataclasses
import functools
import json
import multiprocessing
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import tyro
from rich.progress import track

from restr.data.augment import PARTLY, SHAPES, crop, flip, jitter, nearby_shape
from restr.data.copy_paste import CutOut, arrange, cut_out
from restr.data.mosaic import SHOWN, grid, street_row
from restr.data.photos import ANNOTATIONS, PhotoSet, has_shard, join_shards, load_photos, write_shard
from restr.data.scene import Scene
from restr.errors import DataError
from restr.files import write_whole

T = TypeVar("T")
ANIMALS = frozenset("bird cat dog horse sheep cow elephant bear zebra giraffe".split())
FIXED = frozenset(["dining table", "bed"])  # others stand or lie on them: implausible elsewhere without
SETTINGS = "made_with.json"


@dataclass(frozen=True)
class Shares:
    """How often each kind of composite is made; need not add up to 1."""

    crop: float = 0.18
    paste: float = 0.45
    street: float = 0.22
    grid: float = 0.15


@dataclass(frozen=True)
class Photos:
    photos: Path  # a folder with images/ and instances.json
    out: Path = Path("runs/photos")
    originals: bool = True  # the train photographs as they are ...
    mirrored: bool = True  # ... and the mirror images of the completely annotated ones of COCO
    composites: int = 2600  # rounded up to whole shards
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
        popularity[[name == "person" for name in self.names]] *= 4  # people speak mostly of people
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
        return jitter(crop(scene, nearby_shape(scene, rng), rng, share=(0.55, 0.9)), rng)

    def paste(self, rng: np.random.Generator) -> Scene | None:
        """A photograph with one to four things more, mostly of one category, often one that it has already."""
        on_street = rng.random() < 0.15
        scene = self._any(self.streets if on_street else self.whole, rng)
        height, width = scene.image.shape[:2]
        scene = crop(scene, (height, width) if on_street else _pick(SHAPES, rng), rng, share=SHOWN)
        # clothes are all that is named on the street: a pasted car would stand beside parked ones without a mask
        allowed = [name for name in self.names if not on_street or name in ANIMALS | {"person"}]
        if not allowed:
            return None
        there = sorted({x.category for x in scene.instances if not x.stuff} & set(allowed))
        if there and rng.random() < 0.5:
            wanted = [_pick(there, rng)] * int(rng.integers(1, 4))
        else:
            wanted = [self._name(allowed, rng)] * int(rng.choice([1, 2, 3, 4], p=[0.15, 0.4, 0.3, 0.15]))
        if rng.random() < 0.3:
            wanted.append(self._name(allowed, rng))
        cuts = [cut for cut in (self._cut_out(name, rng) for name in wanted) if cut is not None]
        pasted = arrange(scene, cuts, rng, size=rng.uniform(0.2, 0.75))
        return pasted if pasted is not scene else None

    def street(self, rng: np.random.Generator) -> Scene | None:
        """Two to four people on the street in a row."""
        shape = _pick([shape for shape in SHAPES if shape[1] > 320], rng)
        people = [self._any(self.streets, rng) for _ in range(int(rng.choice([2, 3, 4], p=[0.4, 0.4, 0.2])))]
        return street_row(people, shape, rng)

    def grid(self, rng: np.random.Generator) -> Scene:
        """Two photographs side by side or one below the other, or four."""
        rows, count = [(1, 2), (2, 2), (2, 4)][rng.choice(3, p=[0.4, 0.25, 0.35])]
        return grid([self._any(self.whole, rng) for _ in range(count)], _pick(SHAPES, rng), rng, rows=rows)

    def _any(self, among: list[int], rng: np.random.Generator) -> Scene:
        scene = self.scene(among[rng.integers(len(among))])
        return flip(scene) if rng.random() < 0.5 else scene

    def _name(self, allowed: list[str], rng: np.random.Generator) -> str:
        weights = self.popularity[[name in allowed for name in self.names]]
        return allowed[rng.choice(len(allowed), p=weights / weights.sum())]

    def _cut_out(self, name: str, rng: np.random.Generator) -> CutOut | None:
        for _ in range(3):
            photo, instance = _pick(self.objects[name], rng)
            scene, mirror = self.scene(photo), bool(rng.random() < 0.5)
            # a street photograph with nothing but a bag labelled has no person in it
            if instance < len(scene.instances) and scene.instances[instance].category == name:
                cut = cut_out(scene, instance, mirror=mirror)
                if cut is not None:
                    return cut
        return None


def objects_of(photos: PhotoSet, least: float = 0.01) -> dict[str, list[tuple[int, int]]]:
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
            if (
                not stuff
                and name not in FIXED
                and inside
                and annotation["area"] >= least * entry["width"] * entry["height"]
            ):
                found[name].append((i, k))
    return {name: places for name, places in found.items() if len(places) >= 3}


def _pick(among: Sequence[T], rng: np.random.Generator) -> T:
    return among[int(rng.integers(len(among)))]


@functools.cache
def _train_photos(root: Path) -> PhotoSet:
    return load_photos(root, "train")


@functools.cache
def _composites(root: Path, shares: Shares, seed: int) -> Composites:
    return Composites(_train_photos(root), shares, seed)


def _shards(settings: Photos) -> Iterator[tuple[str, str, int, int]]:
    """The work: (shard's name, kind, first, one past the last)."""
    total = len(_train_photos(settings.photos))
    counts = {
        "original": total if settings.originals else 0,
        "mirrored": total if settings.mirrored else 0,
        "composite": -(-settings.composites // settings.shard) * settings.shard,  # a larger number only adds shards
    }
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
        entries = photos.images[first:last]
        whole = (first + i for i, e in enumerate(entries) if e.get("complete") and e.get("source") != "ccp")
        scenes = (replace(flip(scene), id=f"flip_{scene.id}") for scene in map(photos.__getitem__, whole))
    else:
        scenes = (photos[i] for i in range(first, last))
    return write_shard(scenes, settings.out, name)


def check_settings(settings: Photos) -> None:
    """Keep what the folder's photographs depend on; ``DataError`` if it was begun with something else."""
    annotations = (settings.photos / ANNOTATIONS).read_bytes()
    now = {"photos": zlib.crc32(annotations), "seed": settings.seed, "shares": dataclasses.asdict(settings.shares)}
    path = settings.out / SETTINGS
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != now:
        raise DataError(
            f"{settings.out} was begun with other photos, seed or shares; choose another --out or delete it"
        )
    settings.out.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(now))


def main(settings: Photos) -> None:
    if settings.shard < 1 or settings.composites < 0:
        raise DataError(f"--shard must be at least 1 and --composites at least 0; got {settings}")
    _train_photos(settings.photos)  # says what is wrong with the folder before anything is written
    check_settings(settings)
    plan = list(_shards(settings))
    todo = [(settings, *shard) for shard in plan if not has_shard(settings.out, shard[0])]
    if settings.workers > 1:
        with multiprocessing.get_context("spawn").Pool(settings.workers) as pool:
            done = [pool.apply_async(make_shard, work) for work in todo]
            for result in track(done, description="photographs"):
                result.get()
    else:
        for work in track(todo, description="photographs"):
            make_shard(*work)
    print(f"{join_shards(settings.out, [name for name, *_ in plan])} photographs in {settings.out}")


if __name__ == "__main__":
    main(tyro.cli(Photos))
