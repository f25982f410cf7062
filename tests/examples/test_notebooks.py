"""The notebooks are plain code without outputs; ``make notebooks`` executes them."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BOOKS = sorted(EXAMPLES.glob("*.ipynb"))
LIBRARIES = {"IPython", "PIL", "numpy", "restr"}  # of the extra "notebooks"


def cells(book: Path, kind: str) -> list[str]:
    found = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def test_there_are_notebooks() -> None:
    assert {"predict_and_explain", "finetune_own_photos"} <= {book.stem for book in BOOKS}


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_git_holds_no_outputs(book: Path) -> None:
    document = json.loads(book.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None, (
            f"{book.name}: clear all outputs, then save"
        )
        assert cell["metadata"] == {}
    assert set(document["metadata"]) <= {"kernelspec", "language_info"}
    assert book.stat().st_size < 60_000


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_cells_are_plain_python(book: Path) -> None:
    for source in cells(book, "code"):
        tree = ast.parse(source)  # no magic, no shell
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in modules} <= LIBRARIES | set(sys.stdlib_module_names)
        assert max(map(len, source.splitlines())) <= 120


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_links_and_photographs_exist(book: Path) -> None:
    for text in cells(book, "markdown"):
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            assert target.startswith("http") or (EXAMPLES / target).exists(), target
    for source in cells(book, "code"):
        for name in re.findall(r'"(\w+\.jpg)"', source):
            assert (EXAMPLES / name).is_file(), name
