"""One name, one meaning: no two modules define a public name of one spelling."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

import source

# Name -> why several modules may define it.
SHARED = {
    "main": "the entry of a program",
}


def is_type_variable(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(("TypeVar(", "ParamSpec("))


def test_no_public_name_has_two_meanings() -> None:
    homes = defaultdict(set)
    for module in source.modules():
        for name, node in source.defined_names(source.tree(module).body):
            if not name.startswith("_") and not is_type_variable(node):
                homes[name].add(module)
    twice = {name: sorted(found) for name, found in homes.items() if len(found) > 1}
    shared = {name: found for name, found in twice.items() if name not in SHARED}
    assert shared == {}, "rename one of each, or begin the name with _ where only its own module uses it"


@pytest.mark.parametrize("module", [m for m in source.modules() if source.is_package(m)])
def test_a_package_says_what_it_holds(module: str) -> None:
    assert source.first_sentence(source.tree(module)), f"{module}/__init__.py needs a docstring of one sentence"
