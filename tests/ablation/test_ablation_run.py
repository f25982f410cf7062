"""Ablation tables: every row builds, a run goes on where it was, and the table says what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from restr.ablation.cost import cost_of, gmac_of, parameters_of
from restr.ablation.report import ablation_table, mean_and_deviation
from restr.ablation.run import SCORES, RowResult, run_table
from restr.ablation.tables import TABLES, Row, Table, fusion, table
from restr.ablation.tasks import ScenesTask
from restr.cli.main import main
from restr.config import ModelConfig
from restr.errors import ConfigError, DataError
from restr.model.build import build_model
from restr.presets import restr_small, restr_tiny
from restr.training.config import TrainConfig

SMALL = Table(
    title="small", rows=(Row(name="CME", change=fusion()), Row(name="no patches", loss={"patch_weight": 0.0}))
)
SETTINGS = TrainConfig(steps=2, lr=1e-3, ema=0.5)


def task() -> ScenesTask:
    return ScenesTask(scenes=2, batch=8, unseen=2)


@pytest.mark.parametrize(("name", "row"), [(name, row) for name, t in TABLES.items() for row in t.rows])
def test_every_row_changes_the_model_or_the_loss(name: str, row: Row) -> None:
    config = restr_tiny()
    changed = row.change(config)
    assert changed != config or row.loss or row.name in ("full", "beside the patches after fusion", "P = 4")
    build_model(changed)
    if not TABLES[name].of_vision:
        assert row.change(restr_small()).vision == restr_small().vision


def test_shared_rows_are_smaller() -> None:
    millions = {row.name: parameters_of(row.change(restr_tiny())) for row in TABLES["fusion"].rows}
    assert millions["CME-dagger, one block over depth"] < millions["CME"] == millions["IME"]


def test_multiplications_of_a_known_model() -> None:
    """The decoder of restr_tiny costs what its shapes say, and windows cost less than full attention."""
    with_decoder, without = gmac_of(restr_tiny()), gmac_of(TABLES["decoder"].rows[0].change(restr_tiny()))
    n, d = 16 * 16, 64
    expected = n * 2 * d * d + 4 * n * d * (d // 2) + 16 * n * (d // 2)
    assert (with_decoder - without) * 1e9 == pytest.approx(expected)
    rows = TABLES["attention"].rows
    assert gmac_of(rows[1].change(restr_tiny())) < gmac_of(restr_tiny())
    assert cost_of(restr_tiny(), rounds=1).milliseconds > 0


def test_a_table_is_finished_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, stopped = run_table(SMALL, task(), tmp_path, seeds=1, settings=SETTINGS)
    assert stopped is None and [len(r.scores) for r in results] == [1, 1]
    first = (tmp_path / "cme" / "seed0" / SCORES).read_text()
    assert 0 <= json.loads(first)["miou"] <= 1
    assert not list(tmp_path.rglob("*.pt"))
    monkeypatch.setattr("restr.ablation.run.Trainer.fit", never)  # what is done is not done again ...
    again, _ = run_table(SMALL, task(), tmp_path, seeds=1, settings=SETTINGS)
    assert again == results
    with pytest.raises(RuntimeError):  # ... and what is missing is
        run_table(SMALL, task(), tmp_path, seeds=2, settings=SETTINGS)


def never(*_: object) -> None:
    raise RuntimeError("trained")


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    run_table(Table(title="none", rows=()), task(), tmp_path, seeds=1, settings=SETTINGS)
    with pytest.raises(DataError, match="with another train; give the same settings"):
        run_table(Table(title="none", rows=()), task(), tmp_path, seeds=1, settings=TrainConfig(steps=3))


def test_cached_features_are_of_one_encoder(tmp_path: Path) -> None:
    cached = task()
    cached.cached = True  # type: ignore[misc]
    with pytest.raises(ConfigError, match="changes the vision encoder"):
        run_table(TABLES["patch-size"], cached, tmp_path, seeds=1, settings=SETTINGS)


def test_the_table_gives_mean_and_spread() -> None:
    config: ModelConfig = restr_tiny()
    result = RowResult(
        name="CME", scores=({"miou": 0.5, "oiou": 0.6}, {"miou": 0.6, "oiou": 0.6}), cost=cost_of(config, rounds=1)
    )
    assert "| CME | 2 | 55.0 ± 7.1 | 60.0 ± 0.0 |" in ablation_table("x", [result])
    assert "mIoU by length" not in ablation_table("x", [result])
    by_length = replace(result, scores=tuple(each | {"miou_3-4 words": 0.25} for each in result.scores))
    assert "| mIoU by length | 3-4 words |\n|---|---:|\n| CME | 25.0 ± 0.0 |" in ablation_table("x", [by_length])
    assert mean_and_deviation([]) == "-" and mean_and_deviation([0.25]) == "25.0"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--table", "lambda", "--seeds", "1", "--scenes", "2", "--batch", "8", "--steps", "1", "--out"]
    assert main(["ablate", *arguments, str(tmp_path)]) == 0
    assert "| lambda 0.1 | 1 |" in capsys.readouterr().out
    assert (tmp_path / "table.md").exists() and (tmp_path / "table.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["ablate", "--features", "x", "--out", str(tmp_path / "other")]) == 1
    assert "--features needs --parts" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="choose one of fusion, lambda"):
        table("depth")
