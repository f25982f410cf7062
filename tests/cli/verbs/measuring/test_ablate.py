"""``restr ablate --set``: the rows change a config in which other fields are set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from restr.cli.verbs.measuring.ablate import Ablate, changed_study, study_of
from restr.errors import ConfigError


def test_settings_change_the_config_of_all_rows_and_are_a_fact_of_the_table(tmp_path: Path) -> None:
    settings = Ablate(out=tmp_path, set=("fusion.normalise=true", "vision.blocks.depth=1"))
    plain = study_of(settings)
    study = changed_study(plain, settings.set)
    assert study.config.fusion.normalise and study.config.vision.blocks.depth == 1
    assert study.facts == plain.facts | {"set": ["fusion.normalise=true", "vision.blocks.depth=1"]}
    assert changed_study(plain, ()) is plain, "a table that was begun without settings can be resumed"
    for name in ("language.vocab", "language.unknown_row"):
        with pytest.raises(ConfigError, match=f"{name} cannot be set"):
            changed_study(plain, [f"{name}=3"])
    with pytest.raises(ConfigError, match="cached features are of one encoder only"):
        changed_study(dataclasses.replace(plain, cached=True), settings.set)
