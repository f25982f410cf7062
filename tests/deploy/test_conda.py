"""``deploy/conda/recipe.yaml`` asks for what ``pyproject.toml`` asks for, in conda's words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import restr

ROOT = Path(__file__).parents[2]
RECIPE = yaml.safe_load((ROOT / "deploy" / "conda" / "recipe.yaml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"torch": "pytorch"}


def written(text: str) -> str:
    """A value of the recipe with the recipe's own variables put in."""
    return re.sub(r"\$\{\{ (\w+) \}\}", lambda match: str(RECIPE["context"].get(match[1], match[0])), text)


def asked(section: str) -> dict[str, SpecifierSet]:
    """Package -> versions of a section of the recipe's requirements."""
    rows = [written(each).partition(" ") for each in RECIPE["requirements"][section]]
    return {name: SpecifierSet(f"=={versions}" if versions.endswith(".*") else versions) for name, _, versions in rows}


def test_it_needs_what_the_project_needs() -> None:
    requirements = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
    expected = {CONDA_NAMES.get(each.name, each.name): each.specifier for each in requirements}
    assert asked("run") == expected | {"python": SpecifierSet(PROJECT["project"]["requires-python"])}


def test_it_is_built_as_the_project_is() -> None:
    build = {each.name: each.specifier for each in map(Requirement, PROJECT["build-system"]["requires"])}
    assert asked("host") == build | {
        "pip": SpecifierSet(),
        "python": SpecifierSet(f"=={RECIPE['context']['python_min']}.*"),
    }
    scripts = [f"{name} = {target}" for name, target in PROJECT["project"]["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == scripts
    assert RECIPE["build"]["noarch"] == "python"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (written(RECIPE["package"]["version"]), restr.__version__),
        (RECIPE["package"]["name"], PROJECT["project"]["name"]),
        (RECIPE["about"]["summary"], PROJECT["project"]["description"]),
        (RECIPE["about"]["license"], PROJECT["project"]["license"]),
        (RECIPE["about"]["license_file"], PROJECT["project"]["license-files"]),
    ],
)
def test_it_says_what_the_project_says(value: Any, expected: Any) -> None:
    assert value == expected


def test_it_is_tried_on_the_first_and_the_last_python() -> None:
    classifiers = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    tried = [written(each) for each in RECIPE["tests"][0]["python"]["python_version"]]
    assert tried == [f"{classifiers[0]}.*", f"{classifiers[-1]}.*"]


def test_files_that_it_names_exist() -> None:
    for name in RECIPE["tests"][1]["files"]["source"]:
        assert (ROOT / name).is_file()
    assert (ROOT / "deploy" / "conda" / RECIPE["source"]["path"]).resolve() == ROOT
