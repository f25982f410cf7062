"""No copyleft comes with restr itself; and the check sees it in metadata, texts and libraries."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from licences import (
    EXPLAINED,
    NOTHING_STATED,
    CopyleftFinding,
    check,
    closure,
    copyleft,
    core_distributions,
    explanation,
    families,
    stated,
)
from resolve import extras
from steps import DistError

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def install(folder: Path, name: str, metadata: str = "", files: dict[str, str] | None = None) -> None:
    """An installed distribution as importlib.metadata finds it."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    written = {f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}", **(files or {})}
    for path, text in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / info / "RECORD").write_text("".join(f"{path},,\n" for path in written))


def found(folder: Path) -> list[CopyleftFinding]:
    return [finding for each in distributions(path=[str(folder)]) for finding in copyleft(each)]


def test_no_copyleft_enters_the_core() -> None:
    core = core_distributions()
    assert {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]} < set(core)
    check(core.values())


def test_the_page_names_what_comes_with_the_core() -> None:
    of_the_core = PAGE.partition("## The core")[2].partition("## ")[0]
    listed = set(re.findall(r"`([\w-]+)`", of_the_core))
    gpu_only = {name for name in core_distributions() if name.startswith(("nvidia-", "cuda-"))} | {"triton"}
    assert set(core_distributions()) - gpu_only <= listed


def test_the_page_has_a_row_for_every_extra_and_what_it_asks_for() -> None:
    rows = dict(re.findall(r"^\| `([\w]+)` \| (.+) \|$", PAGE.partition("## Extras")[2], re.MULTILINE))
    assert list(rows) == extras()
    for extra, requirements in PROJECT["optional-dependencies"].items():
        for each in map(Requirement, requirements):
            names = [f"`{name}`" for name in each.extras] if each.name == "restr" else [each.name]
            assert [name for name in names if name not in rows[extra]] == [], extra


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        ("License-Expression: GPL-3.0-or-later", "GPL"),
        ("License-Expression: MIT OR LGPL-2.1-only", "LGPL"),
        ("Classifier: License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL"),
        ("Classifier: License :: OSI Approved :: GNU Affero General Public License v3", "AGPL"),
        ("License: GPLv2", "GPL"),
        ("License: CeCILL-B Free Software License Agreement (CECILL-B)", "CeCILL"),
        ("License-Expression: CC-BY-SA-4.0", "CC BY-SA"),
    ],
)
def test_copyleft_in_metadata_is_seen(metadata: str, family: str, tmp_path: Path) -> None:
    install(tmp_path, "strict", metadata)
    assert found(tmp_path) == [CopyleftFinding(package="strict", family=family, where="metadata")]
    with pytest.raises(DistError, match=f"strict names {family} in metadata.*EXPLAINED"):
        check(distributions(path=[str(tmp_path)]))


def test_copyleft_in_texts_and_libraries_is_seen(tmp_path: Path) -> None:
    files = {
        "mixed-1.0.dist-info/licenses/vendored/COPYING": "GNU LESSER\n   GENERAL PUBLIC LICENSE",
        "mixed.libs/libx264-d6533a8d.so.165": "",
        "mixed.libs/libgomp.so.1": "",
        "mixed.libs/libpng16-1d1ba958.so.16": "",
        "mixed/data/notes.txt": "GPL",  # no licence file
    }
    install(tmp_path, "mixed", "License-Expression: BSD-3-Clause", files)
    assert [(each.family, each.where) for each in found(tmp_path)] == [
        ("GPL", "libgomp.so.1"),
        ("GPL", "libx264-d6533a8d.so.165"),
        ("LGPL", "licenses/vendored/COPYING"),
    ]


@pytest.mark.parametrize(
    "text", ["MIT", "Apache-2.0 WITH LLVM-exception", "BSL-1.0", "MIT-CMU", "PSF-2.0", "simple", "0BSD", "OFL-1.1"]
)
def test_permissive_licences_are_no_copyleft(text: str) -> None:
    assert families(text) == []


def test_a_licence_that_nobody_states_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "silent")
    with pytest.raises(DistError, match="silent states no licence"):
        check(distributions(path=[str(tmp_path)]))


def test_explanations_are_for_one_package_or_one_family_of_packages() -> None:
    assert explanation(CopyleftFinding(package="nvidia-cublas", family="GPL", where=""))
    assert not explanation(CopyleftFinding(package="nvidia-cublas", family="MPL", where=""))
    assert not explanation(CopyleftFinding(package="nvidium", family="GPL", where=""))
    assert all(len(why) > 20 for why in EXPLAINED.values()) and all(NOTHING_STATED.values())


def test_requirements_of_requirements_are_followed(tmp_path: Path) -> None:
    asked = "Requires-Dist: far\nRequires-Dist: never; python_version < '3'\nRequires-Dist: more; extra == 'x'\n"
    install(tmp_path, "near", f"{asked}Provides-Extra: x\n")
    for name in ("far", "more", "never", "other"):
        install(tmp_path, name, "License: MIT\nRequires-Dist: Near\n")  # a circle, and another spelling
    assert list(closure(["near"], [str(tmp_path)])) == ["far", "near"]
    assert list(closure(["near[x]"], [str(tmp_path)])) == ["far", "more", "near"]
    assert stated(closure(["far"], [str(tmp_path)])["far"]) == "MIT"
    with pytest.raises(DistError, match="absent>=2 is not installed"):
        closure(["absent>=2"], [str(tmp_path)])
