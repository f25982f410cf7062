"""Pages agree with the code: files, names, links, floors and glossary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import architecture_page
import source

PAGES = [
    *(source.ROOT / name for name in ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "README.md")),
    source.ROOT / "docs" / "architecture.md",
    source.ROOT / "tests" / "README.md",
]
FILES = {"json", "mjs", "service"}  # restr.json and so on are no names in Python
# Pages that speak of names in the code: the above, the documentation, and what lies beside recipes and deployment.
ALL_PAGES = sorted(
    {*PAGES, *(path for folder in ("docs", "recipes", "deploy") for path in (source.ROOT / folder).rglob("*.md"))}
)


def mentioned(page: Path) -> Iterator[tuple[str, str]]:
    """(path, name) of every file in backticks: ``nn/attention.py`` and ``nn/attention.py::Attention.forward``."""
    for quoted in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        if match := re.fullmatch(r"([\w.+-]+(?:/[\w.+-]+)*/?)(?:::([\w.]+))?", quoted):
            path, name = match.groups()
            if "/" in path or path.endswith((".py", ".md")):
                yield path, name or ""


def places(path: str, page: Path) -> list[Path]:
    """Where a path may lead: from the page's folder, the root of the repository, ``src`` or ``src/restr``."""
    bases = (page.parent, source.ROOT, source.SOURCE.parent, source.SOURCE)
    return [place for base in bases if (place := base / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(source.ROOT)))
def test_every_file_and_name_on_the_page_exists(page: Path) -> None:
    found = list(mentioned(page))
    assert [path for path, _ in found if not places(path, page)] == []
    for path, name in found:
        if name:
            assert any(holds(place, name) for place in places(path, page)), f"{path} defines no {name}"


def holds(path: Path, name: str) -> bool:
    if path.is_relative_to(source.SOURCE):
        return source.defines(source.dotted(path), name)
    return name in [defined for defined, _ in source.defined_names(ast.parse(path.read_text(encoding="utf-8")).body)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(source.ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_command_exists() -> None:
    makefile = (source.ROOT / "Makefile").read_text(encoding="utf-8")
    asked = {command for page in PAGES for command in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    assert asked
    assert [command for command in sorted(asked) if f"\n{command}:" not in makefile] == []


def test_every_page_is_in_the_index() -> None:
    index = (source.ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (source.ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"]({name})" not in index} == set()


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(source.ROOT)))
def test_no_page_names_removed_things(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "migrating.md":  # the columns before the last one are about what is gone
        text = "\n".join(line.rstrip("| ").rpartition("|")[2] for line in text.splitlines() if line.startswith("|"))
    names = re.findall(r"`restr\.([A-Za-z_][\w.]*\w)(?:\(.*?\))?`", text)
    gone = [name for name in names if not source.leads_somewhere(name)]
    assert [name for name in gone if name not in FILES] == []


def test_floors_and_glossary_are_written_from_the_source() -> None:
    page = architecture_page.PAGE.read_text(encoding="utf-8")
    assert page == architecture_page.written(), "the page is older than the code: run 'make architecture'"


def begins_with_its_meaning(node: ast.ClassDef) -> bool:
    """Whether a class has a docstring that begins with a sentence, not with a field: ``logits (b n): ...``."""
    fields = {name for name, _ in source.defined_names(node.body)}
    first = re.match(r"`*(\w+)`*(?: \([^)]*\))?[:,]|", source.first_sentence(node))
    return bool(source.first_sentence(node)) and not (first and first[1] in fields)


def test_every_class_of_the_glossary_begins_with_its_meaning() -> None:
    bad = [
        f"{module}.{node.name}: {source.first_sentence(node)}"
        for module, names in architecture_page.shared_classes().items()
        for node in source.public_classes(module)
        if node.name in names and not begins_with_its_meaning(node)
    ]
    assert bad == []
