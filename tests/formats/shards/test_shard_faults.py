"""Networks, servers and shards that are not what they should be: tried again, or named, never unpacked to a disk."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restr.errors import DatasetError
from restr.formats.catalog import open_dataset
from restr.formats.shards import storage
from sharded import ShardServer, facts, members, picture, served, tar, written

pytestmark = pytest.mark.usefixtures("alone")


# --- networks and servers --------------------------------------------------------------------------------------------


def test_a_network_that_fails_for_a_while(server: ShardServer, caplog: pytest.LogCaptureFixture) -> None:
    samples = served(server)
    server.failing = storage.TRIES - 1
    assert samples[0].text == "the thing 0" and caplog.text.count("trying again") == 3


@pytest.mark.parametrize(("status", "tries"), [(503, storage.TRIES), (429, storage.TRIES), (403, 1), (404, 1)])
def test_a_network_that_fails_for_good(status: int, tries: int, server: ShardServer) -> None:
    samples = served(server)
    server.failing, server.status = 1000, status
    with pytest.raises(DatasetError, match=r"train 31: .*train-001.tar.*check address, network and credentials"):
        samples[31]
    assert len(server.requests) == tries


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"ranges": False}, "expected a server that answers Range requests"),
        ({"short": True}, f"after {storage.TRIES} tries"),
        ({"files": {}}, "there is no such file"),
        ({"files": {"/train-001.tar": b"short now"}}, f"after {storage.TRIES} tries"),
    ],
)
def test_a_server_that_is_not_what_it_was(fault: dict[str, Any], message: str, server: ShardServer) -> None:
    samples = served(server)
    for name, value in fault.items():
        setattr(server, name, value)
    with pytest.raises(DatasetError, match=f"train 31: .*{message}"):
        samples[31]


def test_missing_shards(server: ShardServer, tmp_path: Path) -> None:
    for spec, message in {
        f"shards:{server.address}/x-0.tar": "x-0.tar cannot be read .there is no such file.",
        "shards:memory://nothing/*.tar": "there is no shard memory://nothing",
        "shards:nothing://x-0.tar": "not an address that fsspec knows",
        "shards:none.tar": "there is no shard .*none.tar",
        "shards:no*.tar": "there is no shard .*no",
        "shards:a.tar.gz": "unpack it to a plain .tar",
    }.items():
        with pytest.raises(DatasetError, match=message):
            open_dataset(spec, tmp_path)
    spec = written(tmp_path, tar(members(range(2))))
    with pytest.raises(DatasetError, match="there is no split 'val'; there are train"):
        open_dataset(f"{spec}:val")
    with pytest.raises(DatasetError, match="or shards:PATTERN"):
        open_dataset("shards:")


def test_without_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "fsspec"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert len(open_dataset(written(tmp_path, tar(members(range(2)))))) == 2  # files need none
    with pytest.raises(DatasetError, match=r"pip install 'restr\[stream\]'"):
        open_dataset("shards:s3://bucket/a-0.tar")


# --- shards that are damaged, or mean harm -----------------------------------------------------------------------------


def linked() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("000000.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def damaged(content: bytes) -> bytes:
    """The header of the third member is not one."""
    place = content.index(b"000001.png")
    return content[:place] + b"\xff" * 300 + content[place + 300 :]


def bottomless() -> bytes:
    """An extended header that says it is of 7 GiB."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 7 << 30
    return info.tobuf(tarfile.USTAR_FORMAT) + tar([("a.bin", bytes(40 << 20))])


WHOLE = tar(members(range(3)))
P, F = picture(0), facts(0)
FAULTS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "empty": (b"", "no readable tar"),
    "no tar": (b"<html>" * 400, "no readable tar"),
    "cut inside a member": (WHOLE[: WHOLE.index(b"000002.png") + 900], "cut off or damaged"),
    "cut between members": (WHOLE[: WHOLE.index(b"000002.png")], "no end mark"),
    "a damaged header": (damaged(WHOLE), "no end mark"),
    "nothing in it": (tar([]), "there are no entries"),
    "no picture": (tar([("a.json", F)]), "sample a has json; expected one picture"),
    "no facts": (tar([("a.png", P)]), "sample a has png; expected one picture"),
    "two pictures": (tar([("a.png", P), ("a.jpg", P), ("a.json", F)]), "expected one picture"),
    "a member twice": (tar([("a.png", P), ("a.png", P), ("a.json", F)]), "a.png is there twice"),
    "a sample twice": (tar([("a.png", P), ("a.json", F), ("b.png", P), ("b.json", F)]), "have the id '0'"),
    "no JSON": (tar([("a.png", P), ("a.json", b"{")]), "sample a has no readable JSON"),
    "no object": (tar([("a.png", P), ("a.json", b"[1]")]), "sample a is list"),
    "no text": (tar([("a.png", P), ("a.json", b'{"mask": "none"}')]), "has no text or expression"),
    "no mask": (tar([("a.png", P), ("a.json", b'{"text": "x"}')]), "expected mask, segmentation"),
    "a file's mask": (tar([("a.png", P), ("a.json", facts(0, mask="/etc/passwd"))]), "or a member a.mask.png"),
    "a segment's file": (tar([("a.png", P), ("a.json", facts(0, mask=None, segment_id="../x"))]), "or a member a.mask"),
    "a way out": (tar([("../a.png", P)]), "the shard is not to be trusted"),
    "an absolute name": (tar([("/etc/a.png", P)]), "the shard is not to be trusted"),
    "no printable name": (tar([("a\n\x1b[2J.png", P)]), "the shard is not to be trusted"),
    "no text for a name": (tar([("\udcff\udcfe.png", P)]), "the shard is not to be trusted"),
    "a header without end": (bottomless, "bytes of it are said to be one header"),
    "a link": (linked, "is a link or the like"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["file", "http"])
def test_a_faulty_shard_is_named(fault: str, where: str, tmp_path: Path, server: ShardServer) -> None:
    content, message = FAULTS[fault]
    content = content if isinstance(content, bytes) else content()
    server.files["/train-000.tar"] = content
    spec = written(tmp_path / "shards", content)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(spec if where == "file" else f"shards:{server.address}/train-000.tar")
    assert "train-000.tar" in str(caught.value) or fault in ("nothing in it", "a sample twice")
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"train-000.tar"}


def test_random_damage_is_a_dataset_error_or_none(tmp_path: Path) -> None:
    rng = random.Random(0)
    for _ in range(150):
        content = bytearray(WHOLE)
        for _place in range(rng.choice((1, 3, 30))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        (tmp_path / "a-0.tar").write_bytes(content[: rng.choice((len(content), rng.randrange(len(content))))])
        try:
            samples = open_dataset("shards:a-0.tar", tmp_path)
        except DatasetError:
            continue
        for each in range(len(samples)):
            with contextlib.suppress(DatasetError):
                samples[each]


@pytest.mark.parametrize("where", ["file", "http"])
def test_a_corrupt_picture_is_named_and_the_others_are_read(where: str, tmp_path: Path, server: ShardServer) -> None:
    content = tar([("a.png", picture(0)[:-900]), ("a.json", facts(0)), *members(range(1, 3))])
    server.files["/train-000.tar"] = content
    spec = written(tmp_path, content)
    samples = open_dataset(spec if where == "file" else f"shards:{server.address}/train-000.tar")
    with pytest.raises(DatasetError, match=r"train 0: the picture .*train-000.tar: a.png cannot be read"):
        samples[0]
    assert samples[1].text == "the thing 1"
    (tmp_path / "train-000.tar").write_bytes(content[:6000])
    if where == "file":
        with pytest.raises(DatasetError, match=r"train 2: train-000.tar/000002.png: .*the shard is cut off"):
            samples[2]


def test_faulty_parquet_is_named(tmp_path: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    row = {"question_id": "1", "answer": ["it"], "rle": "none", "file_name": "../../a.png"}
    rows = [
        row | {"image": {"bytes": picture(0)}},
        row | {"question_id": "2", "file_name": "b", "image": {"bytes": None}},
    ]
    buffer = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(rows), buffer)
    content = buffer.getvalue()
    samples = open_dataset(written(tmp_path, content, "val-00000-of-00001.parquet"))
    assert samples[0].image_id == "a" and samples.entry(0).image.endswith("/val-00000-of-00001.parquet/a.png")
    with pytest.raises(DatasetError, match=r"val 2/0: .*the row holds no picture"):
        samples[1]
    for bad, message in ((content[:-30], "not readable parquet"), (b"", "not readable parquet")):
        with pytest.raises(DatasetError, match=f"x-0.parquet {message}|x-0.parquet is {message}"):
            open_dataset(written(tmp_path, bad, "x-0.parquet"))
    parquet.write_table(arrow.Table.from_pylist([row]), tmp_path / "y-0.parquet")
    with pytest.raises(DatasetError, match="y-0.parquet has no column image.bytes"):
        open_dataset(f"shards:{tmp_path / 'y-0.parquet'}")
    with pytest.raises(DatasetError, match="name one kind"):
        open_dataset(written(tmp_path, WHOLE, "y-0.tar").replace("y-0.tar", "y-0.*"))
