"""Each kind of problem is found where it was put, and a clean dataset has none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import layouts
from layouts import NAMES, SIZE
from restr.cli.main import main
from restr.formats.catalog import open_dataset
from restr.inspection.check import PROBLEM_KINDS, check
from restr.masks import rle_encode
from restr.text.vocabulary import Vocabulary

WORDS = Vocabulary(["the", "left", "right", "middle", "dog", "cat", "one", "on", "red"])


def noise(path: Path, seed: int, *, size: tuple[int, int] = SIZE) -> None:
    """A picture that looks like no other: large random cells."""
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(cells).resize((size[1], size[0]), Image.Resampling.BICUBIC).save(path, quality=95)


def problems(root: Path, rows: list[dict]) -> list[tuple[str, str]]:
    (root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(open_dataset("jsonl:mine.jsonl", root), WORDS)
    assert set(report.counts()) <= set(PROBLEM_KINDS)
    return sorted((problem.kind, problem.entry or problem.image) for problem in report.problems)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        noise(tmp_path / name, seed)
    return tmp_path


def row(image: str = "a.jpg", text: str = "the left dog", **more: object) -> dict:
    return {"id": "x", "image": image, "text": text, "bbox": [2, 2, 9, 9], "split": "train"} | more


def test_a_clean_dataset_has_no_problems(root: Path) -> None:
    assert problems(root, [row(), row(id="y", text="right cat"), row("b.jpg", split="val")]) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"image": "none.jpg"}, "missing picture"),
        ({"mask": rle_encode(np.zeros(SIZE, bool))}, "empty mask"),
        ({"mask": rle_encode(np.ones(SIZE, bool))}, "whole picture"),
        ({"mask": rle_encode(np.ones((5, 5), bool))}, "size mismatch"),
        ({"height": 7, "width": 9}, "size mismatch"),
        ({"mask": "none.png"}, "unreadable"),
        ({"text": "..."}, "no words"),
        ({"text": "the dog " * 11}, "too long"),
        ({"text": "der hund ganz links"}, "not English"),
        ({"text": "\u0441\u043e\u0431\u0430\u043a\u0430"}, "not English"),
    ],
)
def test_a_bad_entry_is_found(change: dict, kind: str, root: Path) -> None:
    assert problems(root, [row(**change), row("b.jpg", id="fine")]) == [(kind, "x")]


def test_a_damaged_picture_is_found(root: Path) -> None:
    (root / "a.jpg").write_bytes(b"no picture")
    assert problems(root, [row()]) == [("unreadable", "x")]


def test_a_turned_picture_is_found(root: Path) -> None:
    with Image.open(root / "a.jpg") as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(root / "a.jpg", exif=exif)
    assert problems(root, [row()]) == [("turned", "x")]


def test_one_sentence_for_two_regions_is_found(root: Path) -> None:
    assert problems(root, [row(), row(id="y", text="The left  dog", bbox=[20, 2, 9, 9])]) == [("same sentence", "y")]


def test_splits_that_share_pictures_are_found(root: Path) -> None:
    with Image.open(root / "a.jpg") as picture:  # the same photograph, saved again a little smaller and brighter
        picture.resize((54, 36)).point(lambda value: value + 6).save(root / "again.jpg", quality=80)
    shutil.copy(root / "b.jpg", root / "copy.jpg")
    rows = [
        row(),
        row("again.jpg", id="y", split="val"),
        row(id="z", split="test"),
        row("b.jpg", id="b"),
        row("copy.jpg", id="c"),
    ]
    assert problems(root, rows) == [("duplicate", "copy.jpg"), ("leak by look", "again.jpg"), ("leak by name", "z")]


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.make_refer(tmp_path)
    assert main(["data", "check", "refcoco:unc", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert "train: 1 pictures, 2 expressions" in printed and "leak by name" in printed
    page = (tmp_path / "out" / "check.html").read_text()
    assert "leak by name (1)" in page and "data:image/jpeg;base64," in page and NAMES[0] in page
    assert json.loads((tmp_path / "out" / "check.json").read_text())["counts"]["leak by name"] == 1
    assert main(["data", "look"]) == 2 and main(["data", "--help"]) == 0
