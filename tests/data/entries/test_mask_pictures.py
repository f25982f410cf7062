"""A mask picture is read as its writer meant it, or refused; it never becomes an empty mask silently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from annotated import area, picture
from restr.cli.main import main
from restr.errors import DatasetError
from restr.formats.catalog import open_dataset

MASK = area(12, 9, 41, 30)
OTHER = area(45, 3, 58, 20)
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]  # the palette's first colours


def grey(**levels: np.ndarray) -> Image.Image:
    """Levels by name ("v1"), later ones over earlier ones."""
    pixels = np.zeros(MASK.shape, np.uint8)
    for name, where in levels.items():
        pixels[where] = int(name[1:])
    return Image.fromarray(pixels)


def coloured(*parts: tuple[np.ndarray, tuple[int, ...]], background: tuple[int, ...] = (0, 0, 0)) -> Image.Image:
    pixels = np.zeros((*MASK.shape, len(background)), np.uint8)
    pixels[:] = background
    for where, colour in parts:
        pixels[where] = colour
    return Image.fromarray(pixels)


def indexed(**levels: np.ndarray) -> Image.Image:
    """Numbers with PASCAL VOC's colours; 255 is void."""
    found = grey(**levels).convert("P")
    found.putdata(grey(**levels).tobytes())
    found.putpalette([value for colour in VOC for value in colour] + [64] * (3 * 251) + [224, 224, 192])
    return found


def read(root: Path, mask: Image.Image, name: str = "m.png", **more: object) -> np.ndarray:
    picture(root / "a.png")
    mask.save(root / name, quality=85)
    (root / "d.jsonl").write_text(json.dumps({"image": "a.png", "text": "the thing", "mask": name, **more}))
    return open_dataset("jsonl:d.jsonl", root)[0].mask


@pytest.mark.parametrize(
    "mask",
    [
        grey(v255=MASK),
        grey(v1=MASK),
        grey(v77=MASK),
        Image.fromarray(MASK),
        Image.fromarray(MASK.astype(np.uint16)),
        Image.fromarray(MASK.astype(np.uint16) * 65535),
        coloured((MASK, (255, 255, 255))),
        coloured((MASK, (0, 0, 255))),
        coloured((MASK, (64, 0, 0))),
        coloured((MASK, (1, 1, 1))),
        coloured((MASK, (255, 0, 128, 255)), background=(0, 0, 0, 0)),
        coloured((MASK, (255, 255, 255, 255)), background=(255, 255, 255, 0)),
        coloured((MASK, (0, 200, 0, 255)), background=(0, 0, 0, 255)),
        indexed(v1=MASK),
        indexed(v3=MASK),
        indexed(v255=~MASK & area(10, 7, 43, 32), v2=MASK),
        grey(v255=MASK).convert("P"),
    ],
)
def test_one_thing_on_black_is_read_exactly(mask: Image.Image, tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path, mask), MASK)


@pytest.mark.parametrize(
    "mask",
    [
        grey(v255=MASK).filter(ImageFilter.BoxBlur(1)),
        grey(v255=MASK).resize((120, 80), Image.Resampling.BICUBIC).resize((60, 40), Image.Resampling.BILINEAR),
        coloured((MASK, (255, 0, 0))).filter(ImageFilter.BoxBlur(1)),
    ],
)
@pytest.mark.parametrize("name", ["m.png", "m.jpg"])
def test_soft_edges_are_cut_in_the_middle(mask: Image.Image, name: str, tmp_path: Path) -> None:
    assert (read(tmp_path, mask, name) ^ MASK).sum() <= 0.05 * MASK.sum()


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (grey(v1=MASK, v2=OTHER), "holds the numbers 1, 2 beside 0, as a picture of classes does"),
        (grey(v255=~MASK & area(10, 7, 43, 32), v15=MASK), "the numbers 15, 255"),
        (grey(v5=OTHER, v200=MASK), "the numbers 5, 200"),
        (Image.fromarray(MASK.astype(np.uint16) + 300 * OTHER.astype(np.uint16)), "the numbers 1, 300"),
        (indexed(v1=MASK, v3=OTHER), "the numbers 1, 3"),
        (coloured((MASK, (255, 0, 0)), (OTHER, (0, 0, 255))), "holds 2 colours beside black"),
        (coloured((MASK, (128, 0, 0)), (OTHER, (192, 0, 0))), "holds 2 colours beside black"),
        (coloured((MASK, (255, 0, 0)), background=(255, 255, 255)), "expected one colour on black"),
    ],
)
def test_what_could_mean_several_things_is_refused(mask: Image.Image, says: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=says):
        read(tmp_path, mask)
    assert main(["data", "check", "jsonl:d.jsonl", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    found = json.loads((tmp_path / "out" / "check.json").read_text())["problems"]
    assert [each["kind"] for each in found] == ["unreadable"] and says in found[0]["detail"]


@pytest.mark.parametrize("made", [grey, indexed])
@pytest.mark.parametrize(("value", "expected"), [(1, MASK), (2, OTHER), (9, area(0, 0, 0, 0))])
def test_a_number_chooses_a_class(made: Callable, value: int, expected: np.ndarray, tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path, made(v1=MASK, v2=OTHER), value=value), expected)


def test_a_number_needs_numbers(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is in colour \(RGB\); expected one number per pixel for the value 1"):
        read(tmp_path, coloured((MASK, (255, 0, 0))), value=1)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_wide_numbers_are_read(kind: type, tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path, Image.fromarray(MASK.astype(kind)), "m.tif"), MASK)


def test_black_is_empty(tmp_path: Path) -> None:
    assert not read(tmp_path, grey()).any()
