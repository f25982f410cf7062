"""Photographs on disk: what is written is read back, owners and people included, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr.data.photos import load_photos, with_wearer
from restr.errors import DataError
from restr.grammar.scene import PARTLY, Instance, Scene
from written_photos import write_photos


def block(shape: tuple[int, int], y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def example(name: str = "one.jpg", source: str = "composite") -> Scene:
    shape = (40, 60)
    return Scene(
        id=name,
        image=np.full((*shape, 3), 90, np.uint8),
        instances=(
            Instance(mask=block(shape, 0, 10, 0, 60), category="sky", stuff=True),
            Instance(mask=block(shape, 10, 40, 10, 20), category="person"),
            Instance(mask=block(shape, 20, 30, 10, 20), category="skirt", owner=1),
            Instance(mask=block(shape, 30, 40, 50, 60), category="dog", attributes={PARTLY: "yes"}),
        ),
        complete=False,
        source=source,
    )


def test_written_scenes_are_read_back(tmp_path: Path) -> None:
    assert write_photos([example("a.jpg"), example("b.jpg")], tmp_path) == 2
    photos = load_photos(tmp_path, "train")
    assert photos.ids == ["a.jpg", "b.jpg"]
    for scene in (photos[0], photos[1]):
        assert (scene.complete, scene.source) == (False, "composite")
        assert np.abs(scene.image.astype(int) - 90).max() <= 2
        for read, written in zip(scene.instances, example().instances, strict=True):
            assert np.array_equal(read.mask, written.mask)
            assert (read.category, read.stuff, read.owner) == (written.category, written.stuff, written.owner)
            assert read.attributes == written.attributes


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside pycocotools
def test_the_annotations_are_valid_coco(tmp_path: Path) -> None:
    from pycocotools import mask as coco

    write_photos([example()], tmp_path)
    content = json.loads((tmp_path / "instances.json").read_text())
    for annotation in content["annotations"]:
        assert coco.decode(annotation["segmentation"]).sum() == annotation["area"]
        assert coco.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]


def test_a_street_photograph_has_a_person_who_wears_the_garments_but_is_not_the_bag(tmp_path: Path) -> None:
    shape = (40, 60)
    shirt, bag = block(shape, 5, 20, 10, 20), block(shape, 20, 30, 20, 30)
    person, *worn = with_wearer([Instance(mask=shirt, category="shirt"), Instance(mask=bag, category="bag")])
    assert person.category == "person" and np.array_equal(person.mask, shirt)
    assert [(instance.category, instance.owner) for instance in worn] == [("shirt", 0), ("bag", 0)]


def test_a_street_photograph_written_and_read_again_has_one_person_only(tmp_path: Path) -> None:
    write_photos([example(source="ccp")], tmp_path)
    assert [i.category for i in load_photos(tmp_path)[0].instances].count("person") == 1


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"instances\.json"):
        load_photos(tmp_path)
    write_photos([example()], tmp_path)
    with pytest.raises(DataError, match="'test'.*train"):
        load_photos(tmp_path, "test")
    Image.new("RGB", (10, 10)).save(tmp_path / "images" / "one.jpg")
    with pytest.raises(DataError, match=r"\(40, 60\)"):
        load_photos(tmp_path)[0]
    (tmp_path / "images" / "one.jpg").unlink()
    with pytest.raises(DataError, match=r"one\.jpg"):
        load_photos(tmp_path)[0]
    (tmp_path / "instances.json").write_text("{")
    with pytest.raises(DataError, match="COCO"):
        load_photos(tmp_path)
