"""Left-out parts of files are counted: in lists, in tables, and by the verbs that use a dataset."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotated import area, left, opened, picture
from restr.cli.main import main
from restr.cli.notices import LOOKED_AT, empty_masks
from restr.cli.verbs.train import Train, task_of
from restr.data.entries.left_out import BAD, LeftOut, summary
from restr.data.entries.regions import check_region
from restr.errors import DatasetError
from restr.formats.catalog import open_dataset
from restr.masks import rle_encode
from restr.model.build import build_model
from restr.model.weights import save_pretrained
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary

GOOD = {"image": "a.png", "text": "good", "bbox": [5, 6, 20, 20]}
MARKED = area(5, 6, 25, 26)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    picture(tmp_path / "a.png")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model's folder, which loads quickly; its results matter to no test here."""
    folder = tmp_path_factory.mktemp("model")
    words = Vocabulary(["good", "nothing"])
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, folder)
    return str(folder)


def jsonl(root: Path, *rows: Any) -> str:
    (root / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "jsonl:d.jsonl"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"image": "a.png", "text": "x"}, "line 2: region is"),
        ([1, 2], "line 2 is list [1, 2]; expected an object"),
        (GOOD | {"bbox": None, "mask": ""}, "line 2: region is"),
        ({"image": "a.png", "bbox": [1, 1, 5, 5]}, "line 2 has no text or expression"),
        ({"text": "x", "bbox": [1, 1, 5, 5]}, "line 2 has no image"),
        (GOOD | {"bbox": [1, 1, -5, 5]}, "line 2: the region cannot be read"),
        (GOOD | {"bbox": [1, 1, 5]}, "not enough values"),
        (GOOD | {"segmentation": [[1, 2, 3, 4, 5, float("nan")]]}, "in no picture"),
        (GOOD | {"mask": {"size": [4, 4], "counts": "@"}}, "line 2: the region cannot be read"),
        (GOOD | {"mask": {"counts": "@"}}, "run lengths need 'size'"),
        (GOOD | {"height": 0, "width": 5}, "a picture's size"),
    ],
)
def test_a_bad_line_is_named_beside_the_good_ones(bad: Any, says: str, root: Path) -> None:
    samples = open_dataset(jsonl(root, GOOD, bad, GOOD | {"text": "last"}), root)
    assert samples.texts() == ["good", "last"] and left(samples) == {BAD: 1}
    assert says in samples.left_out()[0].detail and "d.jsonl, line 2" in samples.left_out()[0].detail


def test_a_line_cut_off_is_named_beside_the_good_ones(root: Path) -> None:
    spec = jsonl(root, GOOD, GOOD | {"text": "last"})
    with open(root / "d.jsonl", "a") as file:
        file.write('{"image": "a.p')
    samples = open_dataset(spec, root)
    assert samples.texts() == ["good", "last"] and "line 3 is not JSON" in samples.left_out()[0].detail
    assert samples.ids() == ["1", "2"]


def test_parts_of_two_points_cover_nothing(root: Path) -> None:
    square = [5, 6, 25, 6, 25, 26, 5, 26]
    rows = [
        {"image": "a.png", "text": "both", "segmentation": [[1, 1, 2, 2], square]},
        {"image": "a.png", "text": "boxed", "segmentation": [[1, 1, 2, 2]], "bbox": GOOD["bbox"]},
        {"image": "a.png", "text": "neither", "segmentation": [[1, 1, 2, 2]]},
    ]
    found, samples = opened(jsonl(root, *rows), root)
    assert np.array_equal(found["both"], MARKED) and np.array_equal(found["boxed"], MARKED)
    assert left(samples) == {"part of fewer than three points": 1, BAD: 1}


def test_lists_of_repositories_name_a_bad_region(root: Path) -> None:
    rows: list[Any] = [
        {"img_name": "a.png", "sents": [text], "mask": rle} for text, rle in (("good", rle_encode(MARKED)), ("bad", {}))
    ]
    rows.append(5)
    (root / "anns").mkdir()
    (root / "anns" / "val.json").write_text(json.dumps(rows))
    (root / "d.json").write_text(
        json.dumps({"val": [{"img_name": "a.png", "expressions": ["good"], "bbox": [1, 2]}, *rows]})
    )
    for spec, count in (("lists:anns", 2), ("grouped:d.json", 3)):
        samples = open_dataset(spec, root)
        assert samples.texts() == ["good"] and left(samples) == {BAD: count}


def csv(root: Path, text: str) -> str:
    (root / "d.csv").write_text(text)
    return "csv:d.csv"


@pytest.mark.parametrize(
    ("table", "size"),
    [
        ("image,text,mask,width,height\na.png,good,m.png,60,40\n", (40, 60)),
        ("image,text,mask,image_width,image_height,x,y,width,height\na.png,good,m.png,60,40.0,1,1,5,5\n", (40, 60)),
        ("image,text,mask,x,y,width,height\na.png,good,m.png,1,1,5,5\n", None),  # a box's sides are not the picture's
        ("image,text,x,y,width,height\na.png,good,5,6,20,20\n", None),
        ('image,text,width,height,bbox\na.png,good,60,40,"[5, 6, 20, 20]"\n', (40, 60)),
        ("image,text,x,y,width,height,image_width,image_height\na.png,good,5,6,20,20,60,40\n", (40, 60)),
        ("image,text,mask,value\na.png,good,classes.png,2\n", None),
    ],
)
def test_a_table_with_masks_and_sizes(table: str, size: tuple[int, int] | None, root: Path) -> None:
    Image.fromarray(MARKED).save(root / "m.png")
    Image.fromarray(MARKED.astype(np.uint8) * 2 + area(40, 1, 50, 9)).save(root / "classes.png")
    found, samples = opened(csv(root, table), root)
    assert np.array_equal(found["good"], MARKED) and samples.entry(0).size == size and samples.left_out() == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,bad,1,1,wide,5", "width is list ['wide']; expected numbers"),
        ("a.png,bad,1,1,5,5,7,8", "the row is list ['7', '8']; expected as many cells as the table has columns"),
        ("a.png,bad,1,1,5", "height is list [None]"),
        ("a.png,,1,1,5,5", "has no text or expression"),
        ("a.png,bad,,1,5,5", "x is list [None]"),
    ],
)
def test_a_bad_row_is_named_beside_the_good_ones(row: str, says: str, root: Path) -> None:
    found, samples = opened(csv(root, f"image,text,x,y,width,height\n{row}\na.png,good,5,6,20,20\n"), root)
    assert list(found) == ["good"] and left(samples) == {BAD: 1}
    assert says in samples.left_out()[0].detail and "d.csv, line 2" in samples.left_out()[0].detail


def test_the_counts_in_one_line() -> None:
    notes = [
        LeftOut(what="key point", count=1200),
        LeftOut(what="text of no region", count=2),
        LeftOut(what="relation"),
    ]
    assert summary([*notes, LeftOut(what=BAD), LeftOut(what=BAD)]) == (
        "2 bad annotations, 1,200 key points, 2 texts of no region, 1 relation"
    )
    assert summary([LeftOut(what="annotation without expressions", count=3)]) == "3 annotations without expressions"
    assert summary([]) == ""


@pytest.mark.parametrize(
    "region", [{"polygons": [[]]}, {"polygons": [["x"] * 6]}, {"box": [1, 2, 3, 1e999]}, {"rle": 5}, {"polygons": 5}]
)
def test_a_region_is_checked_without_being_made(region: dict) -> None:
    with pytest.raises(DatasetError, match="there: the region cannot be read"):
        check_region(region, "there")
    check_region({"file": "none.png"}, "there")
    check_region({"rle": {"size": [1 << 20, 1 << 20], "counts": [1 << 40]}}, "there")  # a terabyte of a mask


def test_an_older_index_is_made_again(root: Path) -> None:
    spec = jsonl(root, GOOD, {})
    path = open_dataset(spec, root).entries.path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET key = replace(key, '[2', '[1')")
        connection.execute("DROP TABLE left_out")
    connection.close()
    assert left(open_dataset(spec, root)) == {BAD: 1}


def test_eval_and_convert_say_the_count_in_one_line(root: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = jsonl(root, GOOD, {"image": "a.png"}, GOOD | {"bbox": "x"})
    line = f"{spec}: left out 2 bad annotations; restr data check says which and why\n"
    assert main(["eval", "--data", spec, "--root", str(root), "--model", model]) == 0
    printed = capsys.readouterr()
    assert line in printed.err and printed.out.startswith(f"**{spec}**") and "1 sentences" in printed.out
    assert main(["data", "convert", spec, "--root", str(root), "--to", "jsonl", "--out", str(root / "out")]) == 0
    assert line in capsys.readouterr().err


def test_train_and_finetune_say_the_count_in_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = jsonl(root, GOOD, {"image": "a.png"})
    line = f"{spec}: left out 1 bad annotation; restr data check says which and why\n"
    task_of(Train(data=spec, val=spec, root=root, out=root / "run", preset="restr_tiny"))
    assert capsys.readouterr().err.count(line) == 2  # of what is trained on, and of what is measured on
    assert main(["finetune", spec, "--root", str(root), "--out", str(root / "tuned")]) == 1  # one picture is too few
    assert line in capsys.readouterr().err


def test_masks_that_are_all_empty_are_warned_of(root: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (60, 40)).save(root / "black.png")
    rows = [{"image": "a.png", "text": str(number), "mask": "black.png"} for number in range(3)]
    spec = jsonl(root, *rows, {"image": "a.png", "text": "nothing", "mask": "none"})
    assert main(["eval", "--data", spec, "--root", str(root), "--model", model]) == 0
    assert (
        f"{spec}: each mask that names a region is empty, so nothing can be learnt or measured"
        in capsys.readouterr().err
    )
    assert empty_masks(open_dataset(spec, root)) == 3
    assert empty_masks(open_dataset(jsonl(root, *(rows * 40)[: 2 * LOOKED_AT]), root)) == LOOKED_AT
    assert empty_masks(open_dataset(jsonl(root, *rows, GOOD), root)) == 0  # as soon as one is not
    assert empty_masks(open_dataset(jsonl(root, {"image": "a.png", "text": "nothing", "mask": "none"}), root)) == 0
