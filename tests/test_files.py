"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from restr.files import atomic_path, cut_to_bytes, lines_of, read_lines, read_text, write_atomically, write_if_free


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "caf\u00e9\n")
    assert (tmp_path / "a.txt").read_bytes() == b"caf\xc3\xa9\n"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_bytes(b"ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_readable_by_others(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path) -> None:
    inside = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei"
    path = tmp_path / "a.txt"
    path.write_bytes(f"\ufeff{inside}\r\nsecond\n\nlast".encode())
    assert read_lines(path) == [inside, "second", "", "last"]
    assert read_text(path).startswith("a\u2028"), "the byte order mark is no text"
    assert lines_of("") == [] and lines_of("\n") == [""] and lines_of("x\r\n") == ["x"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("zwei\nWörter".encode("latin-1"), "0xf6 in line 2 is not UTF-8 .Latin-1"),
        ("caf\u00e9 \u2019".encode("cp1252"), "0xe9 in line 1"),
        ("left".encode("utf-16"), "it is UTF-16, not UTF-8; save it as UTF-8"),
        (b"\xfe\xff" + "left".encode("utf-16-be"), "it is UTF-16"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UnicodeError, match=says):
        read_lines(tmp_path / "a.txt")


def test_half_a_surrogate_pair_survives_json(tmp_path: Path) -> None:
    values = {"name": "caf\udce9.png", "text": "half \ud83d of \U0001f600"}
    write_atomically(tmp_path / "a.json", json.dumps(values, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == values


@pytest.mark.parametrize("name", ["n" * 255, "\u5199" * 85, "\U00020000" * 63 + "abc", "é" * 127])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    assert 253 < len(name.encode()) <= 255
    write_atomically(tmp_path / name, b"1")
    assert not write_if_free(tmp_path / name, b"2")
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == b"1"


@pytest.mark.parametrize("most", range(9))
def test_no_character_is_cut(most: int) -> None:
    text = "aé写\U0001f600z"
    cut = cut_to_bytes(text, most)
    assert text.startswith(cut) and len(cut.encode()) <= most
    assert len(text[: len(cut) + 1].encode()) > most, "and nothing that has room is left out"


@pytest.mark.parametrize("links", [True, False])
def test_a_taken_name_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:  # such as FAT

        def refused(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", refused)
    assert write_if_free(tmp_path / "a", b"first")
    assert not write_if_free(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
