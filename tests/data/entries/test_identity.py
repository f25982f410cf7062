"""The identity of pictures: names that stay distinct on every file system, digests, and stamps that change with a file."""

from __future__ import annotations

import os
import random
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

import mixed_pictures
from restr.data.entries.entry import Entry
from restr.data.entries.identity import NAME_BYTES, Names, digest_of_array, distinct_images, file_name, stamp_of
from restr.data.entries.index import index_name


@pytest.mark.parametrize("seed", range(5))
def test_names_are_unique_everywhere_and_can_be_written(seed: int, tmp_path: Path) -> None:
    paths = [folder + name for folder in mixed_pictures.FOLDERS for name in mixed_pictures.NAMES]
    random.Random(seed).shuffle(paths)
    names, again = Names(), Names()
    given = [names.of(path) for path in paths]
    assert given == [again.of(path) for path in paths] == [names.of(path) for path in paths], "they are stable"
    assert len({unicodedata.normalize("NFC", name).casefold() for name in given}) == len(paths)
    for name in given:
        assert len(name.encode()) <= NAME_BYTES and not name.startswith(".") and not set(name) & set('/\\:*?"<>|')
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == len(paths)


@pytest.mark.parametrize(
    ("path", "name"),
    {
        "a/b/f.png": "f.png",
        "COCO_train2014_000000000009.jpg": "COCO_train2014_000000000009.jpg",
        "a b/f 100%.png": "f 100%.png",
        "C:\\pictures\\f.png": "f.png",
        "https://host/a/f.png?size=2&k=v#top": "f.png",
        "s3://bucket/f.png": "f.png",
        "f.png?size=2": "f.png_size=2",
        ".f.png": "_f.png",
        "..": "__",
        "f.": "f_",
        "f ": "f_",
        "aux.png": "_aux.png",
        "COM1": "_COM1",
        "auxiliary.png": "auxiliary.png",
        "a\x00\n.png": "a__.png",
        "": "_",
        "\udcff.png": "_.png",
    }.items(),
)
def test_file_names(path: str, name: str) -> None:
    assert file_name(path) == name and Names().of(path) == name


def test_a_suffix_survives() -> None:
    names = Names()
    long = "\u65e5" * 300 + ".jpeg"
    assert names.of("a/f.png") == "f.png" and names.of("b/f.png").endswith(".png")
    assert names.of(long).endswith(".jpeg") and names.of("a/" + long).endswith(".jpeg")
    assert names.of("./a//f.png") == "f.png", "one path, however it is written"
    assert names.of("a/f.png", b"other pixels") not in ("f.png", names.of("b/f.png"))
    assert names.of("c/g", name="g.png") == "g.png" and names.of("d/g.png") != "g.png"


def test_digests_of_arrays() -> None:
    ones, bits = np.ones((4, 6), np.uint8), np.ones((4, 6), bool)
    other = bits.copy()
    other[3, 5] = False
    arrays = [ones, ones.reshape(6, 4), bits, bits.reshape(6, 4), other, ones * 2]
    assert len({digest_of_array(array) for array in arrays}) == len(arrays)
    assert digest_of_array(np.asfortranarray(ones)) == digest_of_array(ones)


@pytest.mark.parametrize("how", ["written over", "copied over", "renamed over"])
def test_a_stamp_changes_with_the_content(how: str, tmp_path: Path) -> None:
    path, other = tmp_path / "f", tmp_path / "g"
    for each, content in ((path, "one"), (other, "two")):
        each.write_text(content)
        os.utime(each, (1, 1))
    before = stamp_of(path.stat())
    assert before == stamp_of(path.stat())
    if how == "written over":
        path.write_text("two")
        os.utime(path, (1, 1))
    elif how == "copied over":
        shutil.copy2(other, path)
    else:
        os.replace(other, path)
    assert (path.stat().st_size, path.stat().st_mtime) == (3, 1) and stamp_of(path.stat()) != before


def test_pictures_that_claim_one_id_are_told_apart() -> None:
    claims = [("a/f.png", "f"), ("a/f.png", "f"), ("b/f.png", "f"), ("c.png", ""), ("a/f.png", "f"), ("b/f.png", "f")]
    entries = [
        Entry(id=str(n), image=image, text="", regions=(), image_id=claim) for n, (image, claim) in enumerate(claims)
    ]
    assert [getattr(entry, "image_id", None) for entry in distinct_images(entries)] == [
        "f",
        "f",
        "b/f.png",
        "c.png",
        "f",
        "b/f.png",
    ]


def test_every_file_has_an_index_of_its_own(tmp_path: Path) -> None:
    paths = ["d.jsonl", "d.txt", "a/d.jsonl", "a_d.jsonl", "D.jsonl", "n" * 250, "n" * 249 + "m", ""]
    names = {index_name("jsonl", tmp_path, tmp_path / path) for path in paths}
    assert len({name.casefold() for name in names}) == len(paths) and max(map(len, names)) < 220
    assert index_name("jsonl", Path(), Path("d.jsonl")) == index_name("jsonl", tmp_path, tmp_path / "d.jsonl")
