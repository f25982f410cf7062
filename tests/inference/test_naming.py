"""The names of results' files: never a taken one, even with several writers, and none that a file system refuses."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest

from restr.errors import OutputError
from restr.inference import naming
from restr.inference.naming import slug, write_new

PNG = b"\x89PNG"


def contents(number: int) -> dict[str, bytes]:
    return {"overlay": PNG + b"o%06d" % number, "mask": PNG + b"m%06d" % number}


def write_many(folder: Path, first: int, count: int, start: Any, told: Any) -> None:
    start.wait()
    told.put([(n, write_new(folder, "yard-dog", contents(n))) for n in range(first, first + count)])


def test_processes_that_write_at_once_never_share_a_name(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(4), spawn.Queue()
    workers = [spawn.Process(target=write_many, args=(tmp_path, 100 * n, 25, start, told)) for n in range(4)]
    for worker in workers:
        worker.start()
    found = [pair for _ in workers for pair in told.get(timeout=120)]
    for worker in workers:
        worker.join()
    assert len({path for _, paths in found for path in paths.values()}) == 200
    for number, paths in found:
        assert {kind: path.read_bytes() for kind, path in paths.items()} == contents(number)
    assert len(list(tmp_path.iterdir())) == 200, "no file is left over"


def test_a_name_that_is_taken_in_between_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = naming.write_if_free

    def late(path: Path, content: bytes) -> bool:
        if path.name == "a.mask.png":
            path.write_bytes(b"another process's")
        return write(path, content)

    monkeypatch.setattr(naming, "write_if_free", late)
    paths = write_new(tmp_path, "a", contents(0))
    assert {kind: path.name for kind, path in paths.items()} == {"overlay": "a-2.overlay.png", "mask": "a-2.mask.png"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-2.mask.png", "a-2.overlay.png", "a.mask.png"]


def test_time_for_a_file_does_not_grow_with_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, looked = [], []
    read_bytes, stat = Path.read_bytes, Path.stat
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    monkeypatch.setattr(Path, "stat", lambda path, **more: looked.append(path) or stat(path, **more))
    for number in range(300):
        write_new(tmp_path, "image-cup", contents(number))
    assert len(read) == 0 and len(looked) < 300 * 15
    for number in (7, 0, 299):
        expected = "image-cup" if number == 0 else f"image-cup-{number + 1}"
        assert write_new(tmp_path, "image-cup", contents(number))["mask"].name == f"{expected}.mask.png"
    assert len(list(tmp_path.iterdir())) == 600


def test_results_of_an_earlier_process_are_known_again_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        write_new(tmp_path, "image-cup", contents(number))
    naming._known.clear()  # as in another process
    read: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    assert write_new(tmp_path, "image-cup", contents(200))["mask"].name == "image-cup-51.mask.png"
    assert write_new(tmp_path, "image-cup", contents(20))["mask"].name == "image-cup-21.mask.png"
    for number in range(300, 320):
        write_new(tmp_path, "image-cup", contents(number))
    assert len(read) < 4 * 51


def test_an_emptied_folder_begins_anew(tmp_path: Path) -> None:
    for number in range(3):
        write_new(tmp_path / "o", "a", contents(number))
    shutil.rmtree(tmp_path / "o")
    assert write_new(tmp_path / "o", "a", contents(9))["mask"].name == "a.mask.png"


def test_a_number_in_a_text_is_no_number_of_a_file(tmp_path: Path) -> None:
    first = write_new(tmp_path, "a-2", contents(0))
    write_new(tmp_path, "a", contents(1))
    other = write_new(tmp_path, "a", contents(2))
    assert other["mask"].name == "a-3.mask.png" and first["mask"].read_bytes() == contents(0)["mask"]


@pytest.mark.parametrize("text", ["写真" * 90, "\U00020000" * 60, "Straße " * 30, "ひらがな と カタカナ" * 9])
def test_the_longest_slugs_are_names(tmp_path: Path, text: str) -> None:
    stem = f"{slug(text)}-{slug(text)}"
    for number in range(2):
        for path in write_new(tmp_path, stem, {"attention": PNG + bytes([number])}).values():
            assert path.is_file() and len(path.name.encode()) < 230


@pytest.mark.parametrize("text", ["\U0001f600\U0001f469\u200d\U0001f469", "\udce9\ud83d", "", "..", "/"])
def test_what_holds_no_letters_has_a_name_too(text: str) -> None:
    assert slug(text) == "result"


def test_a_folder_that_takes_no_files_is_an_error_of_restr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot be the folder of the files"):
            write_new(folder, "a", contents(0))

    def full(path: Path, content: bytes) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(naming, "write_if_free", full)
    with pytest.raises(OutputError, match="takes no files .No space left on device"):
        write_new(tmp_path / "o", "a", contents(0))
