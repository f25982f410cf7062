"""The cache has a place wherever any folder can be written to, and is never an error."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from restr.inference.fastest.places import cache_folders, writable_cache


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("RESTR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_variable_comes_first_then_the_platforms_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writable_cache() == tmp_path / "home" / ".cache" / "restr"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert writable_cache() == tmp_path / "xdg" / "restr"
    monkeypatch.setenv("RESTR_CACHE", str(tmp_path / "mine"))
    assert writable_cache() == tmp_path / "mine" and (tmp_path / "mine").is_dir()


def test_without_a_home_it_is_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    found = writable_cache()
    assert found is not None and found.parent == tmp_path / "temporary"
    assert found.stat().st_mode & 0o077 == 0, "nobody else may write graphs there"


def test_with_a_home_that_cannot_be_written_to_as_well(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file: no folder can be made below it, not even by root")
    found = writable_cache()
    assert found is not None and found.parent == tmp_path / "temporary"
    assert len(cache_folders()) == 2, "what is in the first is still read"


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "home"))
    assert writable_cache() is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX")
def test_a_temporary_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    others = tmp_path / "temporary" / f"restr-{os.getuid()}"
    others.mkdir()
    others.chmod(0o777)
    assert writable_cache() is None
    others.rmdir()
    others.symlink_to(tmp_path)
    assert writable_cache() is None
