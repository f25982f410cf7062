"""Label Studio's JSON export: each region becomes what its annotator saw, or is counted by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotated import RECTANGLE, accidents, area, brushed, label_studio, left, opened, packed, picture, result, task
from restr.cli.main import main
from restr.errors import DatasetError
from restr.formats.annotations.drawing import unpack_numbers
from restr.formats.catalog import open_dataset

SPEC = "labelstudio:export.json"
UPRIGHT = area(15, 10, 45, 30)  # what RECTANGLE marks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    picture(tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize(
    "mask",
    [
        area(3, 4, 30, 22),
        np.indices((40, 60)).sum(0) % 7 < 3,
        np.random.default_rng(0).random((40, 60)) < 0.5,
        np.eye(40, 60, dtype=bool),
        np.ones((40, 60), bool),
    ],
)
def test_a_brush_is_its_alpha(mask: np.ndarray, root: Path) -> None:
    """Whatever its colour, and where it is half transparent too."""
    stroke = result(
        "brushlabels", "b", format="rle", rle=brushed(mask, (200, 3, 77), alpha=128), brushlabels=["stroke"]
    )
    text = result("textarea", "b", text=["the painted thing"])
    label_studio(root, task(RECTANGLE, stroke, text))
    found, samples = opened(SPEC, root)
    assert np.array_equal(found["the painted thing"], mask) and np.array_equal(found["upright"], UPRIGHT)
    assert samples.left_out() == []


@pytest.mark.parametrize("widths", [(3, 4, 8, 16), (1, 3, 5, 9), (4, 4, 4, 12)])
@pytest.mark.parametrize("longest", [1 << 16, 5])
def test_packed_runs_of_any_widths(widths: tuple[int, int, int, int], longest: int) -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(rng.integers(0, 256, 90), rng.integers(1, 40, 90))
    longest = min(longest, 1 << widths[-1])
    content = packed(values.tolist(), widths, longest)
    assert np.array_equal(unpack_numbers(content, len(values), "here"), values)


@pytest.mark.parametrize("name", ["brush", "brushlabels"])
def test_a_brush_with_labels_of_their_own(name: str, root: Path) -> None:
    """<Brush> beside <Labels>: two results of one id, in either order."""
    mask = area(30, 20, 41, 39)
    value = {"format": "rle", "rle": brushed(mask)}
    label_studio(root, task(result("labels", "b", labels=["dog"], **value), result(name, "b", **value)))
    assert np.array_equal(opened(SPEC, root)[0]["dog"], mask)


@pytest.mark.parametrize("reverse", [False, True])
def test_shapes_and_labels_in_two_results(reverse: bool, root: Path) -> None:
    points = [[10, 20], [60, 20], [60, 80], [10, 80]]
    results = [result("polygon", "p", points=points), result("labels", "p", points=points, labels=["cat", "pet"])]
    round_ = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 30, "rotation": 0}
    results += [result("ellipse", "e", **round_), result("labels", "e", labels=["moon"], **round_)]
    label_studio(root, task(*(results[::-1] if reverse else results)))
    found = opened(SPEC, root)[0]
    assert sorted(found) == ["cat", "moon", "pet"]
    assert np.array_equal(found["cat"], area(6, 8, 36, 32)) and np.array_equal(found["pet"], found["cat"])


@pytest.mark.parametrize(("rx", "ry", "degrees"), [(20, 10, 0), (20, 10, 40), (6, 30, 325)])
def test_an_ellipse_has_radii_in_percent_of_both_sides(rx: float, ry: float, degrees: float, root: Path) -> None:
    value = {"x": 50, "y": 45, "radiusX": rx, "radiusY": ry, "rotation": degrees}
    label_studio(root, task(result("ellipselabels", ellipselabels=["moon"], **value)))
    y, x = np.mgrid[:40, :60] + 0.5
    turn, cx, cy = np.radians(degrees), 30, 18
    u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
    expected = (u / (rx * 0.6)) ** 2 + (v / (ry * 0.4)) ** 2 <= 1
    assert (opened(SPEC, root)[0]["moon"] ^ expected).sum() <= 2


@pytest.mark.parametrize("degrees", [15, 90, 300])
def test_a_turned_rectangle_is_turned_about_its_corner(degrees: float, root: Path) -> None:
    value = {"x": 50, "y": 40, "width": 25, "height": 20, "rotation": degrees}
    label_studio(root, task(result("rectanglelabels", rectanglelabels=["tilted"], **value)))
    y, x = np.mgrid[:40, :60] + 0.5
    turn = np.radians(degrees)
    u, v = (x - 30) * np.cos(turn) + (y - 16) * np.sin(turn), (y - 16) * np.cos(turn) - (x - 30) * np.sin(turn)
    expected = (u >= 0) & (u <= 15) & (v >= 0) & (v <= 8)
    assert (opened(SPEC, root)[0]["tilted"] ^ expected).sum() <= 0.15 * expected.sum()


def test_a_cancelled_annotation_is_not_used(root: Path) -> None:
    export = task(RECTANGLE)
    other = result("rectanglelabels", "x", x=0, y=0, width=5, height=5, rectanglelabels=["dropped"])
    export["annotations"] += [
        {"id": 2, "was_cancelled": True, "result": [other]},
        {"id": 3, "was_cancelled": None, "result": []},
    ]
    export["predictions"], export["drafts"] = [{"result": [other]}] * 2, [{"result": [other]}]
    label_studio(root, export)
    found, samples = opened(SPEC, root)
    assert list(found) == ["upright"]
    assert left(samples) == {"prediction of a model": 2, "draft": 1, "cancelled annotation": 1}


def test_results_that_mark_no_region_are_passed_over(root: Path) -> None:
    others = [
        {"type": "relation", "from_id": "whole", "to_id": "b", "direction": "right"},
        {"type": "choices", "value": {"choices": ["good"]}, "from_name": "quality"},
        result("choices", "whole", x=25, y=25, width=50, height=50, rotation=0, choices=["blurred"]),
        result("keypointlabels", "k", x=5, y=5, width=0.5, keypointlabels=["tip"]),
        result("keypoint", "l", x=5, y=5, width=0.5),
        {"type": "rating", "id": "s", "value": {"rating": 4}},
        {"type": "textarea", "id": "t", "value": {"text": ["a caption of all"]}},
        result("rectangle", "u", x=1, y=1, width=5, height=5),
    ]
    label_studio(root, task(RECTANGLE, *others))
    found, samples = opened(SPEC, root)
    assert list(found) == ["upright"] and np.array_equal(found["upright"], UPRIGHT)
    assert left(samples) == {
        "relation": 1,
        "choice": 2,
        "key point": 2,
        "rating": 1,
        "text of no region": 1,
        "region without text or label": 1,
    }


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (result("brushlabels", format="rle", rle=[0, 0, 37, 128, 57, 27, 248], brushlabels=["b"]), "end too early"),
        (result("brushlabels", format="rle", rle=packed([0] * 2400), brushlabels=["b"]), "expected 4 per pixel, 9600"),
        (result("brushlabels", format="rle", rle=[300], brushlabels=["b"]), "expected bytes"),
        (result("bitmasklabels", imageDataURL="data:", bitmasklabels=["b"]), "this form cannot be read"),
        (result("rectanglelabels", x=1, y=1, width=5, rectanglelabels=["b"]), "height"),
        (result("polygonlabels", points=[[1, 1], [2, 2]], polygonlabels=["b"]), "three points"),
        (result("ellipselabels", x=1, y=1, radiusX=4, radiusY=None, ellipselabels=["b"]), "radiusY"),
        (RECTANGLE | {"id": "r", "original_width": 0}, "a picture's size"),
        (RECTANGLE | {"id": "r", "image_rotation": 90}, "turn the picture itself"),
        ({"id": "r", "type": "rectanglelabels"}, "value is NoneType"),
        (3, "result 1 is int 3"),
    ],
)
def test_a_bad_region_is_named_beside_the_good_ones(
    bad: Any, says: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label_studio(root, task(RECTANGLE, bad))
    found, samples = opened(SPEC, root)
    assert list(found) == ["upright"] and left(samples) == {"bad annotation": 1}
    detail = samples.left_out()[0].detail
    assert says in detail and "export.json, record 0, annotations 0, result 1" in detail
    assert main(["data", "check", SPEC, "--root", str(root), "--out", str(root / "out")]) == 1
    assert detail in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/data/local-files/?d=my%20pictures/b.png", "my pictures/b.png"),
        ("http://localhost:8080/data/local-files/?d=deep/er/b%281%29.png", "deep/er/b(1).png"),
        ("/data/local-files/?d=50%25.png", "50%25.png"),
        ("/data/local-files/?d=pictures\\b.png", "pictures/b.png"),
        ("C:\\Users\\ann\\pictures\\b.png", "pictures/b.png"),
        ("/data/local-files/?d=D:%5Cshots%5Cb.png", "images/b.png"),
        ("/data/upload/3/0a1b2c3d-b.png", "images/0a1b2c3d-b.png"),
        ("/data/upload/3/0a1b2c3d-b.png", "b.png"),
        ("s3://bucket/shots/b.png", "shots/b.png"),
        ("https://host.example/shots/b.png?token=x%2Fy", "b.png"),
    ],
)
def test_pictures_are_found(address: str, file: str, tmp_path: Path) -> None:
    picture(tmp_path / file)
    label_studio(tmp_path, task(RECTANGLE, address=address))
    samples = open_dataset(SPEC, tmp_path)
    assert samples.entry(0).image == file and samples[0].mask.any()


def test_a_picture_is_not_taken_for_another_of_its_name(tmp_path: Path) -> None:
    picture(tmp_path / "b.png")
    label_studio(tmp_path, task(RECTANGLE, address="/one/b.png"), task(RECTANGLE, address="/two/b.png", number=8))
    samples = open_dataset(SPEC, tmp_path)
    for number, name in enumerate(("one/b.png", "two/b.png")):
        assert samples.entry(number).image == name
        with pytest.raises(DatasetError, match="there is no picture"):
            samples[number]


def test_pictures_that_come_later_are_found(tmp_path: Path) -> None:
    label_studio(tmp_path, task(RECTANGLE, address="/data/upload/1/b.png"))
    assert open_dataset(SPEC, tmp_path).entry(0).image == "1/b.png"
    picture(tmp_path / "images" / "b.png")
    assert open_dataset(SPEC, tmp_path).entry(0).image == "images/b.png"


def test_any_key_of_the_data_may_name_the_picture(root: Path) -> None:
    export = task(RECTANGLE)
    export["data"] = {"note": "morning", "photo_url": "a.png"}
    label_studio(root, export)
    assert list(opened(SPEC, root)[0]) == ["upright"]
    export["data"] = {"note": "morning"}
    label_studio(root, export)
    with pytest.raises(DatasetError, match="a picture's address"):
        open_dataset(SPEC, root)


def test_exports_put_together_keep_their_tasks_apart(root: Path) -> None:
    picture(root / "b.png", 2)
    label_studio(root, task(RECTANGLE), task(RECTANGLE, address="b.png"))
    samples = open_dataset(SPEC, root)
    assert [samples.entry(number).image for number in range(2)] == ["a.png", "b.png"]
    assert len(set(samples.ids())) == len({samples.entry(number).image_id for number in range(2)}) == 2


def test_a_task_or_an_annotation_that_is_none_is_named(root: Path) -> None:
    export = task(RECTANGLE)
    export["annotations"].append(None)
    (root / "export.json").write_text(json.dumps([3, export, {"id": 4}]))
    found, samples = opened(SPEC, root)
    assert list(found) == ["upright"] and left(samples) == {"bad annotation": 3}
    says = ["record 0 is int 3", "record 1, annotations 1 is NoneType", "record 2 has no annotations"]
    assert all(part in each.detail for part, each in zip(says, samples.left_out(), strict=True))


def test_another_export_is_refused_by_name(root: Path) -> None:
    (root / "export.json").write_text(json.dumps([{"id": 1, "image": "a.png", "label": [{"x": 1}]}]))
    with pytest.raises(DatasetError, match="expected Label Studio's export 'JSON', not 'JSON-MIN'"):
        open_dataset(SPEC, root)


def whole(root: Path) -> Path:
    points = [[10.5, 20], [60, 20], [60, 80]]
    results = [
        RECTANGLE,
        result("polygon", "p", points=points),
        result("labels", "p", points=points, labels=["caf\u00e9"]),
        result("ellipselabels", "e", x=50, y=45, radiusX=20, radiusY=10, rotation=40, ellipselabels=["moon"]),
        result("brushlabels", "b", format="rle", rle=brushed(area(3, 4, 30, 22)), brushlabels=["stroke"]),
        result("textarea", "b", text=["the painted thing"]),
        {"type": "relation", "from_id": "p", "to_id": "e", "direction": "right"},
    ]
    return label_studio(root, task(*results), task(RECTANGLE, number=8))


def test_damaged_files_end_in_typed_errors(root: Path) -> None:
    refused, partly = accidents(whole(root), SPEC, 200, seed=5)
    assert refused > 30 and partly > 20


@pytest.mark.slow
def test_many_damaged_files(root: Path) -> None:
    refused, partly = accidents(whole(root), SPEC, 2000, seed=6)
    assert refused > 300 and partly > 200
