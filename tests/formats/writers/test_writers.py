"""A dataset written in another layout reads back as it was."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import layouts
from restr.cli.main import main
from restr.errors import ConfigError, DatasetError
from restr.formats.catalog import open_dataset
from restr.formats.writers import convert
from restr.masks import rle_decode

OPENED = {
    "jsonl": "jsonl:samples.jsonl",
    "coco": "coco:instances.json",
    "refer": "refer:own/refs(own).p",
    "parquet": "parquet:.",
}


@pytest.mark.parametrize("form", OPENED)
@pytest.mark.parametrize("split", ["train", "val"])
def test_it_reads_back_as_it_was(form: str, split: str, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    layouts.make_refer(tmp_path / "from", "grefcoco")
    samples = open_dataset(f"grefcoco:unc:{split}", tmp_path / "from")
    convert(samples, form, tmp_path / "to")
    found = open_dataset(f"{OPENED[form]}:{split}", tmp_path / "to")
    assert [sample.text for sample in found] == [sample.text for sample in samples]  # with what means nothing
    for one, two in zip(found, samples, strict=True):
        assert np.array_equal(one.mask, two.mask) and np.array_equal(one.image, two.image)


def test_webdataset_shards(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    layouts.make_refer(tmp_path / "from")
    samples = open_dataset("refcoco:unc:train", tmp_path / "from")
    convert(samples, "webdataset", tmp_path / "to")
    with tarfile.open(tmp_path / "to" / "train-000000.tar") as archive:
        assert archive.getnames() == ["00000000.jpg", "00000000.json", "00000001.jpg", "00000001.json"]
        member = archive.extractfile("00000001.json")
        assert member is not None
        facts = json.load(member)
    assert facts["text"] == "red" and np.array_equal(rle_decode(facts["mask"]), samples[1].mask)


def test_a_turned_picture_is_written_upright(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    layouts.make_jsonl(tmp_path / "from")
    path = tmp_path / "from" / layouts.NAMES[0]
    with Image.open(path) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif)
    row = {"image": path.name, "text": "it", "bbox": [1, 1, 5, 5]}
    (tmp_path / "from" / "mine.jsonl").write_text(json.dumps(row))
    samples = open_dataset("jsonl:mine.jsonl", tmp_path / "from")
    convert(samples, "jsonl", tmp_path / "to")
    found = open_dataset("jsonl:samples.jsonl", tmp_path / "to")
    assert np.array_equal(found[0].image, samples[0].image) and np.array_equal(found[0].mask, samples[0].mask)


def test_the_command_never_writes_over_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.make_refer(tmp_path)
    arguments = [
        "data",
        "convert",
        "refcoco:unc:val",
        "--root",
        str(tmp_path),
        "--to",
        "coco",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0 and "1 expressions in" in capsys.readouterr().out
    assert main(arguments) == 1 and "is not empty; name a new folder" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="choose one of jsonl, csv, coco, refer"):
        convert(open_dataset("refcoco:val", tmp_path), "voc", tmp_path / "x")
    with pytest.raises(DatasetError, match="is not empty"):
        convert(open_dataset("refcoco:val", tmp_path), "jsonl", tmp_path / "out")
