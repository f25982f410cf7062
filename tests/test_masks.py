"""Masks against pycocotools, and back from every form they are stored in."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from restr.errors import DataError
from restr.masks import (
    box_of,
    box_xywh,
    label_regions,
    outlines,
    polygons_of,
    rle_decode,
    rle_encode,
    rle_within,
    signed_area,
)


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    return rng.random((height, width)) < rng.choice([0.02, 0.5, 0.98])


def blob(height: int = 300, width: int = 400) -> np.ndarray:
    picture = Image.new("1", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((30, 40, 330, 260), fill=1)
    draw.ellipse((100, 100, 180, 170), fill=0)
    draw.rectangle((360, 5, 399, 60), fill=1)
    return np.array(picture)


MASKS = [random_mask(seed) for seed in range(60)]
MASKS += [blob(), np.zeros((7, 5), bool), np.ones((7, 5), bool), np.eye(9, dtype=bool)]


@pytest.mark.parametrize("mask", MASKS, ids=range(len(MASKS)))
def test_run_lengths_are_cocos_and_come_back(mask):
    coco = pytest.importorskip("pycocotools.mask")
    rle = rle_encode(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    back = rle_decode(rle)
    assert back.dtype == bool
    np.testing.assert_array_equal(back, mask)
    np.testing.assert_array_equal(rle_decode(theirs), mask)


def test_uncompressed_run_lengths_are_read():
    np.testing.assert_array_equal(rle_decode({"size": [2, 2], "counts": [1, 2, 1]}), [[False, True], [True, False]])


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [3, 2], "counts": rle_encode(np.eye(2, dtype=bool))["counts"]},
        {"size": [300, 400], "counts": rle_encode(blob())["counts"][:-1]},
        {"size": [2, 2], "counts": "PP"},
        {"size": [2, 2], "counts": "\x01"},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2]},
        {"size": 4, "counts": [4]},
    ],
)
def test_damaged_run_lengths_are_refused(rle):
    with pytest.raises(DataError):
        rle_decode(rle)


def test_box_is_tight_and_exclusive():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3] = mask[4, 3:9] = True
    assert box_of(mask) == (3, 2, 9, 5)
    assert box_xywh((3, 2, 9, 5)) == [3, 2, 6, 3]
    assert box_of(np.zeros((4, 4), bool)) is None


@pytest.mark.parametrize("mask", MASKS, ids=range(len(MASKS)))
def test_outlines_enclose_the_mask_exactly(mask):
    """A pixel belongs to the mask if and only if the outlines wind once around its centre."""
    traced = outlines(mask)
    assert sum(signed_area(outline) for outline in traced) == mask.sum()
    winding = np.zeros(mask.shape, int)
    for outline in traced:
        for (x0, y0), (x1, y1) in zip(outline.tolist(), np.roll(outline, -1, axis=0).tolist(), strict=True):
            assert (x0 == x1) != (y0 == y1), "neighbouring corners differ in one coordinate only"
            if x0 == x1:  # a ray to the right of a pixel centre crosses vertical edges
                winding[min(y0, y1) : max(y0, y1), :x0] += np.sign(y1 - y0)
    np.testing.assert_array_equal(winding, mask.astype(int))


def test_polygons_are_outer_outlines_largest_first():
    mask = blob()
    polygons = polygons_of(mask)
    assert len(polygons) == 2, "two pieces, the hole is not a polygon"
    assert polygons[1] == [360.0, 5.0, 400.0, 5.0, 400.0, 61.0, 360.0, 61.0]
    assert polygons_of(mask, min_area=10_000) == polygons[:1]
    assert polygons_of(np.zeros((3, 3), bool)) == []


def test_run_lengths_of_a_part_are_those_of_the_whole() -> None:
    """Wherever the part lies, over an edge or outside too."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        height, width, tall, wide = rng.integers(1, 12, 4)
        left, top = int(rng.integers(-6, 14)), int(rng.integers(-6, 14))
        part = rng.random((tall, wide)) < rng.random() * 1.3
        around = np.zeros((60, 60), bool)
        around[20 + top : 20 + top + tall, 20 + left : 20 + left + wide] = part
        whole = around[20 : 20 + height, 20 : 20 + width]
        assert rle_within(part, left, top, (int(height), int(width))) == rle_encode(whole)


@pytest.mark.parametrize("mask", MASKS, ids=range(len(MASKS)))
def test_regions_are_scipys_and_have_one_outer_outline_each(mask):
    ndimage = pytest.importorskip("scipy.ndimage")
    labels, areas, boxes = label_regions(mask)
    theirs, count = ndimage.label(mask)  # joins across edges, too
    np.testing.assert_array_equal(labels > 0, mask)
    assert len(areas) == len(boxes) == count == len(set(zip(labels[mask].tolist(), theirs[mask].tolist(), strict=True)))
    assert sum(signed_area(outline) > 0 for outline in outlines(mask)) == count
    assert (np.diff(areas) <= 0).all(), "the largest first"
    for number, (area, box) in enumerate(zip(areas, boxes, strict=True), 1):
        assert np.count_nonzero(labels == number) == area and box_of(labels == number) == tuple(box)


def test_a_snake_is_one_region_and_its_gaps_are_one_hole():
    snake = np.zeros((41, 60), bool)
    snake[::2] = True
    snake[1::4, -1] = snake[3::4, 0] = True
    assert label_regions(snake)[0].max() == 1
    assert label_regions(~snake)[0].max() == 20, "rows of the background, apart across corners"
