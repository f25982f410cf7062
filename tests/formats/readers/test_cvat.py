"""CVAT's export for images: each shape becomes the region that its annotator saw, or is counted by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotated import BOX, accidents, area, cvat, image, left, opened, picture, shape
from restr.cli.main import main
from restr.data.entries.entry import Entry
from restr.errors import DatasetError
from restr.formats.catalog import open_dataset

SPEC = "cvat:annotations.xml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    picture(tmp_path / "images" / "a.png")
    return tmp_path


def turned(x0: float, y0: float, x1: float, y1: float, degrees: float) -> np.ndarray:
    """The pixels whose centres are in a box turned about its centre: a second way to the same mask."""
    y, x = np.mgrid[:40, :60] + 0.5
    turn, cx, cy = np.radians(degrees), (x0 + x1) / 2, (y0 + y1) / 2
    u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
    return (abs(u) <= (x1 - x0) / 2) & (abs(v) <= (y1 - y0) / 2)


@pytest.mark.parametrize("degrees", [20.0, 90.0, 135.5, 300.0, -30.0])
def test_a_turned_box_is_turned_about_its_centre(degrees: float, root: Path) -> None:
    cvat(root, image(shape("box", xtl=15, ytl=12, xbr=43, ybr=24, rotation=degrees)))
    found = opened(SPEC, root)[0]["thing"]
    expected = turned(15, 12, 43, 24, degrees)
    assert (found ^ expected).sum() <= 0.06 * expected.sum()  # outlines are filled as pycocotools fills them
    assert found.sum() != 0 and (found ^ area(15, 12, 43, 24)).sum() > 60


def test_a_box_that_was_turned_back_is_upright(root: Path) -> None:
    cvat(root, image(shape("box", xtl=10, ytl=8, xbr=50, ybr=32, rotation="360.00")))
    assert np.array_equal(opened(SPEC, root)[0]["thing"], area(10, 8, 50, 32))


def test_a_turned_box_that_leaves_the_picture_is_cut_off(root: Path) -> None:
    cvat(root, image(shape("box", xtl=40, ytl=0, xbr=70, ybr=10, rotation=30)))
    found, expected = opened(SPEC, root)[0]["thing"], turned(40, 0, 70, 10, 30)
    assert (found ^ expected).sum() <= 0.1 * expected.sum()


def row_runs(part: np.ndarray) -> str:
    """Counts of pixels outside and inside in turn, row by row."""
    flat = [False, *part.reshape(-1).tolist()]
    counts, value = [0], False
    for each in flat[1:]:
        if each != value:
            counts.append(0)
            value = each
        counts[-1] += 1
    return ", ".join(map(str, counts))


@pytest.mark.parametrize(
    ("left_edge", "top", "part"),
    [
        (30, 3, np.ones((4, 9), bool)),
        (5, 20, np.eye(12, 15, dtype=bool)),
        (-2, 35, np.tri(9, 8, dtype=bool)),
        (0, 0, np.indices((40, 60)).sum(0) % 3 == 0),
    ],
)
def test_a_brush_mask_is_where_it_was_painted(left_edge: int, top: int, part: np.ndarray, root: Path) -> None:
    height, width = part.shape
    mask = shape("mask", "m", "the painted", rle=row_runs(part), left=left_edge, top=top, width=width, height=height)
    cvat(root, image(mask, BOX))
    expected = np.zeros((60, 90), bool)
    expected[10 + top : 10 + top + height, 10 + left_edge : 10 + left_edge + width] = part
    found, samples = opened(SPEC, root)
    assert np.array_equal(found["the painted"], expected[10:50, 10:70])
    assert np.array_equal(found["upright"], area(10, 8, 50, 32)) and samples.left_out() == []


@pytest.mark.parametrize(("rx", "ry", "degrees"), [(12, 5, 0), (4, 9, 30), (15, 3, 200), (80, 70, 0)])
def test_an_ellipse_is_its_pixels(rx: float, ry: float, degrees: float, root: Path) -> None:
    cvat(root, image(shape("ellipse", cx=28, cy=19, rx=rx, ry=ry, rotation=degrees)))
    y, x = np.mgrid[:40, :60] + 0.5
    turn = np.radians(degrees)
    u, v = (x - 28) * np.cos(turn) + (y - 19) * np.sin(turn), (y - 19) * np.cos(turn) - (x - 28) * np.sin(turn)
    expected = (u / rx) ** 2 + (v / ry) ** 2 <= 1
    assert (opened(SPEC, root)[0]["thing"] ^ expected).sum() <= 2


def test_what_marks_no_region_is_counted(root: Path) -> None:
    skeleton = (
        '<skeleton label="person"><points label="nose" points="5,5"/><points label="ear" points="6,6"/></skeleton>'
    )
    shapes = [
        BOX,
        shape("polyline", points="1,1;9,9"),
        shape("polyline", points="2,1;9,9"),
        shape("points", points="3,3"),
        skeleton,
    ]
    cvat(root, image(*shapes, shape("tag", "indoors"), shape("cuboid", xtl1=1)))
    found, samples = opened(SPEC, root)
    assert list(found) == ["upright"]
    assert left(samples) == {"polyline": 2, "set of points": 1, "skeleton": 1, "tag of a whole picture": 1, "cuboid": 1}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (shape("mask", rle="0, 5", left=0, top=0, width=3, height=3), "add up to 5 pixels, the mask's box is 3 x 3"),
        (shape("mask", rle="0, x", left=0, top=0, width=1, height=1), "expected numbers"),
        (shape("mask", rle="9", left=0, top=0, width=10**7, height=10**7), "expected numbers that are in a picture"),
        (shape("box", xtl=1, ytl=1, xbr=9), "ybr"),
        (shape("box", xtl=9, ytl=1, xbr=1, ybr=9), "the upper left corner"),
        (shape("polygon", points="1,1;2,2"), "three points"),
        (shape("polygon", points="1,1;2;3,3"), "x,y;x,y;x,y"),
        (shape("ellipse", cx=5, cy=5, rx=0, ry=5), "radii"),
        (shape("ellipse", cx="nan", cy=5, rx=2, ry=5), "in a picture"),
    ],
)
def test_a_bad_shape_is_named_beside_the_good_ones(
    bad: str, says: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cvat(root, image(BOX, bad, shape("polygon", "last", points="1,1;20,1;20,20;1,20")))
    found, samples = opened(SPEC, root)
    assert sorted(found) == ["last", "upright"] and left(samples) == {"bad annotation": 1}
    detail = samples.left_out()[0].detail
    assert says in detail and "annotations.xml, image a.png" in detail
    assert main(["data", "check", SPEC, "--root", str(root), "--out", str(root / "out")]) == 1
    printed = capsys.readouterr().out
    assert "1  bad annotation" in printed and detail in printed and "2 expressions" in printed


def test_a_file_with_nothing_but_a_bad_shape_says_why(root: Path) -> None:
    cvat(root, image(shape("box", xtl=1, ytl=1, xbr=9)))
    with pytest.raises(DatasetError, match="no annotation is left: 1 bad annotation left out. The first: .*ybr"):
        opened(SPEC, root)
    cvat(root, image(shape("points", points="1,1")))
    with pytest.raises(DatasetError, match="1 set of points left out"):
        opened(SPEC, root)


def test_an_export_for_video_is_refused_by_name(root: Path) -> None:
    cvat(root, '<track id="0" label="dog"><box frame="0" xtl="1" ytl="1" xbr="5" ybr="5"/></track>')
    with pytest.raises(DatasetError, match="CVAT for video', 1 tracks; expected 'CVAT for images 1.1'"):
        opened(SPEC, root)


def test_a_project_keeps_its_tasks_and_subsets_apart(tmp_path: Path) -> None:
    """Each task counts its pictures from 0, and subsets may have pictures of one name."""
    for number, name in enumerate(("images/train/p.png", "images/val/p.png", "images/default/q.png")):
        picture(tmp_path / name, number)
    cvat(
        tmp_path,
        image(BOX, name="p.png", subset="train", task_id=1),
        image(BOX, name="p.png", subset="val", task_id=2),
        image(BOX, name="q.png", task_id=3),
    )
    samples = opened_all(tmp_path)
    assert [entry.image for entry in samples] == ["images/train/p.png", "images/val/p.png", "images/default/q.png"]
    assert len({entry.image_id for entry in samples}) == 3 and [entry.split for entry in samples] == [
        "train",
        "val",
        "all",
    ]


def test_exports_put_together_keep_their_pictures_apart(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.png", "frame_7.png")):
        picture(tmp_path / "images" / name, number)
    cvat(tmp_path, image(BOX), image(BOX, name="b.png"), image(BOX, name="frame_7"))
    samples = opened_all(tmp_path)
    assert [entry.image for entry in samples] == ["images/a.png", "images/b.png", "images/frame_7.png"]
    assert len({entry.id for entry in samples}) == len({entry.image_id for entry in samples}) == 3


def opened_all(root: Path) -> list[Entry]:
    samples = open_dataset(SPEC, root)
    assert all(sample.mask.any() for sample in samples)
    return [samples.entry(number) for number in range(len(samples))]


def whole(root: Path) -> Path:
    shapes = [
        BOX,
        shape("box", "t", "the turned one", xtl=15, ytl=12, xbr=43, ybr=24, rotation=20.5),
        shape("mask", "m", "caf\u00e9", rle="2, 5, 5, 8", left=3, top=4, width=5, height=4),
        shape("ellipse", "e", cx=28.5, cy=19, rx=12, ry=5, rotation=15),
        shape("polygon", "p", points="1.5,1;20,1;20,20;1,20"),
        shape("polyline", points="1,1;9,9"),
    ]
    return cvat(root, image(*shapes, subset="train", task_id=3), image(BOX, id=1))


def test_damaged_files_end_in_typed_errors(root: Path) -> None:
    refused, partly = accidents(whole(root), SPEC, 200, seed=3)
    assert refused > 30 and partly > 20


@pytest.mark.slow
def test_many_damaged_files(root: Path) -> None:
    refused, partly = accidents(whole(root), SPEC, 2000, seed=4)
    assert refused > 300 and partly > 200
