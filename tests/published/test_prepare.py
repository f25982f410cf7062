"""Missing files of a dataset are named, fetched and unpacked, so that it can be read; existing ones stay unchanged."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import layouts
from mirrors import Mirror, archive, everything_below, mirrors
from restr.cli.main import main
from restr.formats.catalog import PUBLISHED_LAYOUTS, open_dataset
from restr.published import releases
from restr.published.prepare import fetch_and_unpack, find_file
from restr.published.releases import RELEASES, Published, Release

PICTURES = Published(name="train2014.zip", into="train2014", elsewhere=("images",), holds=(("COCO_*.jpg", 2),))


@pytest.fixture
def mirror() -> Iterator[Callable[..., Mirror]]:
    yield from mirrors()


def test_states_of_an_archive(tmp_path: Path) -> None:
    assert find_file(PICTURES, tmp_path).state == "missing"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / layouts.NAMES[0]).write_bytes(b"1")
    found = find_file(PICTURES, tmp_path)
    assert found.state == "part" and "1 of 2 COCO_*.jpg" in found.detail
    assert (
        fetch_and_unpack(found, tmp_path, [str(tmp_path / "none")]) == found
    )  # a selection of one's own is left alone
    (tmp_path / "train2014.zip").write_bytes(archive({f"train2014/{name}": b"1" for name in layouts.NAMES}))
    found = find_file(PICTURES, tmp_path)
    assert found.state == "packed"
    assert fetch_and_unpack(found, tmp_path, []).state == "there" and find_file(PICTURES, tmp_path).state == "there"
    (tmp_path / "train2014.zip.unpacking").touch()  # broken off, though enough seems to be there
    assert find_file(PICTURES, tmp_path).state == "packed"
    (tmp_path / "train2014.zip").unlink()
    assert find_file(PICTURES, tmp_path).state == "there"


def test_the_table_is_of_the_datasets_that_are_read() -> None:
    assert set(RELEASES) == set(PUBLISHED_LAYOUTS), "published/releases.py has a row for every published layout"
    for name, release in RELEASES.items():
        assert release.example.startswith(f"{name}:") and release.files
        for file in release.files:
            assert not file.sha256 or (len(file.sha256) == 64 and int(file.sha256, 16))
            assert file.holds if file.into or file.name.endswith("/") else not file.holds


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """RefCOCO as two small archives of right size and hash, as a mirror has them."""
    layouts.make_refer(tmp_path / "made")
    files = {
        "refcoco.zip": archive(
            {
                "refcoco/refs(unc).p": pickle.dumps(layouts.refs()),
                "refcoco/instances.json": json.dumps(layouts.instances()).encode(),
            }
        ),
        "train2014.zip": archive(
            {f"train2014/{name}": (tmp_path / "made" / "train2014" / name).read_bytes() for name in layouts.NAMES}
        ),
    }
    annotations = Published(
        name="refcoco.zip",
        size=len(files["refcoco.zip"]),
        sha256=hashlib.sha256(files["refcoco.zip"]).hexdigest(),
        into="refcoco",
        holds=(("instances.json", 1), ("refs(unc).p", 1)),
    )
    release = Release(files=(annotations, PICTURES), source="this test", example="refcoco:unc:val")
    monkeypatch.setitem(releases.RELEASES, "refcoco", release)
    return files


def test_the_command_prepares_what_is_then_read(
    small: dict[str, bytes], tmp_path: Path, mirror: Callable[..., Mirror], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "DATA"
    assert main(["data", "prepare", "refcoco", "--root", str(root)]) == 1
    printed = capsys.readouterr().out
    assert "missing  refcoco.zip, unpacked into refcoco/" in printed and "SHA-256 unknown" in printed
    assert "still to come: refcoco.zip, train2014.zip; name a --mirror" in printed
    first, second = mirror({"refcoco.zip": small["refcoco.zip"]}), mirror({"train2014.zip": small["train2014.zip"]})
    mirrors = ["--mirror", first.address, "--mirror", second.address]
    assert main(["data", "prepare", "refcoco", "--root", str(root), *mirrors]) == 0
    assert f"next: restr data check refcoco:unc --root {root}" in capsys.readouterr().out
    assert len(open_dataset("refcoco:unc:val", root)) == 1
    asked = len(first.asked)
    assert main(["data", "prepare", "refcoco", "--root", str(root), *mirrors]) == 0
    assert len(first.asked) == asked  # all there: nobody is asked


def test_the_command_continues_after_a_file_that_no_mirror_has(
    small: dict[str, bytes], tmp_path: Path, mirror: Callable[..., Mirror], capsys: pytest.CaptureFixture[str]
) -> None:
    server = mirror({"refcoco.zip": b"PK something else", "train2014.zip": small["train2014.zip"]})
    assert main(["data", "prepare", "refcoco", "--root", str(tmp_path / "DATA"), "--mirror", server.address]) == 1
    printed = capsys.readouterr()
    assert "no mirror gave refcoco.zip" in printed.err and "still to come: refcoco.zip;" in printed.out
    assert everything_below(tmp_path / "DATA") == {"train2014.zip", *(f"train2014/{name}" for name in layouts.NAMES)}


def test_a_file_of_ones_own_that_is_wrong_is_not_written_over(
    small: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "refcoco.zip").write_bytes(b"mine")
    (tmp_path / "disk").mkdir()
    for name, content in small.items():
        (tmp_path / "disk" / name).write_bytes(content)
    arguments = ["data", "prepare", "refcoco", "--root", str(tmp_path), "--mirror", str(tmp_path / "disk")]
    assert main(arguments) == 1
    assert "delete refcoco.zip: not what was given out" in capsys.readouterr().out
    assert (tmp_path / "refcoco.zip").read_bytes() == b"mine"


def test_the_command_names_what_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["data", "prepare", "refcocos", "--root", str(tmp_path)]) == 1
    assert "choose from refcoco, refcoco+" in capsys.readouterr().err
    assert main(["data", "prepare", "refcoco", "--root", str(tmp_path), "--mirror", "ftp://x"]) == 1
    for name in RELEASES:
        assert main(["data", "prepare", name, "--root", str(tmp_path / "DATA")]) == 1
