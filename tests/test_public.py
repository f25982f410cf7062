"""What is public: the names of ``restr``, the modules that docs/python.md lists, and nothing else that the
documentation imports."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import restr

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "recipes").glob("*/README.md"))]
BLOCK = re.compile(r"^```(?:python|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PUBLIC = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").partition("## What is public")[2]
MODULES = set(re.findall(r"`(restr\.[a-z_.]+)`", PUBLIC))


def imported(text: str) -> set[str]:
    """``module`` or ``module.name`` of everything of restr's that a page's snippets import."""
    found: set[str] = set()
    for block in BLOCK.findall(text):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "restr"}


def test_what_the_documentation_imports_is_public() -> None:
    allowed = {"restr", *(f"restr.{name}" for name in restr.__all__)}
    for page in PAGES:
        private = {name for name in imported(page.read_text(encoding="utf-8")) if name not in allowed}
        assert {name for name in private if name.rpartition(".")[0] not in MODULES} == set(), page.name


def test_the_documentation_lists_what_is_public() -> None:
    names = re.findall(r"`([A-Za-z_]+)`", PUBLIC.partition("| Module")[0])
    assert {*names, "__version__"} == {*restr.__all__, "restr"}
    for module in MODULES:
        importlib.import_module(module)


@pytest.mark.parametrize("name", restr.__all__)
def test_public_names_have_a_docstring(name: str) -> None:
    assert name == "__version__" or (getattr(restr, name).__doc__ or "").strip()
