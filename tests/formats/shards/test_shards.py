"""Datasets in shards read back as they were, from wherever; each sample once an epoch, in an order that suits streams."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import layouts
from restr.cli.main import main
from restr.cli.options import DataOptions
from restr.data.batch import SampleBatches
from restr.data.fitted import FittedSamples
from restr.data.order import BlockOrder, Uniform
from restr.errors import DataError, DatasetError, UnreachableError
from restr.formats.catalog import open_dataset
from restr.formats.shards import address
from restr.formats.shards.samples import open_shards
from restr.formats.writers import convert
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from sharded import SIDE, ShardServer, members, picture, served, tar, written

pytestmark = pytest.mark.usefixtures("alone")


# --- the same samples, from wherever ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "ending"), [("webdataset", "tar"), ("parquet", "parquet")])
@pytest.mark.parametrize("where", ["folder", "glob", "range", "memory", "http"])
def test_it_reads_back_as_it_was(form: str, ending: str, where: str, tmp_path: Path, server: ShardServer) -> None:
    import fsspec

    (tmp_path / "from").mkdir()
    layouts.make_refer(tmp_path / "from", "grefcoco")
    expected = open_dataset("grefcoco:unc:val", tmp_path / "from")
    convert(expected, form, tmp_path / "to")
    (path,) = (tmp_path / "to").glob(f"*.{ending}")
    fsspec.filesystem("memory").pipe(f"/bucket/{path.name}", path.read_bytes())
    server.files[f"/{path.name}"] = path.read_bytes()
    zeros = path.stem.partition("-")[2]
    spec = {
        "folder": "shards:to",
        "glob": f"shards:to/v*.{ending}:val",
        "range": f"shards:to/val-{{{zeros}..{zeros}}}.{ending}",
        "memory": f"shards:memory://bucket/*.{ending}",
        "http": f"shards:{server.address}/{path.name}:val",
    }[where]
    try:
        found = open_dataset(spec, tmp_path)
        assert found.image_groups() == expected.image_groups()  # a picture's sentences find each other again
        assert found.entries.splits() == {"val": len(expected)}
        for one, two in zip(found, expected, strict=True):
            assert np.array_equal(one.mask, two.mask) and np.array_equal(one.image, two.image)
            assert (one.text, one.kind, one.id.removesuffix("/0")) == (two.text, two.kind, two.id)
    finally:
        fsspec.filesystem("memory").rm("/bucket", recursive=True)


def test_the_commands_take_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "from").mkdir()
    layouts.make_refer(tmp_path / "from")
    convert(open_dataset("refcoco:unc:train", tmp_path / "from"), "webdataset", tmp_path / "to")
    root = ["--root", str(tmp_path)]
    main(["data", "check", "shards:to", *root, "--out", str(tmp_path / "check")])
    assert "missing" not in capsys.readouterr().out
    assert main(["data", "convert", "shards:to:train", *root, "--to", "jsonl", "--out", str(tmp_path / "again")]) == 0
    again = open_dataset("jsonl:samples.jsonl", tmp_path / "again")
    for one, two in zip(again, open_dataset("refcoco:unc:train", tmp_path / "from"), strict=True):
        assert np.array_equal(one.mask, two.mask) and np.array_equal(one.image, two.image) and one.text == two.text
    assert len(DataOptions(data="shards:to:train", root=tmp_path).open()) == len(again)


def test_masks_may_be_pictures_in_the_shard(tmp_path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[4:9] = True
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    said = json.dumps({"text": "it"}).encode()
    spec = written(tmp_path, tar([("a/7.JPG", picture(1)), ("a/7.json", said), ("a/7.mask.png", buffer.getvalue())]))
    assert np.array_equal(open_dataset(spec)[0].mask, mask) and open_dataset(spec).ids() == ["train-000/a/7"]


def test_the_index_is_made_once_and_follows_the_shards(server: ShardServer, tmp_path: Path) -> None:
    samples = served(server)
    assert len(samples) == 120
    assert len(open_dataset(f"shards:{server.address}/train-{{000..003}}.tar")) == 120
    assert server.requests == []  # sizes and tags only
    server.files["/train-003.tar"] = tar(members(range(90, 95)))
    assert len(open_dataset(f"shards:{server.address}/train-{{000..003}}.tar")) == 95
    secret = f"shards:{server.address}/train-000.tar?signature=abc123".replace("http://", "http://me:pw987@")
    assert len(open_dataset(secret)) == 30
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*.sqlite")]
    assert len(kept) == 2 and not any(b"abc123" in content or b"pw987" in content for content in kept)


# --- the order -------------------------------------------------------------------------------------------------------


def test_an_epoch_is_every_sample_once_and_every_block_once(server: ShardServer) -> None:
    samples = served(server)
    order = samples.order(seed=3)
    one, two = order.permutation(0), order.permutation(1)
    assert sorted(one) == sorted(two) == list(range(120)) and list(one) != list(two)
    assert list(samples.order(seed=3).permutation(0)) == list(one) != list(samples.order(seed=4).permutation(0))
    assert {samples[int(number)].text for number in one} == {f"the thing {number}" for number in range(120)}
    assert len(set(server.requests)) == len(server.requests) == len(order.sizes)
    assert server.sent < sum(map(len, server.files.values()))


def test_neighbours_come_from_few_files() -> None:
    files = np.repeat(np.arange(20), 100)
    blocks = np.tile(np.repeat(np.arange(10), 10), 20)
    order = BlockOrder(files, blocks, np.full(2000, 1000), seed=0, window=3, mixed=5000)
    turn = order.permutation(5)
    assert sorted(turn) == list(range(2000))
    for start in range(0, 1800, 300):
        assert len(set(files[turn[start : start + 300]])) == 3  # a window
    for start in range(0, 2000, 50):
        pool = turn[start : start + 50]
        assert len(set(zip(files[pool], blocks[pool], strict=True))) == 5  # five blocks of 1000 bytes, mixed
        assert (np.diff(pool) != 1).mean() > 0.7
    assert len(set(np.concatenate([files[order.permutation(e)[:40]] for e in range(40)]))) > 15


def test_the_usual_order_is_as_it_was() -> None:
    assert np.array_equal(Uniform(50, 7).permutation(2), np.random.default_rng([7, 2]).permutation(50))
    with pytest.raises(DataError, match="the order is of 3, the samples make 4 groups of 1"):
        batches_of([None] * 4, order=Uniform(3, 0))  # type: ignore[list-item]


def batches_of(samples: Any, **more: Any) -> SampleBatches:
    config = restr_tiny(vocab=4)
    tokenizer = Tokenizer.of(Vocabulary(("the", "thing")), config)
    return SampleBatches(FittedSamples(samples, config.framing), tokenizer, config, size=8, seed=1, **more)


def test_batches_are_the_same_for_any_number_of_processes_and_after_resuming(server: ShardServer) -> None:
    samples = served(server, 2)
    samples = pickle.loads(pickle.dumps(samples))  # as it gets to a process that is not forked
    batches = batches_of(samples, order=samples.order(1))
    expected = [batches.batch(step) for step in range(10)]  # beyond the first epoch of 60 samples

    def loaded(steps: range, workers: int) -> DataLoader:
        fresh = batches_of(samples, order=samples.order(1))
        return DataLoader(steps, batch_size=None, num_workers=workers, collate_fn=fresh.batch)  # type: ignore[arg-type]

    for first, workers in ((0, 0), (0, 2), (7, 1)):
        for step, batch in enumerate(loaded(range(first, 10), workers), first):
            for name in ("ids", "image", "mask", "image_of"):
                assert torch.equal(getattr(batch, name), getattr(expected[step], name))


def test_what_a_process_keeps_is_bounded(server: ShardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restr.formats.shards.tar.BLOCK", 300_000)
    server.files = {"/a-0.tar": tar([(name, data) for name, data in members(range(400))])}
    samples = open_shards(f"{server.address}/a-0.tar", Path(), cache_mib=1)
    assert len(samples.order(0).sizes) >= 5
    for number in [*range(0, 400, 7), *range(0, 400, 11)]:
        samples[number]
        assert sum(len(content) for content, _ in samples.files.kept.values()) <= 1 << 20  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match="cache_mib is 0"):
        open_shards(f"{server.address}/a-0.tar", Path(), cache_mib=0)


def test_a_batch_brings_its_blocks_together(server: ShardServer) -> None:
    samples = served(server)
    numbers = samples.order(0).permutation(0)[:30].tolist()
    samples.fetch(numbers)
    asked = len(server.requests)
    assert asked > 3 and len({samples[number].text for number in numbers}) == 30
    samples.fetch(numbers)
    assert len(server.requests) == asked
    server.files = {}
    samples.fetch(range(120))  # nothing comes: the sample that is then asked for says so
    with pytest.raises(UnreachableError, match=r"train \d+: .*no such file"):
        list(samples)
    with pytest.raises(UnreachableError):  # though a batch does without a sample that is damaged
        batches_of(samples).batch(0)


# --- addresses -------------------------------------------------------------------------------------------------------


def test_addresses() -> None:
    assert address.expand_braces("x-{008..010}.tar") == ["x-008.tar", "x-009.tar", "x-010.tar"]
    assert address.expand_braces("{train,val}-{0..1}.tar") == ["train-0.tar", "train-1.tar", "val-0.tar", "val-1.tar"]
    for bad, message in {
        "{0..99999999}": "is the range too long",
        "{3..1}": "goes backwards",
        "{x}": "neither a range",
    }.items():
        with pytest.raises(DatasetError, match=message):
            address.expand_braces(f"x-{bad}.tar")
    with pytest.raises(DatasetError, match="means 1,000,000 shards"):
        address.expand_braces("{000..999}-{000..999}.tar")
    for text, expected in {
        "a/x.tar": ("a/x.tar", None),
        "a/x.tar:val": ("a/x.tar", "val"),
        "a/b:val": ("a/b", "val"),
        "http://h:80/x-{0..1}.tar": ("http://h:80/x-{0..1}.tar", None),
        "http://h:80/x.parquet?k=v:val": ("http://h:80/x.parquet?k=v", "val"),
        "s3://b/x.tar:": ("s3://b/x.tar", None),
        "s3://b/x/": ("s3://b/x/", None),
    }.items():
        assert address.pattern_and_split(text) == expected
    assert address.redact("https://me:pw@h/x.tar?sig=1") == "https://...@h/x.tar?..."
    assert [address.split_of_shard(n) for n in ("train-000.tar", "a-b-00-of-10.parquet", "x.tar")] == [
        "train",
        "a-b",
        "x",
    ]
