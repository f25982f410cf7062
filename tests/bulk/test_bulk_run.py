"""Whole runs: exactly one row out for each row in, also after kills; the same bytes; nothing of another run is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from bulk_runs import HerePool, json_lines, make_model, png
from restr.bulk.parts import PartFolder
from restr.bulk.run import BulkOptions, BulkProgress, BulkSummary, predict_bulk
from restr.bulk.sources.opening import open_source
from restr.bulk.sources.text_tables import JsonLines
from restr.bulk.work import BulkModel, ShardWorker
from restr.errors import ConfigError, DataError, OutputError

LINES = [{"image": f"{number % 5}.png", "text": ["left", "red"]} for number in range(10)] + [
    {"image": "none.png", "text": "a"}
]
ROWS = 21


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[str]:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    (tmp_path / "rows.jsonl").write_bytes(json_lines(LINES))
    before = torch.get_num_threads()
    fsspec.filesystem("memory").store.clear()
    yield str(tmp_path / "rows.jsonl")
    torch.set_num_threads(before)


def run(
    table: str, out: str, model: str, *, pool: Any = None, rows: int = 4, seen: Any = None, **changed: Any
) -> BulkSummary:
    form = changed.pop("form", "parquet")
    options = BulkOptions(model=BulkModel(model=model, device="cpu", threads=1, **changed), rows_per_part=rows)
    more = {} if seen is None else {"progress": seen.append}
    return predict_bulk(open_source([table]), PartFolder(out, form), pool or HerePool(), options, **more)


def parts(out: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(out).glob("part-*")}


def test_one_row_out_for_each_row_in(table: str, tmp_path: Path, model: str) -> None:
    seen: list[BulkProgress] = []
    summary = run(table, str(tmp_path / "out"), model, seen=seen, form="jsonl")
    rows = [
        json.loads(line) for _, content in sorted(parts(str(tmp_path / "out")).items()) for line in content.splitlines()
    ]
    assert [row["row"] for row in rows] == list(range(ROWS))
    assert [(row["image"], row["text"]) for row in rows] == [
        (line["image"], text) for line in LINES for text in ([line["text"]] if line["text"] == "a" else line["text"])
    ]
    assert summary.is_complete and summary.tally.errors == {"ImageError": 1} and summary.parts == 6
    kept = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert kept["rows"] == ROWS == kept["found"] + kept["not_found"] + 1
    assert kept["errors"]["ImageError"]["example"]["error"] == "ImageError: there is no file none.png"
    assert seen[-1] == BulkProgress("predicting", ROWS, ROWS, ROWS)
    assert {each.state for each in seen} == {"planning", "predicting"}


@pytest.mark.parametrize(("form", "kills"), [("parquet", (0, 3)), ("jsonl", (5,))])
def test_a_killed_run_is_finished_with_the_same_bytes(
    table: str, tmp_path: Path, model: str, form: str, kills: tuple[int, ...]
) -> None:
    run(table, str(tmp_path / "whole"), model, form=form)
    for done in kills:
        out = str(tmp_path / f"killed-{done}")
        pool = HerePool(done)
        with pytest.raises(KeyboardInterrupt):
            run(table, out, model, pool=pool, form=form)
        assert len(parts(out)) == done and pool.closed
        again = HerePool()
        summary = run(table, out, model, pool=again, form=form)
        assert again.done == 6 - done and summary.is_complete
        assert parts(out) == parts(str(tmp_path / "whole"))


def test_a_finished_run_does_nothing_again(
    table: str, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    first = run(table, out, model)
    (tmp_path / "out" / "part-00000002.parquet").write_bytes(b"PAR1")  # but for a damaged part
    pool = HerePool()
    assert run(table, out, model, pool=pool).tally == first.tally and pool.done == 1
    written = (tmp_path / "out" / "summary.json").read_text()
    monkeypatch.setattr(JsonLines, "cut", lambda self, rows: pytest.fail("the plan is there already"))
    idle = HerePool()
    summary = run(table, out, model, pool=idle)
    assert summary.tally == first.tally and idle.done == 0 and summary.rows_per_second is None
    assert (tmp_path / "out" / "summary.json").read_text() == written


def test_a_part_that_fails_as_a_whole_is_tried_by_the_next_run(
    table: str, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(table, str(tmp_path / "whole"), model)
    work = ShardWorker.run

    def failing(self: ShardWorker, shard: Any, /) -> Any:
        if shard.index == 1:
            raise OutputError("the disk is full")
        return work(self, shard)

    out = str(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(ShardWorker, "run", failing)
        summary = run(table, out, model)
    assert summary.failed_parts == [{"part": 1, "rows": 4, "error": "the disk is full"}] and not summary.is_complete
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["failed_parts"] == summary.failed_parts
    assert run(table, out, model).is_complete
    assert parts(out) == parts(str(tmp_path / "whole"))


def test_a_folder_of_another_run_is_refused(table: str, tmp_path: Path, model: str) -> None:
    out = str(tmp_path / "out")
    run(table, out, model)
    before = parts(out)
    with pytest.raises(DataError, match="were made with threshold None, not 0.4; .* name another folder"):
        run(table, out, model, threshold=0.4)
    with pytest.raises(DataError, match="with precision 'fp32', not 'bf16'"):
        run(table, out, model, precision="bf16")
    with pytest.raises(DataError, match="with rows_per_part 4, not 5"):
        run(table, out, model, rows=5)
    Path(table).write_bytes(json_lines(LINES[:-1]))
    with pytest.raises(DataError, match="a run of another input, or the input has changed"):
        run(table, out, model)
    (tmp_path / "out" / "plan.json").write_text("{")
    with pytest.raises(DataError, match="plan.json is damaged"):
        run(table, out, model)
    (tmp_path / "out" / "plan.json").unlink()
    with pytest.raises(OutputError, match="holds parts, but no plan.json"):
        run(table, out, model)
    assert parts(out) == before


def test_pictures_are_listed_again_and_another_list_is_refused(table: str, tmp_path: Path, model: str) -> None:
    options = BulkOptions(model=BulkModel(model=model, device="cpu", threads=1), rows_per_part=2)
    out = PartFolder(str(tmp_path / "out"))

    def segment(pool: HerePool) -> BulkSummary:
        return predict_bulk(open_source([str(tmp_path / "*.png")], texts=["left"]), out, pool, options)

    with pytest.raises(KeyboardInterrupt):
        segment(HerePool(1))
    assert segment(HerePool()).tally.rows == 5
    (tmp_path / "new.png").write_bytes(png(9))
    with pytest.raises(DataError, match="another input"):
        segment(HerePool())


def test_output_behind_an_address(table: str, tmp_path: Path, model: str) -> None:
    run(table, str(tmp_path / "out"), model)
    with pytest.raises(KeyboardInterrupt):
        run(table, "memory://bucket/out", model, pool=HerePool(3))
    assert run(table, "memory://bucket/out", model).is_complete
    system = fsspec.filesystem("memory")
    found = {path.rpartition("/")[2]: system.cat_file(path) for path in system.find("/bucket/out")}
    assert {name: content for name, content in found.items() if name.startswith("part-")} == parts(
        str(tmp_path / "out")
    )
    assert set(found) >= {"plan.json", "summary.json"}


def test_an_empty_input_and_wrong_numbers_are_refused(table: str, tmp_path: Path, model: str) -> None:
    with pytest.raises(ConfigError, match="rows_per_part is 0"):
        BulkOptions(rows_per_part=0)
    with pytest.raises(ConfigError, match="threshold is 5"):
        run(table, str(tmp_path / "out"), model, threshold=5.0)
    (tmp_path / "none.csv").write_text("image,text\n")
    with pytest.raises(DataError, match="the input has no row"):
        run(str(tmp_path / "none.csv"), str(tmp_path / "out"), model)
    assert not (tmp_path / "out").exists()
