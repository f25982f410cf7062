"""No circles, no crowded folders, no part that outgrows the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest

import source

VERBS = ("cli.verbs", "cli.verbs.measuring", "cli.data")
# Folder -> why it may hold more than MOST modules. "" is the root.
CROWDED = {
    "model": "one module for each box of the figure, and one for each way in and out of a file",
}
MOST = 13
LARGEST_SHARE = 0.15


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports, first and last the same; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def graph() -> dict[str, set[str]]:
    """Module -> modules that it imports; restr's own ``__init__`` imports its names only when they are used."""
    return {
        module: {other for other, _ in source.imports(module) if other in source.modules() and other != module}
        for module in source.modules()
        if module
    }


def test_no_circle_of_imports() -> None:
    """Not inside a package either, nor inside a function, nor under TYPE_CHECKING: a circle is one module in two files."""
    assert circles(graph()) == []


def test_the_test_sees_a_circle() -> None:
    assert len(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == 4
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == []


@pytest.mark.parametrize("module", [m for m in source.modules() if source.folder_of(m) in VERBS])
def test_no_verb_imports_a_verb(module: str) -> None:
    """What two verbs share belongs beside them, in ``cli``; only the lists of verbs name verbs."""
    others = {other for other, _ in source.imports(module) if source.folder_of(other) in VERBS}
    assert others - set(VERBS) == set()


def test_no_part_outgrows_the_others() -> None:
    lines = Counter[str]()
    for module in source.modules():
        lines[source.part_of(module) if "." in module or source.is_package(module) else ""] += source.length(module)
    shares = {part: round(count / lines.total(), 3) for part, count in lines.items()}
    assert {part: share for part, share in shares.items() if share > LARGEST_SHARE} == {}


def test_no_folder_is_crowded() -> None:
    beside = defaultdict(set)
    for module in source.modules():
        if not source.is_package(module):
            beside[source.folder_of(module)].add(module)
    crowded = {folder: len(found) for folder, found in beside.items() if len(found) > MOST}
    unexplained = {folder: count for folder, count in crowded.items() if folder not in CROWDED}
    assert unexplained == {}, f"more than {MOST} modules: split the folder, or give a reason in CROWDED"
    assert set(CROWDED) - set(crowded) == set(), "no longer crowded: take it off the list"
