"""Writes the floors and the glossary of ``docs/architecture.md`` from the source: ``make architecture``."""

from __future__ import annotations

import re
import runpy
from functools import cache

import source

PAGE = source.ROOT / "docs" / "architecture.md"


@cache
def allowed() -> dict[str, set[str]]:
    """Part -> parts that it may import, as ``tests/test_architecture.py`` checks them."""
    return runpy.run_path(str(source.ROOT / "tests" / "test_architecture.py"))["ALLOWED"]


@cache
def floor_of(part: str) -> int:
    """0 for a part that imports no other part; else one above the highest part that it may import."""
    return max((1 + floor_of(other) for other in allowed()[part]), default=0)


def reach(part: str) -> frozenset[str]:
    """A part and all that it may import."""
    return frozenset({part} | allowed()[part])


def imports_in_short(part: str) -> str:
    """The parts that a part may import. ``x+`` stands for x and everything that x may import."""
    left, words = set(allowed()[part]), []
    for other in sorted(allowed()[part], key=lambda other: (-len(reach(other)), other)):
        if len(reach(other)) > 1 and reach(other) <= allowed()[part] and other in left:
            words.append(f"`{other}`+")
            left -= reach(other)
    return ", ".join(words + [f"`{other}`" for other in sorted(left)]) or "-"


def meaning(part: str) -> str:
    return source.first_sentence(source.tree("" if part == "__init__" else part))


def floors() -> str:
    """A table of all parts, the highest floor first."""
    rows = [(floor_of(part), part) for part in allowed()]
    lines = ["| Floor | Part | What it holds | May import |", "|--:|---|---|---|"]
    for floor, part in sorted(rows, key=lambda row: (-row[0], row[1])):
        lines.append(f"| {floor} | `{part}` | {meaning(part)} | {imports_in_short(part)} |")
    return "\n".join(lines)


@cache
def shared_classes() -> dict[str, list[str]]:
    """Module -> its public classes that a module of another folder imports, in the order of the file."""
    imported = {
        (module, name)
        for reader in source.modules()
        for module, name in source.imports(reader)
        if module in source.modules() and source.folder_of(reader) != source.folder_of(module)
    }
    found = {
        module: [node.name for node in source.public_classes(module) if (module, node.name) in imported]
        for module in source.modules()
    }
    return {module: names for module, names in found.items() if names}


def glossary() -> str:
    """A line for each class that several folders use: its name, its module, its first sentence."""
    lines = ["| Name | Module | Meaning |", "|---|---|---|"]
    for module, names in shared_classes().items():
        for node in source.public_classes(module):
            if node.name in names:
                lines.append(f"| `{node.name}` | `{module}` | {source.first_sentence(node).replace('|', '&#124;')} |")
    return "\n".join(lines)


def written() -> str:
    """The page as it should be: the text of hand as it is, both blocks anew."""
    text = PAGE.read_text(encoding="utf-8")
    for name, block in (("floors", floors()), ("glossary", glossary())):
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)
        assert count == 1, f"{PAGE.name} needs one block <!-- {name}: ... --> to <!-- end of {name} -->, it has {count}"
    return text


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
