"""Reads ``docs/equations.md`` and writes the numbers of its code lines anew: ``make architecture``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import source

PAGE = source.ROOT / "docs" / "equations.md"
# - Code: [`nn/attention.py:64`](../src/restr/nn/attention.py#L64) `return self.sdpa(...)`
ANCHOR = re.compile(
    r"\[`(?P<shown>[\w/]+\.py):(?P<said>\d+)`\]\(\.\./src/restr/(?P<path>[\w/]+\.py)#L(?P<line>\d+)\) `(?P<text>[^`\n]+)`"
)
TEST = re.compile(r"\[`(?P<shown>tests/[\w/]+\.py)::(?P<name>\w+)`\]\(\.\./(?P<path>tests/[\w/]+\.py)\)")


def sections() -> dict[str, list[str]]:
    """Heading -> the lines below it, for each equation: the sections of the third level."""
    parts = re.split(r"^### (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: body.partition("\n## ")[0].splitlines() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def marked(lines: list[str], mark: str) -> list[str]:
    """The rest of the lines that begin with ``- MARK: ``."""
    return [line.removeprefix(f"- {mark}: ") for line in lines if line.startswith(f"- {mark}: ")]


@cache
def lines_of(path: str) -> list[str]:
    file = source.SOURCE / path
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def line_number(path: str, text: str) -> int:
    """The one line of a file below ``src/restr`` that holds a text. Raises ``ValueError`` where it is not one."""
    found = [number for number, line in enumerate(lines_of(path), start=1) if text in line]
    if len(found) == 1:
        return found[0]
    many = f"is on the lines {found}: quote more of one" if found else "is nowhere in it: quote the line as it is now"
    raise ValueError(f"{PAGE.name}: src/restr/{path}: {text!r} {many}")


def refreshed(page: str) -> str:
    """The page with the number of each quoted line as it is now. Raises ``ValueError`` naming every lost quotation."""
    lost = []

    def anew(match: re.Match[str]) -> str:
        try:
            number = line_number(match["path"], match["text"])
        except ValueError as error:
            lost.append(str(error))
            return match[0]
        return f"[`{match['shown']}:{number}`](../src/restr/{match['path']}#L{number}) `{match['text']}`"

    page = ANCHOR.sub(anew, page)
    if lost:
        raise ValueError("\n".join(lost))
    return page


@cache
def _definitions() -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """Public classes and functions of restr by name; no two have one name."""
    return {
        name: node
        for module in source.modules()
        for name, node in source.defined_names(source.tree(module).body)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def field_type(owner: str, field: str) -> str | None:
    """The annotation of a class's field, as it is written; None if there is no such field."""
    node = _definitions().get(owner)
    for each in node.body if isinstance(node, ast.ClassDef) else []:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id == field:
            return ast.unparse(each.annotation)
    return None


def is_argument(name: str, argument: str) -> bool:
    """Whether a function, or a class when it is made, takes an argument of this name."""
    node = _definitions().get(name)
    if isinstance(node, ast.ClassDef):
        node = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if not isinstance(node, ast.FunctionDef):
        return False
    return argument in {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}


def is_option(option: str) -> bool:
    """Whether ``fusion.variant`` (of a model's config), ``TrainConfig.lr`` or ``function(argument)`` exists."""
    if match := re.fullmatch(r"(\w+)\((\w+)\)", option):
        return is_argument(*match.groups())
    owner, *fields = option.split(".")
    if owner[0].islower():
        owner, fields = "ModelConfig", [owner, *fields]
    for field in fields:
        found = field_type(owner, field)
        if found is None:
            return False
        owner = found
    return bool(fields)


def formulas(page: str) -> Iterator[str]:
    """Every formula between dollars, displayed or in the text."""
    for match in re.finditer(r"\$\$(.+?)\$\$|(?<!\$)\$([^$\n]+)\$(?!\$)", page, flags=re.DOTALL):
        yield match[1] or match[2]


def has_test(path: Path, name: str) -> bool:
    """Whether a test file defines a function."""
    if not path.is_file():
        return False
    return name in [found for found, _ in source.defined_names(ast.parse(path.read_text(encoding="utf-8")).body)]


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
