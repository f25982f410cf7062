"""Files that people wrote, in whatever editor: byte order marks, line ends and rare characters change nothing."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from restr.cli.config_file import options_of
from restr.cli.jobs import list_jobs
from restr.data.entries import index
from restr.data.entries.entry import JsonRecord
from restr.data.entries.index import index_paths
from restr.errors import ConfigError, DatasetError, WeightsError
from restr.evaluation.predictions import read_predictions
from restr.formats.catalog import open_dataset, path_and_split
from restr.formats.readers.cvat import read_cvat
from restr.formats.shards.address import pattern_and_split
from restr.model.folder import read_config
from restr.server.http.security import ApiKeys
from restr.text.vectors import read_word_vectors
from restr.text.vocabulary import Vocabulary

BOM = b"\xef\xbb\xbf"
RARE = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
ROW = {"image": "a.png", "text": "the left dog", "bbox": [0, 0, 4, 4]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "a.png")
    return tmp_path


def coco(text: str) -> dict[str, object]:
    region = {"id": 1, "image_id": "7", "segmentation": [[0, 0, 9, 0, 9, 9]], "expressions": [text]}
    return {"images": [{"id": 7, "file_name": "a.png", "height": "20", "width": 30.0}], "annotations": [region]}


@pytest.mark.parametrize("mark", RARE)
def test_lines_of_json_end_at_a_line_feed_alone(root: Path, mark: str) -> None:
    text = f"the dog{mark}on the left"
    row = json.dumps(ROW | {"text": text}, ensure_ascii=mark < " ")  # JSON itself forbids the lowest ones as they are
    content = f"{row}\r\n\n{row}\n  \n\n"
    (root / "mine.jsonl").write_bytes(content.encode())
    samples = open_dataset("jsonl:mine.jsonl", root)
    assert samples.texts() == [text, text]
    jobs = list(list_jobs([str(root / "mine.jsonl")], []))
    assert [(job.error, job.texts) for job in jobs] == [(None, (text,))] * 2
    predicted = json.dumps({"id": text, "prediction": {}}, ensure_ascii=mark < " ")
    (root / "records.jsonl").write_bytes(f"{predicted}\n".encode())
    assert list(read_predictions(root / "records.jsonl")) == [text]


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
def test_a_byte_order_mark_is_no_text(root: Path, form: str) -> None:
    text = "der Hund links \u00fc"
    contents = {
        "jsonl": json.dumps(ROW | {"text": text}, ensure_ascii=False),
        "csv": f"image,text,x,y,width,height\r\na.png,{text},0,0,4,4\r\n",
        "coco": json.dumps(coco(text), ensure_ascii=False),
    }
    (root / "mine").write_bytes(BOM + contents[form].encode())
    assert open_dataset(f"{form}:mine", root).texts() == [text]


def test_byte_order_marks_in_every_other_file_that_people_write(root: Path) -> None:
    (root / "run.toml").write_bytes(BOM + b'data = "generated"\r\n')
    (root / "run.json").write_bytes(BOM + b'{"data": "generated"}')
    assert options_of(root / "run.toml") == options_of(root / "run.json") == [["--data", "generated"]]
    (root / "keys").write_bytes(BOM + b"ab" * 32 + b" # mine\r\n")
    assert ApiKeys.from_file(root / "keys")._hashes == [b"\xab" * 32]
    (root / "words.txt").write_bytes(BOM + b"the 1 2\nleft 3 4\n")
    assert read_word_vectors(root / "words.txt").vocabulary.words == ("the", "left")
    np.save(root / "table.npy", np.eye(2))
    (root / "listed.txt").write_bytes(BOM + "the\r\nnel\u0131\r\n".encode())
    assert read_word_vectors(root / "table.npy", words=root / "listed.txt").vocabulary.words == ("the", "nel\u0131")
    image = (
        '<image id="0" name="a.png" width="30" height="20"><box label="dog" xtl="0" ytl="0" xbr="4" ybr="4"/></image>'
    )
    declared = f'<?xml version="1.0" encoding="utf-8"?>\r\n<annotations>{image}</annotations>'
    (root / "cvat.xml").write_bytes(BOM + declared.encode())
    assert [getattr(entry, "text", None) for entry in read_cvat(root, root / "cvat.xml")] == ["dog"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-be"])
def test_files_of_another_encoding_are_named_and_refused(root: Path, encoding: str) -> None:
    says = "mine.*(not UTF-8; save it as UTF-8|is not UTF-8 .Latin-1 or Windows-1252.*save it as UTF-8)"
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    for form, content in (("jsonl", json.dumps(ROW | {"text": "ü"}, ensure_ascii=False)), ("csv", "image,text\na,ü\n")):
        (root / "mine").write_bytes(mark + content.encode(encoding))
        with pytest.raises(DatasetError, match=says):
            open_dataset(f"{form}:mine", root)
    (root / "mine.jsonl").write_bytes(mark + "ü".encode(encoding))
    (job,) = list_jobs([str(root / "mine.jsonl")], ["x"])
    assert "save it as UTF-8" in (job.error or "")
    (root / "mine.toml").write_bytes(mark + 'data = "ü"'.encode(encoding))
    with pytest.raises(ConfigError, match=says):
        options_of(root / "mine.toml")
    (root / "mine.txt").write_bytes(mark + "ü".encode(encoding))
    with pytest.raises(WeightsError, match=says):
        Vocabulary.from_file(root / "mine.txt")
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (root / name).write_bytes(mark + "ü".encode(encoding))
    with pytest.raises(WeightsError, match="config.json cannot be read.*save it as UTF-8"):
        read_config(root)


def test_names_and_sentences_that_no_utf8_can_hold_go_through_the_index(root: Path) -> None:
    name, text = "caf\udce9.png", "half of \ud83d, left"
    (root / name).write_bytes((root / "a.png").read_bytes())
    (root / "mine.jsonl").write_text(json.dumps(ROW | {"image": name, "text": text}) + "\n")
    samples = open_dataset("jsonl:mine.jsonl", root)
    assert samples.texts() == [text] and samples[0].image.shape == (20, 30, 3)
    assert samples.entries.rows_with(None, ["LEFT"]).tolist() == [1]


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_picture_is_found_and_a_sentence_searched_however_accents_are_written(
    root: Path, stored: Literal["NFC", "NFD"]
) -> None:
    listed: Literal["NFC", "NFD"] = "NFD" if stored == "NFC" else "NFC"
    (root / "a.png").rename(root / unicodedata.normalize(stored, "plage d'été.png"))
    row = ROW | {"image": unicodedata.normalize(listed, "plage d'été.png"), "text": "La Façade À gauche"}
    (root / "mine.jsonl").write_text(json.dumps(row) + "\n")
    samples = open_dataset("jsonl:mine.jsonl", root)
    assert samples[0].image.shape == (20, 30, 3)
    for word in ("façade", "à", "FAÇADE"):
        assert samples.entries.rows_with(None, [unicodedata.normalize(stored, word)]).tolist() == [1]


@pytest.mark.parametrize("name", ["C:\\data\\mine.jsonl", "12:30 yard.jsonl", "a:b:c.jsonl"])
@pytest.mark.parametrize("split", ["", ":val"])
def test_colons_may_be_part_of_a_path(root: Path, name: str, split: str) -> None:
    (root / name).write_text(json.dumps(ROW | {"split": "val"}) + "\n")
    assert len(open_dataset(f"jsonl:{name}{split}", root)) == 1


def test_the_letter_of_a_drive_is_no_path(tmp_path: Path) -> None:
    assert path_and_split("C:\\data\\mine.jsonl", tmp_path) == ("C:\\data\\mine.jsonl", None)
    assert path_and_split("C:/data/mine.jsonl:val", tmp_path) == ("C:/data/mine.jsonl", "val")
    assert path_and_split("mine.jsonl:", tmp_path) == ("mine.jsonl", None)
    assert pattern_and_split("D:\\shards\\*") == ("D:\\shards\\*", None)
    assert pattern_and_split("D:\\shards\\{0..3}.tar:val") == ("D:\\shards\\{0..3}.tar", "val")
    with pytest.raises(DatasetError, match="there is no .*C:.data.none.jsonl"):
        open_dataset("jsonl:C:\\data\\none.jsonl", tmp_path)


def test_an_index_lies_where_something_can_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "mine.jsonl").write_text(json.dumps(ROW) + "\n")
    (root / ".restr").write_text("no folder, as on a medium that cannot be written to")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    assert open_dataset("jsonl:mine.jsonl", root).entries.path.parent == root / "cache" / "restr"
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/none")
    found = open_dataset("jsonl:mine.jsonl", root)
    assert found.entries.path.parent == index.temporary_folder() and len(found) == 1


def test_a_current_index_is_read_where_nothing_can_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "mine.jsonl").write_text(json.dumps(ROW) + "\n")
    first = open_dataset("jsonl:mine.jsonl", root).entries.path
    monkeypatch.setattr(index, "_is_writable", lambda folder: False)
    assert first.parent == root / ".restr" and open_dataset("jsonl:mine.jsonl", root).entries.path == first


def test_indexes_have_names_of_their_own_in_any_length(tmp_path: Path) -> None:
    long = tmp_path / ("写" * 70) / ("b" * 200)
    names = {path.name for path in (*index_paths(long, "jsonl-" + "写" * 80), *index_paths(long, "jsonl-" + "写" * 81))}
    assert len(names) == 4 and all(len(name.encode()) <= 255 - 18 for name in names)
    assert index_paths(Path("/a/b"), "x")[1] != index_paths(Path("/a_b"), "x")[1]


@pytest.mark.parametrize("value", [640, 640.0, "640", " 640 ", "+640", np.int64(640), np.uint16(640), np.float32(640)])
def test_whole_numbers_in_any_plain_form(value: object) -> None:
    found = JsonRecord({"width": value}, "here").integer("width")
    assert found == 640 and type(found) is int


@pytest.mark.parametrize(
    "value", [True, np.True_, 1.5, "1.5", "", "12 30", "1e3", float("inf"), float("nan"), [1], "9" * 99]
)
def test_values_other_than_whole_numbers(value: object) -> None:
    with pytest.raises(DatasetError, match="here: width is .*expected a whole number"):
        JsonRecord({"width": value}, "here").integer("width")
