"""Files that restr did not write: their pictures are told apart by content, and another content is noticed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mixed_pictures import BLUE, BOX, GREEN, RED, colours_fit, flat
from restr.evaluation.grouping import by_image
from restr.formats.catalog import open_dataset


def parquet_rows(path: Path, pictures: list[tuple[str, bytes, str]]) -> None:
    """A file as others write it: names, pictures and sentences, no digests."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    rows = [
        {"question_id": str(n), "image": {"bytes": content, "path": name}, "answer": [text], "file_name": name,
         "segmentation": [10.0, 8.0, 50.0, 8.0, 50.0, 32.0, 10.0, 32.0]}
        for n, (name, content, text) in enumerate(pictures)
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(rows), path, row_group_size=3)


@pytest.mark.parametrize(
    "names", [["f.png"] * 3, ["a/f.png", "b/f.png", "c/f.png"], ["f.png", "f.bmp", "f.tif"], ["\u65e5" * 90] * 3]
)
@pytest.mark.parametrize("spec", ["parquet:data", "shards:data"])
def test_rows_of_one_name_hold_their_own_pictures(spec: str, names: list[str], tmp_path: Path) -> None:
    rows = [
        (name, flat(tmp_path / "x.bmp", colour), str(colour))
        for name, colour in zip(names, (RED, GREEN, BLUE), strict=True)
    ]
    rows = [row for row in rows for _ in range(2)]  # six rows: a picture lies on both sides of a row group's end
    parquet_rows(tmp_path / "data" / "val-0.parquet", rows)
    samples = open_dataset(spec, tmp_path)
    assert colours_fit(samples) == 6
    assert [len(group) for group in by_image(samples)] == [2, 2, 2]


@pytest.mark.parametrize("spec", ["parquet:data", "shards:data"])
@pytest.mark.parametrize("dated", [False, True], ids=["a new date", "the old date"])
def test_a_replaced_parquet_file_is_noticed(spec: str, dated: bool, tmp_path: Path) -> None:
    path = tmp_path / "data" / "val-0.parquet"
    for number, colour in enumerate((RED, BLUE)):
        parquet_rows(path, [("f.bmp", flat(tmp_path / "x.bmp", colour), str(colour).ljust(12))])
        if dated:
            os.utime(path, (1, 1))
        (sample,) = open_dataset(spec, tmp_path)
        assert tuple(sample.image[0, 0].tolist()) == colour, f"after {number} replacements"


def test_an_extracted_picture_that_was_changed_is_written_again(tmp_path: Path) -> None:
    parquet_rows(tmp_path / "data" / "val-0.parquet", [("f.png", flat(tmp_path / "x.png", RED), str(RED))])
    assert colours_fit(open_dataset("parquet:data", tmp_path)) == 1
    (kept,) = (tmp_path / "data" / "images").iterdir()
    flat(kept, BLUE)
    os.utime(tmp_path / "data" / "val-0.parquet")
    assert colours_fit(open_dataset("parquet:data", tmp_path)) == 1


def test_a_users_own_picture_is_not_taken_for_an_extracted_one(tmp_path: Path) -> None:
    own = flat(tmp_path / "data" / "images" / "f.png", GREEN)
    parquet_rows(tmp_path / "data" / "val-0.parquet", [("f.png", flat(tmp_path / "x.png", RED), str(RED))])
    assert colours_fit(open_dataset("parquet:data", tmp_path)) == 1
    assert (tmp_path / "data" / "images" / "f.png").read_bytes() == own


def test_parquet_outside_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet_rows(tmp_path / "data" / "val-0.parquet", [("f.png", flat(tmp_path / "x.png", RED), str(RED))])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert colours_fit(open_dataset(f"parquet:{tmp_path / 'data'}")) == 1
    assert colours_fit(open_dataset("parquet:../data")) == 1


@pytest.mark.parametrize("masked", [False, True], ids=["run lengths", "a mask's picture"])
def test_pictures_of_one_length_in_a_tar_stay_apart(masked: bool, tmp_path: Path) -> None:
    white = np.zeros((40, 60), np.uint8)
    white[8:32, 10:50] = 255
    buffer = io.BytesIO()
    Image.fromarray(white).save(buffer, "PNG")
    with tarfile.open(tmp_path / "val-0.tar", "w") as archive:
        for number, colour in enumerate((RED, RED, BLUE, BLUE, GREEN)):
            facts = {"id": str(number), "text": str(colour), "image_id": "7"} | ({} if masked else {"bbox": BOX})
            members = {"bmp": flat(tmp_path / "x.bmp", colour), "json": json.dumps(facts).encode()}
            for ending, content in (members | ({"mask.png": buffer.getvalue()} if masked else {})).items():
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    samples = open_dataset("shards:val-0.tar", tmp_path)
    assert colours_fit(samples) == 5
    assert [len(group) for group in by_image(samples)] == [2, 2, 1]
    assert masked or [len(group) for group in samples.image_groups()] == [2, 2, 1]


def test_two_files_of_one_stem_have_an_index_each(tmp_path: Path) -> None:
    for name, colour in (("d.jsonl", RED), ("d.txt", BLUE)):
        flat(tmp_path / f"{name}.png", colour)
        (tmp_path / name).write_text(json.dumps({"image": f"{name}.png", "text": str(colour), "bbox": BOX}))
    first, second = open_dataset("jsonl:d.jsonl", tmp_path), open_dataset("jsonl:d.txt", tmp_path)
    assert first.entries.path != second.entries.path and colours_fit(first) == colours_fit(second) == 1
