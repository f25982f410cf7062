"""The hash of a model's files: read once while nothing changes, and never an old one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from restr.files import hash_of_files
from restr.model import folder as module
from restr.model.folder import CONFIG, VOCABULARY, WEIGHTS, files_of, folder_hash


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of a model, which count as settled."""
    for name in (CONFIG, WEIGHTS, VOCABULARY):
        (tmp_path / name).write_text(f"some {name}")
    monkeypatch.setattr(module, "_SETTLED_NS", -(10**12))
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hash of each time that files were read."""
    found: list[str] = []

    def counted(paths):
        found.append(hash_of_files(paths))
        return found[-1]

    monkeypatch.setattr(module, "hash_of_files", counted)
    return found


def test_unchanged_files_are_read_once(model: Path, reads: list[str]) -> None:
    assert folder_hash(model) == folder_hash(str(model)) == hash_of_files(files_of(model))
    assert len(reads) == 1


def test_a_change_is_seen_even_if_size_and_time_stay(model: Path, reads: list[str]) -> None:
    first, at = folder_hash(model), (model / WEIGHTS).stat()
    (model / WEIGHTS).write_text("SOME " + WEIGHTS)
    os.utime(model / WEIGHTS, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert folder_hash(model) not in (first, None) and len(reads) == 2


def test_files_that_have_just_changed_are_read_each_time(model: Path, reads: list[str], monkeypatch) -> None:
    monkeypatch.setattr(module, "_SETTLED_NS", 3600 * 10**9)
    assert folder_hash(model) == folder_hash(model) and len(reads) == 2


def test_a_missing_file_is_an_error_also_after_a_good_one(model: Path) -> None:
    folder_hash(model)
    (model / VOCABULARY).unlink()
    with pytest.raises(OSError):
        folder_hash(model)
