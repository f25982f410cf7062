"""COCO's form as tools export it: pictures are found by one rule, and one bad annotation costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotated import HEIGHT, WIDTH, area, left, opened, picture
from restr.cli.main import main
from restr.errors import DatasetError
from restr.formats.catalog import open_dataset
from restr.masks import rle_encode

SQUARE = [5, 6, 25, 6, 25, 26, 5, 26]
MARKED = area(5, 6, 25, 26)
BOX = [5, 6, 20, 20]


def annotation(number: Any = 1, text: str = "the square", **more: Any) -> dict[str, Any]:
    known = {"id": number, "image_id": 1, "segmentation": [SQUARE], "bbox": BOX, "iscrowd": 0, "expressions": [text]}
    return {name: value for name, value in (known | more).items() if value is not Ellipsis}


def coco(path: Path, *annotations: dict[str, Any], images: list[dict] | None = None, name: str = "a.png") -> None:
    images = images or [{"id": 1, "file_name": name, "height": HEIGHT, "width": WIDTH}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": list(annotations), "categories": []}))


@pytest.mark.parametrize(
    ("file", "name", "there", "others"),
    [
        ("result.json", "images/7f00aa01-a.png", "images/7f00aa01-a.png", []),  # Label Studio
        ("result.json", "images\\7f00aa01-a.png", "images/7f00aa01-a.png", []),
        ("annotations/instances_default.json", "a.png", "images/default/a.png", []),  # CVAT, Datumaro
        ("annotations/instances_train.json", "a.png", "images/train/a.png", ["images/val/a.png", "images/a.png"]),
        ("annotations/instances_val2017.json", "a.png", "val2017/a.png", ["train2017/a.png"]),  # COCO itself
        ("annotations/instances_default.json", "deep/a.png", "images/deep/a.png", []),
        ("labels.json", "a.png", "data/a.png", []),  # FiftyOne
        (
            "train/_annotations.coco.json",
            "a_png.rf.12ab.png",
            "train/a_png.rf.12ab.png",
            ["a_png.rf.12ab.png"],
        ),  # Roboflow
        ("annotations.json", "a.png", "images/a.png", []),  # supervision
        ("mine.json", "a.png", "a.png", ["images/other.png"]),
        ("mine.json", "C:\\data\\shots\\a.png", "images/a.png", []),
        ("mine.json", "/srv/ann/shots/a.png", "shots/a.png", ["images/b.png"]),
    ],
)
def test_the_picture_is_found(file: str, name: str, there: str, others: list[str], tmp_path: Path) -> None:
    for number, each in enumerate([there, *others]):
        picture(tmp_path / each, number)
    coco(tmp_path / file, annotation(), name=name)
    samples = open_dataset(f"coco:{file}", tmp_path)
    assert (samples.root / samples.entry(0).image).resolve() == (tmp_path / there).resolve()
    assert np.array_equal(samples[0].mask, MARKED)


def test_a_picture_of_a_shortened_name_is_nobodys_if_two_claim_it(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    images = [{"id": number, "file_name": f"{folder}/a.png"} for number, folder in enumerate(("/x/one", "/x/two"))]
    coco(tmp_path / "d.json", annotation(image_id=0), annotation(2, image_id=1), images=images)
    samples = open_dataset("coco:d.json", tmp_path)
    assert [samples.entry(number).image for number in range(2)] == ["images/x/one/a.png", "images/x/two/a.png"]
    with pytest.raises(DatasetError, match="there is no picture"):
        samples[0]


@pytest.mark.parametrize(
    "change",
    [
        {"segmentation": []},
        {"segmentation": ...},
        {"segmentation": None},
        {"segmentation": [[]]},
        {"segmentation": [[5, 6, 25, 26]]},
        {"segmentation": SQUARE},
        {"segmentation": [SQUARE, [30, 30, 31, 31]]},
        {"segmentation": [[40, 2], SQUARE, []]},
        {"segmentation": rle_encode(MARKED), "iscrowd": 1},
        {"segmentation": [rle_encode(MARKED)]},
        {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [206, *[20, 20] * 19, 20, 1414]}, "iscrowd": 1},
        {"id": "one", "image_id": "1"},
        {"id": 1.0, "image_id": 1.0},
        {"expressions": "the square"},
        {"expressions": [{"text": "the square"}]},
        {"expressions": ..., "attributes": {"occluded": False, "expression": "the square"}},
    ],
)
def test_every_form_of_a_region_is_read(change: dict[str, Any], tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    coco(tmp_path / "d.json", annotation(**change), annotation(2, "other", bbox=[0, 0, 9, 9], segmentation=[]))
    found, samples = opened("coco:d.json", tmp_path)
    assert np.array_equal(found["the square"], MARKED) and np.array_equal(found["other"], area(0, 0, 9, 9))
    assert not any(each.bad for each in samples.left_out())


def test_a_part_that_covers_nothing_is_counted(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    parts = [SQUARE, [30, 30, 31, 31], [3, 3]]
    coco(tmp_path / "d.json", annotation(segmentation=parts, expressions=["the square", "it"]))
    assert left(opened("coco:d.json", tmp_path)[1]) == {"part of fewer than three points": 2}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (annotation(2, "other", image_id=99), "annotations 1: image_id is str '99'; expected the id of an image"),
        (annotation(2, "other", image_id=3), "b.png and c.png both have the id 3"),
        (annotation(1, "other"), "annotations 1: id is str '1'; expected an id that no earlier annotation has"),
        (annotation(1.0, "other"), "annotations 1: id is str '1'"),
        (annotation(2, "other", segmentation=[[5, "x", 6, 7, 8, 9]]), "annotations 1: the region cannot be read"),
        (annotation(2, "other", segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "a polygon has 7 numbers"),
        (
            annotation(2, "other", segmentation=[[1, 2, 3, 4]], bbox=...),
            "an outline of three points at least, or a bbox",
        ),
        (annotation(2, "other", segmentation=..., bbox=[1, 2, "wide", 3]), "annotations 1: the region cannot be read"),
        (annotation(2, "other", segmentation=..., bbox=...), "expected mask, segmentation, segment_id or bbox"),
        (annotation(2, "other", segmentation={"size": [4, 4], "counts": [3]}), "run lengths add up to 3 pixels"),
        (annotation(2, "other", expressions=[5]), "sentence 0 is int 5"),
        (annotation(..., "other"), "annotations 1 has no id"),
    ],
)
def test_a_bad_annotation_is_named_beside_the_good_ones(
    bad: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 3, "file_name": "b.png"}, {"id": 3, "file_name": "c.png"}]
    coco(
        tmp_path / "d.json", annotation(), bad, annotation(4, "last", segmentation=[], bbox=[0, 0, 9, 9]), images=images
    )
    found, samples = opened("coco:d.json", tmp_path)
    assert sorted(found) == ["last", "the square"] and left(samples) == {"bad annotation": 1}
    assert says in samples.left_out()[0].detail and "d.json" in samples.left_out()[0].detail
    assert main(["data", "check", "coco:d.json", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert says in printed and "2 expressions" in printed
    assert json.loads((tmp_path / "out" / "check.json").read_text())["counts"] == {"bad annotation": 1}
    assert "bad annotation (1)" in (tmp_path / "out" / "check.html").read_text()


def test_annotations_without_expressions_are_no_business_of_restrs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    silent = [
        annotation(7, expressions=..., image_id=99),
        annotation(1, expressions=[]),
        annotation(8, expressions=None),
    ]
    coco(tmp_path / "d.json", *silent, annotation())
    samples = opened("coco:d.json", tmp_path)[1]
    assert left(samples) == {"annotation without expressions": 3}
    assert main(["data", "check", "coco:d.json", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "left out, which is not a problem: 3 annotations without expressions" in printed and "no problems" in printed
    assert "annotation without expressions" in (tmp_path / "out" / "check.html").read_text()


def test_images_and_annotations_that_are_none_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    images: list[Any] = [None, {"file_name": "b.png"}, {"id": 1, "file_name": "a.png", "height": "40", "width": "60"}]
    broken: Any = 5
    coco(tmp_path / "d.json", broken, annotation(), images=images)
    found, samples = opened("coco:d.json", tmp_path)
    assert list(found) == ["the square"] and samples.entry(0).size == (HEIGHT, WIDTH)
    says = ["images 0 is NoneType", "images 1 has no id", "annotations 0 is int 5"]
    assert all(part in each.detail for part, each in zip(says, samples.left_out(), strict=True))


def test_an_image_listed_twice_is_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    coco(tmp_path / "d.json", annotation(), images=[{"id": 1, "file_name": "a.png"}] * 2)
    assert list(opened("coco:d.json", tmp_path)[0]) == ["the square"]
