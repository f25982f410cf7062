"""Whatever is written reads back as the same samples, in every layout and through two of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mixed_pictures
from mixed_pictures import BLUE, BOX, GREEN, OPENED, RED, colours_fit, contents, dataset, flat
from restr.cli.main import main
from restr.errors import DatasetError
from restr.evaluation.grouping import by_image
from restr.formats import writers
from restr.formats.catalog import open_dataset
from restr.formats.writers import convert

# --- everything that is written --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", OPENED)
@pytest.mark.parametrize("seed", range(4))
def test_any_dataset_comes_back(form: str, seed: int, tmp_path: Path) -> None:
    samples = open_dataset(mixed_pictures.make(tmp_path, seed), tmp_path)
    expected = contents(samples)
    convert(samples, form, tmp_path / "to")
    for spec in OPENED[form]:
        found = open_dataset(spec, tmp_path / "to")
        assert contents(found) == expected
        assert sum(map(len, by_image(found))) == len(found)


@pytest.mark.parametrize(("first", "second"), [*itertools.product(OPENED, OPENED)])
def test_any_dataset_comes_through_two_layouts(first: str, second: str, tmp_path: Path) -> None:
    seed = 100 + list(itertools.product(OPENED, OPENED)).index((first, second))
    samples = open_dataset(mixed_pictures.make(tmp_path, seed), tmp_path)
    convert(samples, first, tmp_path / "one")
    convert(open_dataset(OPENED[first][0], tmp_path / "one"), second, tmp_path / "two")
    assert contents(open_dataset(OPENED[second][-1], tmp_path / "two")) == contents(samples)


CLASHES = {
    "a name that was made up": ["a/2-f.png", "a/f.png", "b/f.png"],
    "nested folders": ["f.png", "a/f.png", "a/a/f.png"],
    "case": ["f.png", "F.png", "f.PNG"],
    "another suffix": ["f.png", "f.bmp", "f.tif"],
    "accents": ["caf\u00e9.png", "cafe\u0301.png", "CAF\u00c9.png"],
    "long names": ["n" * 250 + ".png", "n" * 249 + "m.png", "a/" + "n" * 250 + ".png"],
    "odd characters": ["f%.png", "f .png", "f?.png"],
    "what becomes one character": ["f?.png", "f*.png", "f_.png"],
    "hidden": [".f.png", "_f.png", "a/.f.png"],
    "separators of Windows": ["a\\f.png", "b\\f.png", "f.png"],
}


@pytest.mark.parametrize("form", OPENED)
@pytest.mark.parametrize("clash", CLASHES)
def test_names_that_clash(clash: str, form: str, tmp_path: Path) -> None:
    samples = dataset(tmp_path, dict(zip(CLASHES[clash], (RED, GREEN, BLUE), strict=True)))
    convert(samples, form, tmp_path / "to")
    for spec in OPENED[form]:
        found = open_dataset(spec, tmp_path / "to")
        assert colours_fit(found) == 3
        assert len({sample.image_id for sample in found}) == 3, "evaluation tells pictures apart by this"


@pytest.mark.parametrize("form", ["jsonl", "coco", "refer"])
def test_a_picture_is_copied_once(form: str, tmp_path: Path) -> None:
    flat(tmp_path / "a" / "f.png", RED)
    rows = [
        {"image": image, "text": "it", "bbox": [1, 1, 5, 5 + n]}
        for n, image in enumerate(["a/f.png", "a//f.png", "./a/f.png"])
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    convert(open_dataset("jsonl:d.jsonl", tmp_path), form, tmp_path / "to")
    assert [path.name for path in (tmp_path / "to" / "images").iterdir()] == ["f.png"]


@pytest.mark.parametrize("form", OPENED)
def test_a_picture_of_two_splits_stays_in_both(form: str, tmp_path: Path) -> None:
    flat(tmp_path / "f.png", RED)
    rows = [{"image": "f.png", "text": split, "bbox": BOX, "split": split} for split in ("train", "val", "val-2")]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    convert(open_dataset("jsonl:d.jsonl", tmp_path), form, tmp_path / "to")
    for spec in OPENED[form]:
        found = open_dataset(spec, tmp_path / "to")
        assert {found.entry(n).split: found[n].text for n in range(3)} == {s: s for s in ("train", "val", "val-2")}


def test_a_picture_that_is_read_in_two_ways_is_two(tmp_path: Path) -> None:
    """EXIF data turns it where nothing is said of its size, and not where the annotations are of stored pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)).save(tmp_path / "f.png", exif=exif)
    rows = [{"image": "f.png", "text": "upright", "bbox": [1, 1, 5, 9]}]
    rows.append(rows[0] | {"text": "stored", "height": 20, "width": 30})
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    samples = open_dataset("jsonl:d.jsonl", tmp_path)
    assert [len(group) for group in by_image(samples)] == [1, 1]
    for form in OPENED:
        convert(samples, form, tmp_path / form)
        shapes = {sample.text: sample.image.shape for sample in open_dataset(OPENED[form][0], tmp_path / form)}
        assert shapes == {"upright": (30, 20, 3), "stored": (20, 30, 3)}


@pytest.mark.parametrize("ending", ["gif", "ppm", "tga", "jp2", "JPG", ""])
def test_any_picture_goes_into_a_tar_that_can_be_read(ending: str, tmp_path: Path) -> None:
    form = {"tga": "TGA", "jp2": "JPEG2000", "ppm": "PPM", "gif": "GIF"}.get(ending, "PNG")
    Image.fromarray(np.full((40, 60, 3), RED, np.uint8)).save(tmp_path / f"f.{ending}", form)
    (tmp_path / "d.jsonl").write_text(json.dumps({"image": f"f.{ending}", "text": "it", "bbox": BOX}))
    samples = open_dataset("jsonl:d.jsonl", tmp_path)
    convert(samples, "webdataset", tmp_path / "to")
    assert contents(open_dataset("shards:to", tmp_path)) == contents(samples)


# --- the check itself ------------------------------------------------------------------------------------------------


def broken(how: str):
    """JSONL's writer with a fault."""
    write, spec = writers.WRITERS["jsonl"]

    def faulty(reading, folder: Path) -> Path:
        made = write(reading, folder)
        rows = [json.loads(line) for line in made.read_text().splitlines()]
        if how == "lost":
            del rows[1]
        elif how == "twice":
            rows.append(rows[0] | {"id": "again"})
        elif how == "picture":
            rows[0]["image"] = rows[1]["image"]
        elif how == "mask":
            rows[0] |= {"mask": None, "bbox": [10, 8, 40, 23]}
        elif how == "sentence":
            rows[0]["text"] += " "
        elif how == "split":
            rows[0]["split"] = "val"
        elif how == "unreadable":
            (folder / rows[0]["image"]).write_bytes(b"no picture")
        made.write_text("\n".join(map(json.dumps, rows)))
        return made

    return faulty, spec


SAID = {
    "lost": "3 samples were given, 2 came back, 1 of them changed or lost; the first is .*, which nothing has the sentence of",
    "twice": "3 samples were given, 4 came back, 0 of them changed or lost; more often than given came '.220, 0, 0.' of all",
    "picture": "a mask of 960 pixels on picture .*, which became a mask of 960 pixels on picture",
    "mask": "a mask of 960 pixels .* became a mask of 920 pixels",
    "sentence": "which nothing has the sentence of",
    "split": "which nothing has the sentence of",
    "unreadable": "cannot be read",
}


@pytest.mark.parametrize("how", SAID)
def test_what_differs_is_refused_and_not_kept(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset(tmp_path, {"a/f.png": RED, "b/f.png": GREEN, "c/f.png": BLUE})
    monkeypatch.setitem(writers.WRITERS, "jsonl", broken(how))
    command = [
        "data",
        "convert",
        "jsonl:d.jsonl",
        "--root",
        str(tmp_path),
        "--to",
        "jsonl",
        "--out",
        str(tmp_path / "to"),
    ]
    assert main(command) == 1
    with pytest.raises(DatasetError, match=SAID[how]):
        convert(open_dataset("jsonl:d.jsonl", tmp_path), "jsonl", tmp_path / "to")
    assert not (tmp_path / "to").exists()
    monkeypatch.undo()
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("read back: the same sentences, masks and pictures\n")
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["images", "samples.jsonl"]


def test_two_conversions_never_share_a_folder(tmp_path: Path) -> None:
    samples, out = dataset(tmp_path, {"a/f.png": RED, "b/f.png": GREEN}), tmp_path / "to"
    refused = []

    def meanwhile(count: int) -> None:
        with pytest.raises(DatasetError, match="is being written to by another conversion") as caught:
            convert(samples, "coco", out)
        refused.append(caught)

    out.mkdir()
    convert(samples, "jsonl", out, progress=meanwhile)
    assert len(refused) == 2 and sorted(path.name for path in out.iterdir()) == ["images", "samples.jsonl"]


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    samples, out = dataset(tmp_path, {"a/f.png": RED}), tmp_path / "to"
    with pytest.raises(DatasetError, match="is not empty"):
        convert(samples, "jsonl", out, read_back=lambda count: (out / "samples.jsonl").touch())
    assert [path.name for path in out.iterdir()] == ["samples.jsonl"] and not (out / "samples.jsonl").read_bytes()
    with pytest.raises(DatasetError, match="is a file"):
        convert(samples, "jsonl", out / "samples.jsonl")
