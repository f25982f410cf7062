"""A worker's rows are what a ``Segmenter`` answers; what is wrong with a row stays in its row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bulk_runs import json_lines, make_model, png
from counted_pictures import encoded_counts
from restr.bulk.parts import PartFolder
from restr.bulk.rows import BulkPiece, BulkShard
from restr.bulk.sources.opening import open_source
from restr.bulk.work import BulkModel, BulkWork, ShardWorker
from restr.errors import DatasetError, WeightsError
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.segmenter import Segmenter
from restr.masks import rle_decode

LINES: list[Any] = [
    {"image": "0.png", "text": ["left", "", "the red"]},
    {"image": "0.png", "text": "blue"},
    {"image": "missing.png", "text": "left"},
    {"image": "1.png", "text": "right"},
    {"image": "0.png", "text": "\ud800 right"},
    {"image": "broken.png", "text": ["left", "red"]},
    b"{",
    {"image": "2.png", "text": [5, "left"]},
    {"image": ".", "text": "left"},
]
ERRORS = {
    1: "TextError",
    4: "ImageError",
    7: "ImageError",
    8: "ImageError",
    9: "DataError",
    10: "TextError",
    12: "ImageError",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def work(model: str, tmp_path: Path) -> BulkWork:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.png").write_bytes(png(number))
    (tmp_path / "in" / "broken.png").write_bytes(png(0)[:99])
    (tmp_path / "in" / "rows.jsonl").write_bytes(json_lines(LINES))
    source = open_source([str(tmp_path / "in" / "rows.jsonl")])
    return BulkWork(
        source=source,
        parts=PartFolder(str(tmp_path / "out"), "jsonl"),
        model=BulkModel(model=model, device="cpu", threads=2, presence=0.0),
    )


def shard_of(work: BulkWork) -> BulkShard:
    (piece,) = work.source.cut(1000)
    return BulkShard(0, 100, piece)


def rows_of(work: BulkWork, worker: ShardWorker | None = None) -> list[dict[str, Any]]:
    import json

    (worker or work()).run(shard_of(work))
    content = work.parts.read_file(work.parts.name_of(0))
    assert content is not None
    return [json.loads(line) for line in content.splitlines()]


def test_rows_are_those_of_a_segmenter(work: BulkWork, model: str) -> None:
    rows = rows_of(work)
    assert [row["row"] for row in rows] == list(range(100, 113))
    assert {number: row["error"].partition(":")[0] for number, row in enumerate(rows) if row["error"]} == ERRORS
    torch.set_num_threads(1)
    segmenter = Segmenter.from_pretrained(model, device="cpu")
    together = {0: ["left", "the red", "blue"], 1: ["right"], 2: ["left"]}  # adjacent rows of one picture
    expected = [result for number, texts in together.items() for result in segmenter(png(number), texts, presence=0.0)]
    expected[4:4] = segmenter(png(0), ["\ud800 right"], presence=0.0)
    good = [row for number, row in enumerate(rows) if number not in ERRORS]
    assert [row["text"] for row in good] == ["left", "the red", "blue", "right", "\\ud800 right", "left"]
    for row, result in zip(good, expected, strict=True):
        assert (row["found"], row["presence"], row["score"]) == (result.found, result.presence, result.score)
        assert (row["area"], [row["height"], row["width"]]) == (result.area, list(result.mask.shape))
        assert row["box"] == (None if result.box is None else list(result.box))
        assert np.array_equal(rle_decode(row["rle"]), result.mask)
    for number in ERRORS:
        assert {rows[number][name] for name in ("found", "presence", "score", "area", "width", "rle")} == {None}


def test_a_picture_is_encoded_once_for_its_rows(work: BulkWork, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = encoded_counts(monkeypatch, "encode_image")
    rows_of(work)
    assert counts == [1] * 3  # 0.png comes again later: its features are still in memory


@pytest.mark.parametrize("changed", [{"threads": 1}, {"threads": 3}])
def test_threads_change_no_bit(work: BulkWork, changed: dict[str, int]) -> None:
    rows = rows_of(work)
    assert rows_of(replace(work, model=replace(work.model, **changed))) == rows


def test_a_library_that_fails_at_one_picture_does_not_stop_the_others(
    work: BulkWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows_of(work)
    encode = TorchBackend.encode_image

    def failing(self: TorchBackend, image: np.ndarray) -> Any:
        if image.shape == bad:
            raise RuntimeError("a bug\nof a library")
        return encode(self, image)

    from restr.inference.sources import read_image

    bad = (1, *work().segmenter.framing.prepare(read_image(png(1))).shape)
    monkeypatch.setattr(TorchBackend, "encode_image", failing)
    rows = rows_of(work)
    assert rows[5]["error"] == "RuntimeError: a bug of a library" and rows[5]["image"] == "1.png"
    assert rows[:5] + rows[6:] == whole[:5] + whole[6:]


def test_a_model_that_fails_is_not_an_error_of_its_rows(work: BulkWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: TorchBackend, image: np.ndarray) -> Any:
        raise WeightsError("the graph does not open")

    monkeypatch.setattr(TorchBackend, "encode_image", failing)
    with pytest.raises(WeightsError, match="does not open"):
        rows_of(work)
    assert work.parts.numbers() == set()


def test_a_gpu_encodes_several_pictures_together(work: BulkWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, here on the processor: pictures of one input size in one call, rows as before but for rounding."""
    expected = rows_of(work)
    worker = work()
    monkeypatch.setattr(type(worker.segmenter), "device", property(lambda self: "cuda"))
    found = rows_of(work, worker)
    assert [(row["row"], row["error"], row["found"]) for row in found] == [
        (row["row"], row["error"], row["found"]) for row in expected
    ]
    assert [row["score"] or 0 for row in found] == pytest.approx([row["score"] or 0 for row in expected], abs=1e-5)


def test_an_input_that_changed_is_not_written(work: BulkWork) -> None:
    shard = shard_of(work)
    with pytest.raises(DatasetError, match="13 rows where the plan counted 12; the input has changed"):
        work().run(replace(shard, piece=shard.piece._replace(rows=12)))
    assert work.parts.numbers() == set()


def test_a_piece_that_cannot_be_read_is_a_row(work: BulkWork) -> None:
    report = work().run(BulkShard(7, 70, BulkPiece(1, 0, error="rows.jsonl is cut off")))
    assert report.tally.errors == {"DatasetError": 1} and report.tally.examples["DatasetError"]["row"] == 70
    assert report.runtime == "torch fp32 on cpu"
