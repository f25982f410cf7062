"""Every reader gives the sentences and masks that were written down; damaged files are named, never a crash."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import everyday_layout
import layouts
from annotated import after_an_accident
from layouts import LEFT, MIDDLE, NAMES, SIZE
from restr.errors import DatasetError
from restr.formats.catalog import OWN_LAYOUTS, PUBLISHED_LAYOUTS, open_dataset
from restr.formats.readers.safe_pickle import read_pickle

LAYOUTS = layouts.LAYOUTS | everyday_layout.LAYOUTS


def test_every_row_of_the_catalog_is_tested_and_documented() -> None:
    tested = {spec.partition(":")[0] for spec in LAYOUTS}
    assert {*PUBLISHED_LAYOUTS, *OWN_LAYOUTS} == tested, "LAYOUTS of this file needs a small dataset of every row"
    pages = "".join(
        (Path(__file__).parents[3] / "docs" / name).read_text(encoding="utf-8")
        for name in ("own-data.md", "evaluation.md")
    )
    assert [name for name in PUBLISHED_LAYOUTS if name not in pages] == [], "say in docs/own-data.md how to name it"
    assert [name for name in OWN_LAYOUTS if f"{name}:" not in pages] == [], "say in docs/own-data.md how to name it"


@pytest.mark.parametrize("spec", LAYOUTS)
def test_sentences_and_masks(spec: str, tmp_path: Path) -> None:
    make, expected = LAYOUTS[spec]
    make(tmp_path)
    samples = open_dataset(spec, tmp_path)
    assert len(samples) == len(expected)
    for sample, (text, mask) in zip(samples, expected, strict=True):
        assert sample.text == text
        assert np.array_equal(sample.mask, mask), text
        assert sample.image.shape == (*SIZE, 3) and sample.image.dtype == np.uint8
    assert len({sample.id for sample in samples}) == len(samples)
    name, where = spec.split(":")[:2]
    if name in OWN_LAYOUTS:
        sources = OWN_LAYOUTS[name].sources(tmp_path / where)
        assert sources, "`sources` of its row in OWN_LAYOUTS must name the files whose change makes the index old"
    again = open_dataset(spec, tmp_path)  # from the index now
    assert [again.entry(i) for i in range(len(again))] == [samples.entry(i) for i in range(len(samples))]


def test_the_summing_bug_can_be_had(tmp_path: Path) -> None:
    layouts.make_refer(tmp_path)
    assert np.array_equal(open_dataset("refcoco:testA", tmp_path)[0].mask, MIDDLE)
    assert not open_dataset("refcoco:testA", tmp_path, summed=True)[0].mask.any()


def test_kinds_of_targets(tmp_path: Path) -> None:
    layouts.make_refer(tmp_path, "grefcoco")
    kinds = [sample.kind for sample in open_dataset("grefcoco:unc:val", tmp_path)]
    assert kinds == ["one target", "several targets", "no target"]


def test_the_index_follows_its_files(tmp_path: Path) -> None:
    layouts.make_jsonl(tmp_path)
    assert len(open_dataset("jsonl:mine.jsonl", tmp_path)) == 4
    with open(tmp_path / "mine.jsonl", "a") as file:
        file.write(json.dumps({"image": NAMES[0], "text": "another", "bbox": [1, 1, 5, 5]}) + "\n")
    assert len(open_dataset("jsonl:mine.jsonl", tmp_path)) == 5
    (index,) = (tmp_path / ".restr").glob("jsonl-mine-*.sqlite")
    index.write_bytes(b"half of something")
    assert len(open_dataset("jsonl:mine.jsonl", tmp_path)) == 5


def test_samples_go_to_other_processes(tmp_path: Path) -> None:
    layouts.make_refer(tmp_path)
    samples = pickle.loads(pickle.dumps(open_dataset("refcoco:train", tmp_path)))
    assert np.array_equal(samples[1].mask, LEFT)


def test_pictures_that_are_turned(tmp_path: Path) -> None:
    """COCO's annotations are of stored pixels; one's own, of what one saw."""
    layouts.make_jsonl(tmp_path)
    path = tmp_path / NAMES[0]
    with Image.open(path) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif)
    height, width = SIZE
    rows = [{"image": NAMES[0], "text": "turned", "bbox": [0, 0, 5, 5]},
            {"image": NAMES[0], "text": "stored", "bbox": [0, 0, 5, 5], "height": height, "width": width}]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    turned, stored = open_dataset("jsonl:mine.jsonl", tmp_path)
    assert turned.image.shape[:2] == (width, height) and stored.image.shape[:2] == SIZE


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("refcoco", "expected NAME:SPLIT"),
        ("refcocos:unc:val", "one of refcoco, refcoco"),
        ("refcoco:umd:val", "choose from unc, google"),
        ("refcoco:unc:testC", "there is no split 'testC'; there are testA, train, val"),
        ("refcocog:val", r"has no refs\(umd\).p"),
        ("jsonl:none.jsonl", "there is no .*none.jsonl"),
    ],
)
def test_missing_things_are_reported(spec: str, says: str, tmp_path: Path) -> None:
    layouts.make_refer(tmp_path)
    with pytest.raises(DatasetError, match=says):
        open_dataset(spec, tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda refs: refs[0].pop("sentences"), r"refs\(unc\).p, record 0 has no sentences"),
        (lambda refs: refs[1].update(ann_id=99), "record 1: ann_id is int 99; expected the id of an annotation"),
        (lambda refs: refs[2].update(image_id=7), "record 2: image_id is int 7"),
        (lambda refs: refs[0].update(sentences=[3]), "record 0, sentences 0 is int 3; expected an object"),
        (lambda refs: refs.append(dict(refs[0])), "have the id '1/101'"),
    ],
)
def test_errors_name_file_and_record(change: Callable, says: str, tmp_path: Path) -> None:
    layouts.make_refer(tmp_path)
    refs = layouts.refs()
    change(refs)
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(refs))
    with pytest.raises(DatasetError, match=says):
        open_dataset("refcoco:unc:train", tmp_path)


class Hostile:
    def __reduce__(self) -> tuple[Callable, tuple[str, str]]:
        return open, ("owned", "w")


def test_a_hostile_pickle_is_refused_and_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layouts.make_refer(tmp_path)
    path = tmp_path / "refcoco" / "refs(unc).p"
    path.write_bytes(pickle.dumps([*layouts.refs(), Hostile()]))
    with pytest.raises(
        DatasetError, match=r"refs\(unc\).p is not a pickle of plain data .*io.open.*nothing in it was executed"
    ):
        open_dataset("refcoco:unc:val", tmp_path)
    assert not (tmp_path / "owned").exists()


def test_pickles_of_python_2_and_of_numpy(tmp_path: Path) -> None:
    """Protocol 0 as Python 2 wrote it: text as bytes, Latin-1."""
    (tmp_path / "old.p").write_bytes(b"(dp0\nS'sent'\np1\nS'caf\\xe9'\np2\nsS'ids'\np3\n(lp4\nI7\nas.")
    assert read_pickle(tmp_path / "old.p") == {"sent": "caf\u00e9", "ids": [7]}
    (tmp_path / "numpy.p").write_bytes(pickle.dumps({"id": np.int64(5), "box": np.arange(4.0)}))
    found = read_pickle(tmp_path / "numpy.p")
    assert found["id"] == 5 and found["box"].tolist() == [0, 1, 2, 3]


def damage(spec: str, root: Path, rounds: int, seed: int) -> int:
    """Read a dataset with one of its files damaged, ``rounds`` times; returns how often it was refused."""
    LAYOUTS[spec][0](root)
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".restr" not in path.parts]
    rng, refused = random.Random(seed), 0
    for _ in range(rounds):
        path = rng.choice(files)
        content = path.read_bytes()
        path.write_bytes(after_an_accident(content, rng, piece=40, changes=6, numbers=False))
        try:
            for sample in open_dataset(spec, root):
                assert sample.mask.shape == sample.image.shape[:2]
        except DatasetError as error:
            assert str(error)
            refused += 1
        finally:
            path.write_bytes(content)
    return refused


@pytest.mark.parametrize("spec", LAYOUTS)
def test_damaged_files_are_refused_and_never_crash(spec: str, tmp_path: Path) -> None:
    assert damage(spec, tmp_path, 15, seed=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("spec", LAYOUTS)
def test_many_damaged_files(spec: str, tmp_path: Path) -> None:
    """26 layouts x 240: more than 6,000 files."""
    assert damage(spec, tmp_path, 240, seed=2) > 20
