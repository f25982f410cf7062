"""The benchmarks' recipes in a flavour of seconds: the same settings, on a small copy of the dataset, with a tiny model."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

import layouts
from restr.cli.config_file import options_of
from restr.cli.verbs.train import main
from restr.formats.catalog import open_dataset

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*/config.toml"))
QUICK = [
    "--preset",
    "restr_tiny",
    "--steps",
    "2",
    "--batch",
    "1",
    "--workers",
    "0",
    "--validation-samples",
    "1",
    "--threads",
    "1",
]


def made(name: str, root: Path) -> None:
    """A small dataset in the layout that the recipe reads."""
    if name == "referit":
        layouts.make_referit(root)
        shutil.copy(root / "referit_query_val.json", root / "referit_query_train.json")
    else:
        layouts.make_refer(root, name, "google" if name == "refcocog" else "unc")


@pytest.mark.parametrize("config", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_trains_in_its_debug_flavour(config: Path, tmp_path: Path) -> None:
    settings = tomllib.loads(config.read_text())
    assert settings["val"].endswith(":val"), "never chosen on a test set"
    assert settings["validation-samples"] == 0 and settings["best"] == "oiou", "on all of it, by the published measure"
    made(config.parent.name, tmp_path)
    assert len(open_dataset(settings["data"], tmp_path)) and len(open_dataset(settings["val"], tmp_path))
    out = tmp_path / "run"
    quick = {option for option in QUICK if option.startswith("--")}
    of_file = [word for words in options_of(config) if words[0] not in quick for word in words]
    assert main([*of_file, *QUICK, "--root", str(tmp_path), "--out", str(out)]) == 0
    assert json.loads((out / "metrics.json").read_text()).keys() >= {"oiou", "miou"}
    recorded = json.loads((out / "run.json").read_text())["settings"]["train"]
    assert (recorded["lr"], recorded["weight_decay"], recorded["ema"]) == (1e-5, 5e-4, 0.0)


def test_the_recipes_are_the_four_benchmarks() -> None:
    assert [path.parent.name for path in RECIPES] == ["refcoco", "refcoco+", "refcocog", "referit"]
