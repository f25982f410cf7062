"""A wheel or sdist that holds too much, too little or somebody's paths is refused, and the message names the file."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from contents import DIST_INFO, NEEDED, check_sdist, check_wheel, read_sdist, read_wheel
from steps import DistError

TRACKED = ["README.md", "tests/test_one.py", *(f"src/{name}" for name in NEEDED), "src/restr/__init__.py"]


def good_wheel() -> dict[str, bytes]:
    named = {name.removeprefix("src/"): b"x" for name in TRACKED if name.startswith("src/")}
    return named | {f"restr-1.0.dist-info/{name}": b"x" for name in DIST_INFO} | {"restr/py.typed": b""}


def test_a_good_one_passes() -> None:
    check_wheel(good_wheel(), TRACKED, "1.0")
    check_sdist(dict.fromkeys([*TRACKED, "PKG-INFO"], b"x"), TRACKED)


@pytest.mark.parametrize("name", ["restr/__pycache__/a.cpython-311.pyc", "tests/test_one.py", "restr/notes.txt"])
def test_what_git_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(DistError, match=f"does not track: {name}"):
        check_wheel(good_wheel() | {name: b""}, TRACKED, "1.0")
    with pytest.raises(DistError, match="does not track: runs/a.log"):
        check_sdist(dict.fromkeys([*TRACKED, "PKG-INFO", "runs/a.log"], b"x"), TRACKED)


@pytest.mark.parametrize("name", [*NEEDED, "restr/__init__.py", "restr-1.0.dist-info/licenses/NOTICE"])
def test_what_is_missing_is_named(name: str) -> None:
    wheel = good_wheel()
    del wheel[name]
    with pytest.raises(DistError, match=f"lacks tracked files: {name}"):
        check_wheel(wheel, TRACKED, "1.0")


def test_weights_must_be_more_than_a_name() -> None:
    weights = NEEDED[1]
    assert weights.endswith(".safetensors")
    with pytest.raises(DistError, match=f"lacks {weights}, or it is empty"):
        check_wheel(good_wheel() | {weights: b""}, TRACKED, "1.0")
    never_tracked = [name for name in TRACKED if not name.endswith("safetensors")]
    wheel = {name: content for name, content in good_wheel().items() if name != weights}
    with pytest.raises(DistError, match=f"lacks {weights}"):
        check_wheel(wheel, never_tracked, "1.0")


def test_paths_of_a_machine_are_refused() -> None:
    folder = "/" + "home/somebody/restr/"
    with pytest.raises(DistError, match=f"somebody's machine, {folder}, in restr/__init__.py"):
        check_wheel(good_wheel() | {"restr/__init__.py": f"HERE = '{folder}'".encode()}, TRACKED, "1.0")
    check_wheel(good_wheel() | {"restr/__init__.py": f"https://example.org{folder}".encode()}, TRACKED, "1.0")
    check_wheel(good_wheel() | {NEEDED[1]: folder.encode()}, TRACKED, "1.0")  # bytes of weights say anything


def test_archives_are_read_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("restr/a.py", "1")
        archive.mkdir("restr/empty")
    assert read_wheel(tmp_path / "a.whl") == {"restr/a.py": b"1"}

    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("restr-1.0/src/a.py")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"1"))
    assert read_sdist(tmp_path / "a.tar.gz") == {"src/a.py": b"1"}

    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("restr-1.0/link")
        member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
        archive.addfile(member)
    with pytest.raises(DistError, match="link, which is no plain file"):
        read_sdist(tmp_path / "link.tar.gz")
