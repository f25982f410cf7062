"""What pip's report says about copyleft of an extra, and the versions that the question is asked for."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import resolve
from resolve import extras, stated_copyleft, supported_pythons


def package(name: str, *requires: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "version": "1.0", "requires_dist": list(requires), **metadata}}


REPORT = {
    "environment": {"python_version": "3.13", "sys_platform": "linux"},
    "install": [
        package("restr", "Core-Part", "av>=14; extra == 'video'", "restr[video]; extra == 'all'"),
        package("core_part", "shared", license="MIT"),
        package("av", "shared", "old; python_version < '3.12'", "deep[x]", license_expression="BSD-3-Clause"),
        package("deep", "deeper; extra == 'x'", license_expression="MPL-2.0 AND MIT"),
        package("deeper", classifier=["License :: OSI Approved :: GNU General Public License (GPL)"]),
        package("old", license="GPLv2"),
        package("shared", license_expression="LGPL-2.1-only"),
    ],
}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", {"shared": "LGPL"}),
        ("video", {"deep": "MPL", "deeper": "GPL"}),
        ("all", {"deep": "MPL", "deeper": "GPL"}),
        ("none", {}),
    ],
)
def test_an_extra_answers_for_what_it_brings_beside_the_core(extra: str, expected: dict[str, str]) -> None:
    assert stated_copyleft(REPORT, extra) == expected


def test_every_supported_python_is_asked() -> None:
    assert supported_pythons()[0] == "3.11" and len(supported_pythons()) >= 3
    assert {"train", "ray", "video", "dev"} <= set(extras())


def test_the_interpreter_of_a_version_is_taken_if_there_is_one() -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert resolve._interpreter(own)
    assert resolve._interpreter("2.2") is None
