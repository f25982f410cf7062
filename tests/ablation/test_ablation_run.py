"""Ablation tables: every row builds, an interrupted run is resumed, and the table has the measured values."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from restr.ablation.cost import cost_of, gmac_of, parameters_of
from restr.ablation.report import ablation_table, mean_and_deviation
from restr.ablation.run import SCORES, RowResult, _folder_name, run_table
from restr.ablation.study import Study, scenes_study
from restr.ablation.tables import ABLATION_TABLES, Row, Table, fusion, table
from restr.cli.main import main
from restr.cli.verbs.measuring.ablate import Ablate
from restr.config import ModelConfig
from restr.errors import ConfigError, DataError
from restr.model.build import build_model
from restr.presets import restr_base, restr_small, restr_tiny
from restr.training.config import TrainConfig

SMALL = Table(
    title="small", rows=(Row(name="CME", change=fusion()), Row(name="no patches", loss={"patch_weight": 0.0}))
)
SETTINGS = TrainConfig(steps=2, lr=1e-3, ema=0.5)


def study() -> Study:
    return scenes_study(scenes=2, batch=8, unseen=2)


@pytest.mark.parametrize(("name", "row"), [(name, row) for name, t in ABLATION_TABLES.items() for row in t.rows])
def test_every_row_changes_the_model_or_the_loss(name: str, row: Row) -> None:
    config = restr_tiny()
    changed = row.change(config)
    assert changed != config or row.loss or row.name in ("full", "beside the patches after fusion", "P = 4")
    build_model(changed)
    of_vision = name == "attention" and row.name != "full" or "P = " in row.name and row.name != "P = 16"
    assert (row.change(restr_small()).vision != restr_small().vision) == of_vision


@pytest.mark.parametrize("name", ABLATION_TABLES)
def test_rows_have_folders_of_their_own(name: str) -> None:
    rows = ABLATION_TABLES[name].rows
    assert len({_folder_name(row) for row in rows}) == len(rows)


def test_rows_can_be_chosen() -> None:
    chosen = ABLATION_TABLES["fusion"].only(["CME", "VME"])
    assert [row.name for row in chosen.rows] == ["VME", "CME"]
    with pytest.raises(ConfigError, match="has no row 'cme'; choose from VME, IME, CME"):
        ABLATION_TABLES["variants"].only(["cme"])


def test_the_papers_table_crosses_variants_with_sharing() -> None:
    settings = {
        (fused.variant, fused.sharing)
        for row in ABLATION_TABLES["paper-3"].rows
        for fused in [row.change(restr_tiny()).fusion]
    }
    every = {(variant, sharing) for variant in ("vme", "ime", "cme") for sharing in ("none", "depth", "encoders")}
    assert settings == every - {("vme", "encoders")}
    patches = {row.change(restr_base()).vision.patch for row in ABLATION_TABLES["paper-3"].rows}
    assert patches == {32, 16, 8}


def test_shared_rows_are_smaller() -> None:
    millions = {row.name: parameters_of(row.change(restr_tiny())) for row in ABLATION_TABLES["fusion"].rows}
    assert millions["CME-dagger, one block over depth"] < millions["CME"] == millions["IME"]


def test_multiplications_of_a_known_model() -> None:
    """The decoder of restr_tiny costs what its shapes say, and windows cost less than full attention."""
    with_decoder, without = gmac_of(restr_tiny()), gmac_of(ABLATION_TABLES["decoder"].rows[0].change(restr_tiny()))
    n, d = 16 * 16, 64
    expected = n * 2 * d * d + 4 * n * d * (d // 2) + 16 * n * (d // 2)
    assert (with_decoder - without) * 1e9 == pytest.approx(expected)
    rows = ABLATION_TABLES["attention"].rows
    assert gmac_of(rows[1].change(restr_tiny())) < gmac_of(restr_tiny())
    assert cost_of(restr_tiny(), rounds=1).milliseconds > 0


def test_a_table_is_finished_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, stopped = run_table(SMALL, study(), tmp_path, seeds=1, settings=SETTINGS)
    assert stopped is None and [len(r.scores) for r in results] == [1, 1]
    first = (tmp_path / "cme" / "seed0" / SCORES).read_text()
    scores = json.loads(first)
    assert 0 <= scores["miou"] <= 1
    assert scores["seed_direct_patches"] == 0 < scores["seed_effective_patches"] < 1  # of CME
    assert not list(tmp_path.rglob("*.pt"))
    monkeypatch.setattr("restr.ablation.run.Trainer.fit", never)  # what is done is not done again ...
    again, _ = run_table(SMALL, study(), tmp_path, seeds=1, settings=SETTINGS)
    assert again == results
    with pytest.raises(RuntimeError):  # ... and what is missing is
        run_table(SMALL, study(), tmp_path, seeds=2, settings=SETTINGS)


def never(*_: object) -> None:
    raise RuntimeError("trained")


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    run_table(Table(title="none", rows=()), study(), tmp_path, seeds=1, settings=SETTINGS)
    with pytest.raises(DataError, match="with train.ema 0.5, not 0.999; give the same settings"):
        run_table(Table(title="none", rows=()), study(), tmp_path, seeds=1, settings=TrainConfig(steps=3))


def test_cached_features_are_of_one_encoder(tmp_path: Path) -> None:
    cached = replace(study(), cached=True)
    with pytest.raises(ConfigError, match="P = 16, P = 8: these rows of .* change the vision encoder"):
        run_table(ABLATION_TABLES["patch-size"], cached, tmp_path, seeds=1, settings=SETTINGS)


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


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restr.ablation.study.scenes_study", partial(scenes_study, unseen=2))  # 256 take long
    arguments = ["--table", "lambda", "--seeds", "1", "--scenes", "2", "--batch", "8", "--steps", "1", "--out"]
    assert main(["ablate", *arguments, str(tmp_path)]) == 0
    assert "| lambda 0.1 | 1 |" in capsys.readouterr().out
    for picture in ("table.png", "seed_attention.png"):
        assert (tmp_path / picture).read_bytes()[:4] == b"\x89PNG"
    assert "| the seed's attention | direct: patches |" in (tmp_path / "table.md").read_text()
    assert main(["ablate", "--features", "x", "--out", str(tmp_path / "other")]) == 1
    assert "--features needs --parts or --model" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="choose one of variants, fusion"):
        table("depth")
    assert get_args(get_type_hints(Ablate)["table"]) == tuple(ABLATION_TABLES)
