"""The everyday sentences: how they are read and measured, and that the published file and its datasheet are what they say."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from everyday_layout import EVERYDAY, make_everyday
from layouts import LEFT, RIGHT, SIZE
from restr.cli.main import main
from restr.data.generated import vocabulary
from restr.errors import DatasetError
from restr.formats.catalog import open_dataset
from restr.formats.readers.everyday import split_of
from restr.model.build import build_model
from restr.model.weights import save_pretrained
from restr.presets import restr_tiny
from scripts import ROOT, load_script

SENTENCES = Path("expressions", "everyday_train.jsonl")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return load_script("recipes/everyday/make.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_everyday(tmp_path)
    return tmp_path


def change_lines(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    rows = [json.loads(line) for line in (folder / SENTENCES).read_text().splitlines()]
    change(rows)
    (folder / SENTENCES).write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_annotation(folder: Path, identity: int, **values: Any) -> None:
    path = folder / "photos" / "instances.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        if annotation["id"] == identity:
            annotation |= values
    path.write_text(json.dumps(content))


def test_kinds_and_photographs_of_samples(folder: Path) -> None:
    samples = list(open_dataset("everyday:.:val", folder))
    assert [sample.kind for sample in samples] == ["one", "group", "absent"]
    assert {sample.image_id for sample in samples} == {"photos/coco_000000000034.jpg"}
    everything = open_dataset(f"everyday:{folder}:all")
    assert len(everything) == len(open_dataset(f"everyday:{folder}")) == 6
    assert everything.entries.splits() == {"train": 3, "val": 3}


def test_the_split_is_the_hash_of_the_name_and_never_that_of_a_networks_masks() -> None:
    names = [f"coco_{number:012d}.jpg" for number in range(2000)]
    held_out = [name for name in names if split_of("photos_more", name) == "val"]
    assert held_out == [name for name in names if zlib.crc32(name.encode()) % 33 == 0]
    assert {"coco_000000000034.jpg", "coco_000000000048.jpg", "coco_000000000094.jpg"} == set(held_out[:3])
    assert {split_of("photos_boxes", name) for name in names} == {"train"}


def test_what_has_no_mask_is_counted_and_left_out(folder: Path) -> None:
    change_annotation(folder, 12, segmentation=None)
    samples = open_dataset("everyday:.:val", folder)
    assert samples.texts() == ["left one", "the elephant"]
    (left,) = samples.left_out()
    assert (left.what, left.count) == ("sentence about an annotation without a mask", 1)
    assert "coco_000000000034.jpg, 'both'" in left.detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[0].update(photos="others"), "line 1: photos is str 'others'; expected one of photos, photos_more"),
        (lambda rows: rows[1].update(image="no.jpg"), "line 2: image is str 'no.jpg'; expected an image in .*photos_boxes"),
        (lambda rows: rows[0].update(instances=[99]), "line 1: instances is int 99; expected the id of an annotation of coco_"),
        (lambda rows: rows[0].update(instances=[13]), "line 1: instances is int 13; .* of coco_000000000034.jpg"),
        (lambda rows: rows[2].update(instances=[]), "line 3: instances is list .*; expected none where the kind is absent"),
        (lambda rows: rows[5].update(instances=[11]), r"line 6: instances is list \[11\]; expected none where"),
        (lambda rows: rows[3].update(kind="two"), "line 4: kind is str 'two'; expected one of one, group, absent"),
    ],
)  # fmt: skip
def test_errors_name_the_line(change: Callable, says: str, folder: Path) -> None:
    change_lines(folder, change)
    with pytest.raises(DatasetError, match=says):
        open_dataset("everyday:.", folder)


def test_errors_name_what_the_folder_lacks(folder: Path) -> None:
    (folder / "photos_more" / "instances.json").unlink()
    with pytest.raises(DatasetError, match=r"has no photos_more/instances.json; expected a folder with photos,"):
        open_dataset("everyday:.", folder)
    with pytest.raises(DatasetError, match=r"nowhere has no photos/instances.json, .*everyday_train.jsonl; expected"):
        open_dataset("everyday:nowhere", folder)


def test_eval_tells_the_splits_apart_and_counts_what_is_absent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = vocabulary()
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, folder / "model")
    found = {}
    for name, options in {"val": [], "train": ["--split", "train"], "all": ["--split", "all"]}.items():
        out = folder / name
        command = [
            "eval",
            "--data",
            f"everyday:{folder}",
            "--model",
            str(folder / "model"),
            "--out",
            str(out),
            *options,
        ]
        assert main([*command, "--device", "cpu", "--threads", "1"]) == 0
        printed = capsys.readouterr().out
        assert f"everyday {name}, sentences written by a language model that saw the photographs" in printed
        found[name] = json.loads((out / "metrics.json").read_text())["overall"]
    assert {name: overall["n"] for name, overall in found.items()} == {"val": 3, "train": 3, "all": 6}
    assert {name for name, overall in found.items() if "n_acc" in overall} == {"val", "all"}


def test_a_split_in_the_spec_is_the_one_measured(folder: Path) -> None:
    from restr.cli.options import DataOptions
    from restr.evaluation.samples import title_of

    settings = DataOptions(data=f"everyday:{folder}:train")
    assert [sample.text for sample in settings.open()] == [
        "right one of a box",
        "her skirt",
        "the middle",
    ]
    assert title_of(settings.data, split=settings.split).startswith("everyday train,")


def test_rows_say_where_things_are(make: ModuleType, folder: Path) -> None:
    change_annotation(folder, 12, bbox=[40, 10, 15, 20], area=int(RIGHT.sum()))
    change_annotation(folder, 11, bbox=[5, 10, 15, 20], area=int(LEFT.sum()))
    rows = make.rows_of(folder)
    by_text = {row["text"]: row for row in rows}
    assert [row["set"] for row in rows] == ["photos"] * 4 + ["photos_more", "photos_boxes"]
    height, width = SIZE
    assert by_text["both"] == {
        "set": "photos", "coco": 9, "split": "val", "kind": "group", "text": "both",
        "objects": [{"category": "thing", "box": [round(x / width, 4), 10 / height, 15 / width, 20 / height],
                     "area": 300 / (width * height)} for x in (5, 40)],
    }  # fmt: skip
    assert by_text["the elephant"]["objects"] == []
    assert (by_text["her skirt"]["source"], by_text["her skirt"]["file"]) == ("ccp", EVERYDAY["photos"][1])
    assert "area" not in by_text["right one of a box"]["objects"][0]


@pytest.mark.parametrize(
    ("licence", "there"), [("MIT (repository)", True), ("none stated; photographs from the web", False), (None, False)]
)
def test_boxes_go_only_where_a_licence_lets_them(
    make: ModuleType, folder: Path, licence: str | None, there: bool
) -> None:
    path = folder / "photos" / "instances.json"
    content = json.loads(path.read_text())
    content["images"][0] |= {"source": "web", "licence": licence, "repo": "somebody/something", "path": "a/b.jpg"}
    path.write_text(json.dumps(content))
    rows = [row for row in make.rows_of(folder) if row.get("source") == "web"]
    assert [("objects" in row, row["kind"]) for row in rows] == [(there, "one"), (there, "group"), (True, "absent")]
    assert {(row["repo"], row["path"]) for row in rows} == {("somebody/something", "a/b.jpg")}


def test_the_same_input_gives_the_same_bytes_and_numbers(make: ModuleType, folder: Path) -> None:
    (folder / "README.md").write_text(f"before\n{make.BEGIN}\nold\n{make.END}\nafter\n")
    written = []
    for _ in range(2):
        make.main(make.Make(data=folder, out=folder))
        written.append(((folder / make.FILE).read_bytes(), (folder / "README.md").read_text()))
    assert written[0] == written[1]
    text = written[0][1]
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "6 sentences about 4 photographs" in text
    assert "| all | 4 | 6 | 4 | 1 | 1 | 3 | 3 |" in text


def test_words_said_twice_for_different_things_are_counted(make: ModuleType) -> None:
    common = {"set": "photos", "coco": 1, "kind": "one", "split": "train"}
    rows = [{**common, "text": text, "objects": [{"category": "dog", "box": box}]}
            for text, box in (("dog", [0, 0, 1, 1]), ("Dog", [0, 0, 0.5, 1]), ("cat", [0, 0, 1, 1]), ("cat", [0, 0, 1, 1]))]  # fmt: skip
    assert make.faults(rows)[0].startswith("In 2 cases a photograph has the same words twice, in 1 of them")


def test_the_datasheet_counts_the_published_file(make: ModuleType) -> None:
    folder = ROOT / "recipes" / "everyday"
    text = (folder / make.DATASHEET).read_text(encoding="utf-8")
    assert make.with_numbers(text, make.numbers(folder / make.FILE)) == text
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert example in make.read_rows(folder / make.FILE)


def test_the_published_file_is_small_and_its_rows_hold_together(make: ModuleType) -> None:
    path = ROOT / "recipes" / "everyday" / make.FILE
    content = path.read_bytes()
    assert len(content) < 2_600_000 and content[4:8] == bytes(4)  # no date
    rows = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    boxes = np.array([each["box"] for row in rows for each in row.get("objects", [])])
    assert boxes.min() >= 0 and (boxes[:, :2] + boxes[:, 2:]).max() <= 1.001 and boxes[:, 2:].min() > 0
    for row in rows:
        name = f"coco_{row['coco']:012d}.jpg" if "coco" in row else row["file"]
        assert row["split"] == split_of(row["set"], name)
        assert row["text"].strip() == row["text"] != ""
        if "objects" in row:
            assert (row["kind"] == "absent") == (not row["objects"]) and (
                row["kind"] != "group" or len(row["objects"]) > 1
            )
