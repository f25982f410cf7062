"""The source of restr, read without importing it: modules, imports, public names, first sentences of docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "restr"


@cache
def modules() -> dict[str, Path]:
    """Dotted name below ``restr`` -> file. A package's name stands for its ``__init__.py``; ``""`` is restr's own."""
    return {dotted(path): path for path in sorted(SOURCE.rglob("*.py"))}


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def length(module: str) -> int:
    return len(modules()[module].read_text(encoding="utf-8").splitlines())


def is_package(module: str) -> bool:
    return modules()[module].name == "__init__.py"


def part_of(module: str) -> str:
    """The package or single module at the top of ``restr`` that a module belongs to."""
    return module.partition(".")[0]


def folder_of(module: str) -> str:
    """``data.entries`` for ``data.entries.index``, and for ``data.entries`` itself."""
    return module if is_package(module) else module.rpartition(".")[0]


def imports(module: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import from restr: at the top, inside a function and under TYPE_CHECKING.

    The name is ``""`` where the module itself is imported.
    """
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_restr(alias.name):
                    yield _below_restr(alias.name), ""
        elif isinstance(node, ast.ImportFrom) and _is_restr(node.module or ""):
            package = _below_restr(node.module or "")
            for alias in node.names:
                submodule = f"{package}.{alias.name}".lstrip(".")
                yield (submodule, "") if submodule in modules() else (package, alias.name)


def _is_restr(name: str) -> bool:
    return name == "restr" or name.startswith("restr.")


def _below_restr(name: str) -> str:
    return name.removeprefix("restr").removeprefix(".")


def defined_names(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """(name, statement) of each class, function and variable that the statements define; imports define nothing."""
    for node in statements:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))


def public_classes(module: str) -> list[ast.ClassDef]:
    return [node for node in tree(module).body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def defines(module: str, name: str) -> bool:
    """Whether a module defines ``Class``, ``function``, ``VARIABLE`` or ``Class.method``."""
    statements: list[ast.stmt] = tree(module).body
    for each in name.split("."):
        found = [node for defined, node in defined_names(statements) if defined == each]
        if not found:
            return False
        statements = getattr(found[-1], "body", [])
    return True


def leads_somewhere(name: str) -> bool:
    """Whether there is a module, or something in a module, of this dotted name below ``restr``."""
    words = name.split(".")
    if words[0] in exported():
        return True
    for end in range(len(words), 0, -1):
        if (module := ".".join(words[:end])) in modules():
            rest = ".".join(words[end:])
            return not rest or rest in exported(module) or defines(module, rest)
    return False


@cache
def exported(module: str = "") -> set[str]:
    """The names of a package's ``__all__``; by default what ``restr`` itself offers."""
    values = [
        node.value
        for name, node in defined_names(tree(module).body)
        if name == "__all__" and isinstance(node, ast.Assign)
    ]
    return set().union(*(ast.literal_eval(value) for value in values))


def first_sentence(node: ast.Module | ast.ClassDef) -> str:
    """A docstring's first sentence as Markdown, without its full stop; ``""`` without a docstring."""
    paragraph = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    return re.split(r"(?<!e\.g)(?<!i\.e)(?<!et al)\. ", paragraph)[0].removesuffix(".").replace("``", "`")
