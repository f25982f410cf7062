"""A bulk run between buckets of a storage that speaks S3's language."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
import torch

from bulk_runs import HerePool, json_lines, make_model, png, web_tar
from restr.bulk.parts import PartFolder
from restr.bulk.run import BulkOptions, predict_bulk
from restr.bulk.sources.opening import open_source
from restr.bulk.work import BulkModel
from restr.errors import UnreachableError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of moto and of aiobotocore


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket with pictures, a table and a shard, on a server in this process."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    name = f"photos-{secrets.token_hex(4)}"  # moto's buckets stay in the process
    system.mkdir(name)
    for number in range(4):
        system.pipe_file(f"{name}/in/deep/{number}.png", png(number))
    lines = [{"image": f"deep/{number}.png", "text": ["left", "red"]} for number in (0, 1, 9)]
    system.pipe_file(f"{name}/in/rows.jsonl", json_lines(lines))
    system.pipe_file(f"{name}/in/s.tar", web_tar([(str(n), {"png": png(n), "txt": "left"}) for n in range(4)]))
    before = torch.get_num_threads()
    yield f"s3://{name}"
    torch.set_num_threads(before)
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("inputs", "texts", "rows", "bad"),
    [
        ("in/deep", ["left", "red"], 8, 0),
        ("in/deep/*.png", ["left"], 4, 0),
        ("in/rows.jsonl", [], 6, 2),
        ("in/s.tar", [], 4, 0),
    ],
)
def test_from_bucket_to_bucket(bucket: str, tmp_path, inputs: str, texts: list[str], rows: int, bad: int) -> None:
    model = BulkModel(model=make_model(tmp_path / "model"), device="cpu", threads=1)
    options = BulkOptions(model=model, rows_per_part=3)
    source, out = open_source([f"{bucket}/{inputs}"], texts=texts), PartFolder(f"{bucket}/out")
    with pytest.raises(KeyboardInterrupt):
        predict_bulk(source, out, HerePool(1), options)
    summary = predict_bulk(source, out, HerePool(), options)
    assert summary.is_complete and (summary.tally.rows, summary.tally.failed) == (rows, bad)
    assert summary.rows_before > 0
    assert not bad or "there is no file deep/9.png" in summary.tally.examples["ImageError"]["error"]
    assert predict_bulk(source, out, HerePool(0), options).tally == summary.tally


def test_a_storage_that_is_gone_loses_no_row(bucket: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are not errors for good: the part fails, and the next run tries it again."""
    monkeypatch.setattr("restr.formats.shards.storage.PAUSE", 0.0)
    model = BulkModel(model=make_model(tmp_path / "model"), device="cpu", threads=1)
    source, out = open_source([f"{bucket}/in/deep"], texts=["left"]), PartFolder(str(tmp_path / "out"))
    with monkeypatch.context() as patch:

        def gone(address: str, base: str) -> bytes:
            raise UnreachableError("no network")

        patch.setattr("restr.bulk.work.fetch_picture", gone)
        summary = predict_bulk(source, out, HerePool(), BulkOptions(model=model, rows_per_part=2))
        assert len(summary.failed_parts) == 2 and summary.tally.rows == 0
    assert predict_bulk(source, out, HerePool(), BulkOptions(model=model, rows_per_part=2)).is_complete
