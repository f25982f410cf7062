"""A download resumes where it broke off; a wrong file, or one that would land elsewhere, never takes a file's place."""

from __future__ import annotations

import hashlib
import random
import stat
import zipfile
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from mirrors import Answers, Mirror, archive, everything_below, mirrors
from restr.errors import DatasetError
from restr.published import fetch as fetching
from restr.published.fetch import fetch
from restr.published.unpack import is_unfinished, unpack

CONTENT = bytes(range(256)) * 4000  # about a megabyte
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def mirror() -> Iterator[Callable[..., Mirror]]:
    yield from mirrors()


def test_a_file_is_fetched_from_the_first_mirror_that_has_it(tmp_path: Path, mirror: Callable[..., Mirror]) -> None:
    empty, full = mirror({}), mirror({"refs%28unc%29.p": b"wrong", "a/refs(unc).p": CONTENT})
    seen = []
    address = fetch(
        ["a/refs(unc).p"],
        tmp_path / "new" / "refs(unc).p",
        [empty.address, f"{full.address}/"],
        size=len(CONTENT),
        sha256=SHA256,
        progress=lambda *each: seen.append(each),
    )
    assert address == f"{full.address}/a/refs(unc).p" and len(empty.asked) == 1
    assert (tmp_path / "new" / "refs(unc).p").read_bytes() == CONTENT
    assert everything_below(tmp_path) == {"new/refs(unc).p"}
    assert seen[-1] == ("refs(unc).p", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_broken_download_is_resumed(ranges: bool, known: bool, tmp_path: Path, mirror: Callable[..., Mirror]) -> None:
    server = mirror({"a.bin": CONTENT}, ranges=ranges)
    server.breaks_after = 300_000
    facts = {"size": len(CONTENT), "sha256": SHA256} if known else {}
    with pytest.raises(DatasetError, match="it broke off after 300,000 of 1,024,000 bytes; they are kept"):
        fetch(["a.bin"], tmp_path / "a.bin", [server.address], **facts)
    assert everything_below(tmp_path) == {"a.bin.part", "a.bin.part.from"}
    fetch(["a.bin"], tmp_path / "a.bin", [server.address], **facts)
    assert server.asked[-1] == ("/base/a.bin", "bytes=300000-")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and everything_below(tmp_path) == {"a.bin"}


def test_a_part_of_another_file_is_thrown_away(tmp_path: Path, mirror: Callable[..., Mirror]) -> None:
    """With a hash it is noticed at the end, without one by the server, and with neither nothing is taken up."""
    server = mirror({"a.bin": CONTENT})
    (tmp_path / "a.bin.part").write_bytes(b"something else")
    fetch(["a.bin"], tmp_path / "a.bin", [server.address], sha256=SHA256)
    assert [asked for _, asked in server.asked] == ["bytes=14-", None]
    (tmp_path / "b.bin.part").write_bytes(b"something else")
    (tmp_path / "b.bin.part.from").write_text('"another"')
    fetch(["a.bin"], tmp_path / "b.bin", [server.address])
    (tmp_path / "c.bin.part").write_bytes(b"something else")
    fetch(["a.bin"], tmp_path / "c.bin", [server.address])
    assert server.asked[-1][1] is None
    (tmp_path / "d.bin.part").write_bytes(bytes(len(CONTENT)))  # as long as the whole
    fetch(["a.bin"], tmp_path / "d.bin", [server.address], size=len(CONTENT), sha256=SHA256)
    (tmp_path / "e.bin.part").write_bytes(bytes(len(CONTENT) + 5))  # the server has no such rest
    fetch(["a.bin"], tmp_path / "e.bin", [server.address], sha256=SHA256)
    for name in "abcde":
        assert (tmp_path / f"{name}.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"sha256": "0" * 64}, f"what it sent is of SHA-256 {SHA256}; expected 000"),
        ({"size": 7}, "it is of 1,024,000 bytes; expected 7"),
    ],
)
def test_a_wrong_file_is_refused_and_not_kept(
    facts: dict, says: str, tmp_path: Path, mirror: Callable[..., Mirror]
) -> None:
    server = mirror({"a.bin": CONTENT})
    (tmp_path / "a.bin").write_bytes(b"what was there")
    with pytest.raises(DatasetError, match=says):
        fetch(["a.bin"], tmp_path / "a.bin", [server.address], **facts)
    assert everything_below(tmp_path) == {"a.bin"} and (tmp_path / "a.bin").read_bytes() == b"what was there"


def test_errors_of_mirrors_are_reported(tmp_path: Path, mirror: Callable[..., Mirror]) -> None:
    page, away = mirror({"a.zip": b"<html>log in"}), mirror({})
    page.kind, away.redirect = "text/html", "file:///etc/hostname"
    gone = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    gone.server_close()
    mirrors = [page.address, away.address, f"http://127.0.0.1:{gone.server_port}", str(tmp_path / "none")]
    with pytest.raises(DatasetError) as raised:
        fetch(["a.zip"], tmp_path / "a.zip", mirrors)
    lines = str(raised.value).splitlines()
    assert "a web page, not with the file" in lines[1] and "302" in lines[2] and "refused" in lines[3]
    assert "No such file" in lines[4] and "put the file at" in lines[5]
    assert everything_below(tmp_path) == set()


@pytest.mark.parametrize("mirror_name", ["ftp://host/data", "https://host/data?key=1", "data://x"])
def test_other_kinds_of_mirrors_are_refused(mirror_name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder, or a base address that begins with http://"):
        fetch(["a.zip"], tmp_path / "a.zip", [mirror_name])


def test_a_folder_is_a_mirror_too(tmp_path: Path) -> None:
    (tmp_path / "disk" / "a b").mkdir(parents=True)
    (tmp_path / "disk" / "a b" / "refs(unc).p").write_bytes(CONTENT)
    for number, mirror_name in enumerate((str(tmp_path / "disk"), (tmp_path / "disk").as_uri())):
        (tmp_path / f"{number}.p.part").write_bytes(CONTENT[:1000])
        fetch(["a b/refs(unc).p"], tmp_path / f"{number}.p", [mirror_name], sha256=SHA256)
        assert (tmp_path / f"{number}.p").read_bytes() == CONTENT


def test_a_full_disk_is_noticed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(DatasetError, match="room for 0.0 GB"):
        fetch(["a.bin"], tmp_path / "new" / "a.bin", [str(tmp_path)])


@pytest.mark.parametrize("outer", ["", "refcoco/"])
def test_an_archive_is_unpacked_into_its_folder(outer: str, tmp_path: Path) -> None:
    files = {f"{outer}instances.json": b"{}", f"{outer}deep/a.txt": b"a", "__MACOSX/junk": b"x"}
    (tmp_path / "refcoco.zip").write_bytes(archive(files))
    assert unpack(tmp_path / "refcoco.zip", tmp_path / "refcoco") == 2
    assert everything_below(tmp_path) == {"refcoco.zip", "refcoco/instances.json", "refcoco/deep/a.txt"}
    (tmp_path / "refcoco" / "deep" / "a.txt").unlink()
    assert unpack(tmp_path / "refcoco.zip", tmp_path / "refcoco") == 1  # only what is not there


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("../outside.txt", "a path outside the folder"),
        ("data/../../outside.txt", "a path outside the folder"),
        ("/outside.txt", "a path outside the folder"),
        ("..\\outside.txt", "a path outside the folder"),
        ("C:outside.txt", "a path outside the folder"),
        (link("outside.txt"), "a link or a device"),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(member: str | zipfile.ZipInfo, says: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as made:
        made.writestr("data/fine.txt", b"fine")
        made.writestr(member, b"/etc")
    with pytest.raises(DatasetError, match=f"{says}; nothing of it was unpacked"):
        unpack(tmp_path / "data.zip", tmp_path / "root" / "data")
    assert everything_below(tmp_path) == {"data.zip"}


def test_an_archive_that_swells_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(archive({"zeros": bytes(20_000_000)}))
    with pytest.raises(DatasetError, match="would unpack to 1 files of 0.0 GB, far more"):
        unpack(tmp_path / "data.zip", tmp_path / "data")
    assert everything_below(tmp_path) == {"data.zip"}


def test_a_damaged_archive_is_named_and_resumed_later(tmp_path: Path) -> None:
    whole = archive({"a.txt": b"first", "b.bin": random.randbytes(100_000)})
    damaged = bytearray(whole)
    damaged[50_000:50_010] = bytes(10)
    (tmp_path / "data.zip").write_bytes(damaged)
    with pytest.raises(DatasetError, match="data.zip cannot be unpacked .* fetch it again"):
        unpack(tmp_path / "data.zip", tmp_path / "data")
    assert is_unfinished(tmp_path / "data.zip") and everything_below(tmp_path / "data") == {"a.txt"}
    (tmp_path / "data.zip").write_bytes(whole)
    assert unpack(tmp_path / "data.zip", tmp_path / "data") == 1 and not is_unfinished(tmp_path / "data.zip")


def test_archives_damaged_in_any_place_are_refused_and_never_crash(tmp_path: Path) -> None:
    rng, refused = random.Random(0), 0
    whole = archive({"a.txt": b"first " * 40, "b/c.bin": rng.randbytes(300)})
    for number in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / "data.zip").write_bytes(damaged[: rng.choice([None, rng.randrange(len(damaged))])])
        try:
            unpack(tmp_path / "data.zip", tmp_path / "deep" / str(number))
        except DatasetError:
            refused += 1
    assert refused > 200 and {
        path.parts[0] for path in map(Path, everything_below(tmp_path)) if "data.zip" not in str(path)
    } <= {"deep"}
