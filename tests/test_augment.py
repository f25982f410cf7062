"""Augmentation: masks stay on what they name. Every category is painted in one colour, so the pixels can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from restr.data.augment import LEAST_VISIBLE, PARTLY, SHAPES, crop, flip, jitter, still_seen, view
from restr.data.copy_paste import arrange, cut_out, in_one_piece, paste
from restr.data.mosaic import grid, join, parts, street_row
from restr.data.photos import load_photos, write_photos, write_shard
from restr.data.scene import Instance, Scene
from restr.errors import DataError
from scripts import load_script

PAINT = {"person": (250, 0, 0), "skirt": (0, 250, 0), "dog": (0, 0, 250), "sky": (0, 250, 250)}


def painted(*things: tuple[str, tuple[int, int, int, int], int | None], shape=(120, 160), name: str = "x.jpg") -> Scene:
    """A grey scene with rectangles (category, x0 y0 x1 y1, owner), later ones in front unless worn."""
    image = np.full((*shape, 3), 60, np.uint8)
    instances: list[Instance] = []
    for category, (x0, y0, x1, y1), owner in things:
        mask = np.zeros(shape, bool)
        mask[y0:y1, x0:x1] = True
        image[mask] = PAINT[category]
        instances = [replace(i, mask=i.mask & ~mask) if owner is None else i for i in instances]
        instances.append(Instance(mask=mask, category=category, stuff=category == "sky", owner=owner))
    return Scene(id=name, image=image, instances=tuple(instances), complete=True)


def street(x0: int = 60) -> Scene:
    return painted(("person", (x0, 20, x0 + 30, 110), None), ("skirt", (x0, 60, x0 + 30, 80), 0))


def agreement(scene: Scene, category: str) -> float:
    """The IoU of a category's masks with the pixels painted as it."""
    own = np.logical_or.reduce([i.mask for i in scene.instances if i.category == category])
    if category == "person":
        own &= ~np.logical_or.reduce([i.mask for i in scene.instances if i.category == "skirt"] or [~own & False])
    paint = np.abs(scene.image.astype(int) - PAINT[category]).max(-1) < 100
    return (own & paint).sum() / max(1, (own | paint).sum())


def test_flip_mirrors_image_and_masks_and_twice_is_nothing() -> None:
    scene = painted(("dog", (10, 40, 30, 60), None))
    mirrored = flip(scene)
    assert np.flatnonzero(mirrored.instances[0].mask.any(0)).tolist() == list(range(130, 150))
    assert agreement(mirrored, "dog") == 1
    assert np.array_equal(flip(mirrored).image, scene.image)


def test_view_scales_masks_with_the_image() -> None:
    scene = painted(("dog", (20, 40, 60, 80), None))
    seen = view(scene, (10, 30, 110, 105), (300, 400), mirror=True)
    assert seen.image.shape == (300, 400, 3) and seen.instances[0].mask.shape == (300, 400)
    assert agreement(seen, "dog") > 0.95
    assert seen.instances[0].mask.sum() == pytest.approx(40 * 40 * 16, rel=0.02)


@pytest.mark.parametrize("box", [(0, 0, 161, 10), (-1, 0, 5, 5), (5, 5, 5, 9)])
def test_a_box_outside_the_scene_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(DataError, match="160 x 120"):
        view(street(), box)


def test_cut_off_instances_are_flagged_dropped_or_disowned() -> None:
    scene = painted(
        ("sky", (0, 0, 160, 20), None),
        ("person", (50, 20, 70, 110), None),
        ("skirt", (50, 90, 70, 110), 1),
        ("dog", (100, 20, 140, 60), None),
    )
    seen = {i.category: i for i in view(scene, (40, 80, 160, 120)).instances}
    assert sorted(seen) == ["person", "skirt"]  # the dog and the sky are outside
    assert PARTLY in seen["person"].attributes and PARTLY not in seen["skirt"].attributes
    assert seen["skirt"].owner == 0
    strip = {i.category: i for i in view(scene, (0, 0, 160, 25)).instances}
    assert PARTLY in strip["dog"].attributes and PARTLY not in strip["sky"].attributes
    sky, person, skirt, _ = scene.instances
    alone = still_seen([sky, replace(person, mask=person.mask & False), skirt], [1, 1, 1])
    assert [(i.category, i.owner) for i in alone] == [("sky", None), ("skirt", None)]


def test_crop_has_the_shape_and_is_the_same_for_the_same_seed() -> None:
    scene = street()
    for shape in SHAPES:
        first, second = (crop(scene, shape, np.random.default_rng(3)) for _ in range(2))
        assert first.image.shape[:2] == shape and np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, crop(scene, shape, np.random.default_rng(4)).image)


def test_jitter_keeps_masks_and_hue() -> None:
    scene = street()
    for seed in range(10):
        other = jitter(scene, np.random.default_rng(seed))
        assert other.instances is scene.instances and other.image.dtype == np.uint8
        assert agreement(other, "skirt") == agreement(other, "person") == 1


def test_cut_out_takes_what_is_worn_along_and_refuses_what_is_cut_off() -> None:
    cut = cut_out(street(), 0)
    assert cut is not None and not cut.grounded
    assert [(i.category, i.owner) for i in cut.scene.instances] == [("person", None), ("skirt", 0)]
    assert cut.outline.shape == cut.scene.image.shape[:2] == (90, 30)
    assert cut_out(street(x0=0), 0) is None  # touches the left side
    assert cut_out(painted(("dog", (20, 0, 60, 50), None)), 0) is None  # the upper
    below = cut_out(painted(("dog", (20, 60, 60, 120), None)), 0)
    assert below is not None and below.grounded


def test_a_divided_instance_is_not_in_one_piece() -> None:
    divided = painted(("dog", (20, 20, 140, 60), None), ("person", (70, 10, 90, 110), None))
    assert cut_out(divided, 0) is None and cut_out(divided, 1) is not None
    assert not in_one_piece(np.zeros((50, 50), bool))


def test_paste_covers_what_is_behind() -> None:
    background = painted(("sky", (0, 0, 160, 40), None), ("dog", (90, 60, 130, 100), None))
    cut = cut_out(street(), 0)
    assert cut is not None
    pasted = paste(background, cut, (100, 25), (90, 30))
    assert pasted is not None
    categories = [i.category for i in pasted.instances]
    assert categories == ["sky", "dog", "person", "skirt"] and pasted.instances[3].owner == 2
    visible = [i.mask for i in pasted.instances if i.owner is None]
    assert np.sum(visible, axis=0).max() == 1
    assert all(agreement(pasted, category) > 0.9 for category in categories)
    outside = ~pasted.instances[2].mask
    assert np.array_equal(pasted.image[outside], background.image[outside])  # no rim of the old background
    assert pasted.instances[0].stuff and paste(background, cut, (500, 0), (90, 30)) is None


def test_arrange_puts_several_side_by_side_and_hides_none() -> None:
    background = painted(("dog", (60, 60, 100, 100), None), shape=(240, 320))
    cut = cut_out(street(), 0)
    assert cut is not None
    found = []
    for seed in range(8):
        scene = arrange(background, [cut] * 3, np.random.default_rng(seed), size=0.4)
        assert not any(PARTLY in i.attributes for i in scene.instances if i.owner is None)
        assert all(agreement(scene, c) > 0.9 for c in ("person", "skirt", "dog"))
        owners = [i.owner for i in scene.instances if i.category == "skirt"]
        assert [scene.instances[o].category for o in owners if o is not None] == ["person"] * len(owners)
        found.append(len(owners))
    assert np.mean(found) > 2


def test_join_keeps_owners_and_refuses_unequal_heights() -> None:
    row = join([street(), street(), painted(("dog", (10, 10, 50, 50), None))], 1)
    assert row.image.shape == (120, 480, 3) and row.complete
    assert [(i.category, i.owner) for i in row.instances if i.owner is not None] == [("skirt", 0), ("skirt", 2)]
    assert all(agreement(row, c) == 1 for c in PAINT if c != "sky")
    assert not join([street(), replace(street(), complete=False)], 0).complete
    with pytest.raises(DataError, match="length"):
        join([street(), view(street(), shape=(60, 160))], 1)


def test_rows_and_grids_fill_their_shape() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shape = SHAPES[seed % len(SHAPES)]
        assert sum(parts(shape[1], 3, rng)) == shape[1]
        row = street_row([street(), street(90)], shape, rng)
        assert row is not None and row.image.shape[:2] == shape
        assert [i.category for i in row.instances].count("person") == 2
        filled = grid([street()] * 4, shape, rng, rows=2)
        assert filled.image.shape[:2] == shape and agreement(filled, "skirt") > 0.9
    assert street_row([painted(("person", (0, 0, 0, 0), None))], (480, 320), np.random.default_rng(0)) is None
    with pytest.raises(DataError, match="rows"):
        grid([street()] * 3, (480, 480), np.random.default_rng(0), rows=2)


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_script("recipes/restr_small/make_photos.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Street photographs and others of the train split, and a val photograph of a colour that must not travel."""
    root = tmp_path / "photos"
    held_out = painted(("sky", (40, 40, 90, 90), None), name="coco_val.jpg")
    write_shard([held_out], root, "val", split="val")
    dogs = [painted(("dog", (40, 40, 90, 90), None), name=f"coco_{i}.jpg") for i in range(4)]
    streets = [replace(street(), id=f"ccp_{i}.jpg", source="ccp") for i in range(3)]
    write_photos([*dogs, *streets], root)  # joins both splits
    return root


def test_composites_depend_on_seed_and_index_only(recipe: ModuleType, folder: Path) -> None:
    make: Callable[[int], Scene] = recipe.Composites(load_photos(folder, "train"), recipe.Shares(), 0)
    again = recipe.Composites(load_photos(folder, "train"), recipe.Shares(), 0)
    scenes = [make(i) for i in range(12)]
    for i in (7, 2):
        other = again(i)
        assert np.array_equal(other.image, scenes[i].image) and len(other.instances) == len(scenes[i].instances)
    assert not any(i.category == "sky" for s in scenes for i in s.instances)  # only the val photograph has one
    assert len({scene.id for scene in scenes}) == 12 and all(s.source == "composite" for s in scenes)
    assert all(max(s.image.shape[:2]) in (480, 160) for s in scenes)  # 160: what is pasted into keeps a street's size
    assert all(i.mask.shape == s.image.shape[:2] and i.mask.any() for s in scenes for i in s.instances)
    with pytest.raises(DataError, match="shares"):
        recipe.Composites(load_photos(folder, "train"), recipe.Shares(0, 0, 0, 0), 0)


def test_the_recipe_resumes_and_grows(recipe: ModuleType, folder: Path, tmp_path: Path) -> None:
    settings = recipe.Photos(photos=folder, out=tmp_path / "out", composites=3, shard=2)
    recipe.main(settings)
    first = load_photos(settings.out, "train")
    assert len(first) == 7 + 4 + 4  # as they are, those of COCO mirrored, and composites rounded up to whole shards
    times = {path.name: path.stat().st_mtime_ns for path in (settings.out / "images").iterdir()}
    recipe.main(replace(settings, composites=6))
    assert len(load_photos(settings.out)) == 7 + 4 + 6
    assert all((settings.out / "images" / name).stat().st_mtime_ns == time for name, time in times.items())
    recipe.main(settings)
    assert load_photos(settings.out).ids == first.ids  # a smaller number leaves the others out
    with pytest.raises(DataError, match="another --out"):
        recipe.main(replace(settings, seed=1))


def test_a_shared_out_plan_gives_the_same_photographs(recipe: ModuleType, folder: Path, tmp_path: Path) -> None:
    one, other = (
        recipe.Photos(photos=folder, out=tmp_path / str(shard), composites=4, shard=shard, mirrored=False)
        for shard in (1, 4)
    )
    recipe.main(one)
    recipe.main(other)
    for name in load_photos(one.out).ids:
        assert (one.out / "images" / name).read_bytes() == (other.out / "images" / name).read_bytes()


def test_val_photographs_and_solo_ones_are_no_backgrounds(recipe: ModuleType, folder: Path) -> None:
    path = folder / "instances.json"
    content = json.loads(path.read_text())
    content["images"][0]["split"] = "val"
    content["images"][1]["complete"] = 0
    path.write_text(json.dumps(content))
    make = recipe.Composites(load_photos(folder, "train"), recipe.Shares(), 0)
    assert [make.photos.ids[i] for i in make.whole] == ["coco_2.jpg", "coco_3.jpg"]
    assert all("coco_0" not in make.photos.ids[i] for places in make.objects.values() for i, _ in places)


def test_only_people_and_animals_are_pasted_on_the_street(recipe: ModuleType, folder: Path) -> None:
    make = recipe.Composites(load_photos(folder, "train"), recipe.Shares(), 0)
    make.objects, make.names, make.popularity = {"car": [(0, 0)] * 3}, ["car"], np.ones(1)
    seeds = [seed for seed in range(60) if np.random.default_rng(seed).random() < 0.15]  # a street is the background
    assert len(seeds) > 3 and all(make.paste(np.random.default_rng(seed)) is None for seed in seeds)


def test_flag_is_for_less_than_the_least(recipe: ModuleType) -> None:
    full = np.ones((10, 10), bool)
    instance = Instance(mask=full, category="dog")
    assert PARTLY in still_seen([instance], [100 / LEAST_VISIBLE + 1])[0].attributes
    assert PARTLY not in still_seen([instance], [100 / LEAST_VISIBLE - 1])[0].attributes
