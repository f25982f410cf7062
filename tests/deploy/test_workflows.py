"""``.github/workflows``: they run what a clone runs, on every supported Python, and may do no more than they need."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

import restr

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
# Job -> what it may write. Whoever can change a step of one of these can publish in the project's name.
MAY_WRITE = {
    ("release", "publish"): {"id-token"},
    ("release", "page"): {"contents"},
    ("docs", "publish"): {"pages", "id-token"},
}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, body in workflow["jobs"].items():
            yield name, job, body


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, job, body in jobs():
        for step in body["steps"]:
            yield name, job, step


def test_there_is_one_for_each_purpose() -> None:
    assert set(WORKFLOWS) == {"ci", "release", "docs"}


def test_supported_pythons_are_said_once_for_all() -> None:
    requires = SpecifierSet(PROJECT["requires-python"])
    minor = range(8, 30)
    assert PYTHONS == [f"3.{each}" for each in minor if f"3.{each}.0" in requires]
    assert WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    makefile = (ROOT / "Makefile").read_text()
    first, end = (int(each) for each in re.findall(r"\(3, (\d+)\)", makefile.partition("# Named exactly")[0]))
    assert [f"3.{each}" for each in range(first, end)] == PYTHONS
    assert f"PYTHONS ?= {' '.join(f'python{each}' for each in PYTHONS)}\n" in makefile
    assert all(each in makefile for each in PYTHONS)
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}" in (ROOT / page).read_text(), page


def test_they_run_what_a_clone_can_run() -> None:
    assert [step["run"] for name, _, step in steps() if name == "ci" and "run" in step] == [".ci/run"]
    makefile = (ROOT / "Makefile").read_text()
    asked = {found for _, _, step in steps() for found in re.findall(r"make ([a-z-]+)", step.get("run", ""))}
    assert {"dist", "docs"} == asked
    assert [each for each in sorted(asked) if f"\n{each}:" not in makefile] == []


def test_the_tag_is_compared_with_what_was_built() -> None:
    check = next(step["run"] for _, _, step in steps() if "GITHUB_REF_NAME#v" in step.get("run", ""))
    pattern = check.partition('"')[2].rpartition('"')[0]
    wheel = pattern.replace("${GITHUB_REF_NAME#v}", restr.__version__)
    assert wheel == f"dist/restr-{restr.__version__}-py3-none-any.whl"


@pytest.mark.parametrize(("name", "job", "step"), [each for each in steps() if "uses" in each[2]])
def test_actions_are_of_one_version(name: str, job: str, step: dict[str, Any]) -> None:
    assert re.fullmatch(r"[\w-]+/[\w./-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", step["uses"])
    if step["uses"].startswith("actions/checkout@"):
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("name", "job", "body"), list(jobs()))
def test_jobs_may_do_no_more_than_they_need(name: str, job: str, body: dict[str, Any]) -> None:
    granted = body.get("permissions", WORKFLOWS[name]["permissions"])
    assert {scope for scope, right in granted.items() if right == "write"} == MAY_WRITE.get((name, job), set())
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})
    assert body["timeout-minutes"] <= 60


def test_nothing_from_outside_becomes_a_command() -> None:
    """A branch or title that a stranger chose is never pasted into a script."""
    assert [step["run"] for _, _, step in steps() if "${{" in step.get("run", "")] == []


def test_only_packages_are_published_and_only_after_they_were_tried() -> None:
    release = WORKFLOWS["release"]
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML reads "on" as true
    build, publish = release["jobs"]["build"], release["jobs"]["publish"]
    assert publish["needs"] == "build" and publish["environment"] == "pypi"
    uploads = {step["with"]["name"]: step["with"]["path"].split() for step in build["steps"] if "upload" in str(step)}
    fetched = [step["with"]["name"] for step in publish["steps"] if "download" in step["uses"]]
    assert fetched == ["packages"] and uploads["packages"] == ["dist/*.whl", "dist/*.tar.gz"]
    assert publish["steps"][-1]["with"] == {"attestations": True}
