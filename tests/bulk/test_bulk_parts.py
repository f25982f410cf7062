"""Parts are written whole, of the same rows with the same bytes, and can be counted again."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pyarrow.parquet as parquet
import pytest

from restr.bulk.parts import PartFolder, PartForm, part_schema
from restr.bulk.rows import BulkRow
from restr.errors import ConfigError, OutputError

ANSWER = {
    "found": True,
    "presence": 0.1 + 0.2,
    "score": 1 / 3,
    "box": [1, 2, 3, 4],
    "area": 4,
    "width": 60,
    "height": 40,
    "rle": {"size": [40, 60], "counts": "0a"},
}
ROWS = [
    BulkRow(4, "x", "a.png", "left", **ANSWER),
    BulkRow(5, None, "b.png", "red", **ANSWER | {"found": False, "box": None, "presence": None}),
    BulkRow(6, None, "b.png", None, error="TextError: no text"),
    BulkRow(7, None, None, "\u6587", error="ImageError: one"),
    BulkRow(8, None, None, "red", error="ImageError: two"),
]
FORMS = ("parquet", "jsonl")


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    fsspec.filesystem("memory").store.clear()
    return str(tmp_path / "out") if request.param == "disk" else "memory://out/run"


@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_read_as_it_was_written(place: str, form: PartForm) -> None:
    parts = PartFolder(place, form)
    assert parts.numbers() == set()
    tally = parts.write_part(3, ROWS)
    assert (tally.rows, tally.found, tally.errors) == (5, 1, {"TextError": 1, "ImageError": 2})
    assert tally.examples["ImageError"] == {"row": 7, "image": None, "text": "\u6587", "error": "ImageError: one"}
    assert parts.numbers() == {3} and parts.tally_of(3) == tally
    content = parts.read_file(parts.name_of(3))
    assert content is not None
    parts.write_part(3, ROWS)
    assert parts.read_file(parts.name_of(3)) == content
    if form == "jsonl":
        rows = [json.loads(line) for line in content.splitlines()]
    else:
        import io

        table = parquet.read_table(io.BytesIO(content))
        assert table.schema.equals(part_schema())
        rows = table.to_pylist()
    assert [BulkRow(**row) for row in rows] == ROWS


@pytest.mark.parametrize("form", FORMS)
def test_a_part_that_is_cut_off_is_not_there(place: str, form: PartForm) -> None:
    parts = PartFolder(place, form)
    parts.write_part(0, ROWS)
    content = parts.read_file(parts.name_of(0)) or b""
    for keep in (0, 1, len(content) // 2, len(content) - 1):
        parts.write_file(parts.name_of(0), content[:keep])
        found = parts.tally_of(0)
        assert found is None or found.rows == 0


def test_nothing_half_written_stays_if_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = PartFolder(str(tmp_path / "out"))

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="cannot be written: .*No space"):
            parts.write_part(0, ROWS)
    assert parts.numbers() == set() and parts.read_file(parts.name_of(0)) is None


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    parts = PartFolder(str(tmp_path))
    (tmp_path / ".part-00000001.parquet.1234.partial").touch()
    (tmp_path / "mine").touch()
    parts.remove_partial()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of parquet, jsonl"):
        PartFolder(str(tmp_path), "csv")  # type: ignore[arg-type]
