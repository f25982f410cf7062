"""The direction of imports, the cost of importing restr, and the limits of every file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "restr"
FILES = sorted(SOURCE.rglob("*.py"))

BASE = {
    "errors",
    "files",
    "facts",
    "fields",
    "config",
    "masks",
    "pictures",
    "text",
    "preprocess",
}
MODEL = BASE | {"presets", "nn", "model"}
# part -> the parts it may import beside itself, at the top of a file or inside a function.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "facts": {"errors", "files"},
    "bounded": set(),
    "fields": {"errors"},
    "config": {"errors", "fields", "preprocess"},
    "masks": {"errors"},
    "web_security": set(),
    "pictures": {"errors"},
    "report": {"errors", "masks"},
    "preprocess": {"errors", "fields"},
    "presets": {"errors", "config"},
    "text": {"errors", "files", "config"},
    "nn": {"errors", "config"},
    "model": BASE | {"nn"},
    "losses": MODEL,
    "metrics": {"errors", "masks"},
    "grammar": {"errors", "text"},
    "data": BASE | {"grammar"},
    "formats": BASE | {"data"},
    "published": BASE | {"data", "formats"},
    "inspection": BASE | {"data", "formats", "report", "web_security"},
    "training": MODEL | {"losses", "metrics", "grammar", "data", "formats", "report"},
    "inference": MODEL | {"bounded", "report", "__init__"},
    "video": MODEL | {"inference", "report"},
    "export": MODEL | {"inference"},
    "bulk": MODEL | {"inference", "formats", "report", "__init__"},
    "server": MODEL | {"bounded", "inference", "web_security", "__init__"},
    "client": {"errors", "masks", "__init__"},
    "evaluation": MODEL | {"metrics", "grammar", "data", "formats", "published", "inference", "report"},
    "ablation": MODEL | {"losses", "metrics", "data", "training", "report"},
    "cli": MODEL
    | {
        "losses",
        "metrics",
        "data",
        "formats",
        "published",
        "inspection",
        "training",
        "inference",
        "bulk",
        "evaluation",
        "ablation",
        "video",
        "export",
        "server",
        "__init__",
    },
    "__main__": {"cli"},
    "__init__": set(),  # its names are loaded when they are used, by import_module
}


def part_of(path: Path) -> str:
    """The package or top-level module that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(module, line) of every import that can run, so not those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(other)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            # "from restr import masks" imports restr.masks; "from restr import Segmenter" only a name of restr.
            names = [alias.name for alias in node.names] if module == "restr" else []
            parts = [f"restr.{name}" if name in ALLOWED else "restr.__init__" for name in names]
            yield from ((name, node.lineno) for name in parts or [module])
        else:
            yield from imports(node)


def forbidden(path: Path, text: str) -> list[str]:
    """The imports of a file that go against the direction of dependence."""
    part = part_of(path)
    found = []
    for module, line in imports(ast.parse(text)):
        if module.split(".")[0] != "restr":
            continue
        other = (module.split(".") + ["__init__"])[1]
        if other != part and other not in ALLOWED[part]:
            found.append(f"{path.relative_to(ROOT)}:{line}: {part} must not import {other}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_direction_of_dependence(path: Path) -> None:
    assert part_of(path) in ALLOWED, f"{part_of(path)} is new: say in ALLOWED what it may import"
    assert forbidden(path, path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from restr.training.loop.trainer import Trainer",
        "def f():\n    import restr.grammar.scene",
        "from restr import evaluation",
        "from restr.cli import main",
    ],
)
def test_the_test_sees_a_wrong_import(line: str) -> None:
    assert len(forbidden(SOURCE / "inference" / "new.py", line)) == 1


def test_type_checking_imports_are_free() -> None:
    text = "if TYPE_CHECKING:\n    from restr.training.loop.trainer import Trainer\nelse:\n    from restr.model import build\n"
    assert forbidden(SOURCE / "inference" / "new.py", text) == []


@pytest.mark.parametrize(
    "part",
    [
        "errors",
        "files",
        "config",
        "masks",
        "pictures",
        "report",
        "preprocess",
        "presets",
        "text",
    ],
)
def test_the_base_needs_no_torch(part: str) -> None:
    files = [path for path in FILES if part_of(path) == part]
    assert files
    heavy = [m for path in files for m, _ in imports(ast.parse(path.read_text())) if m.split(".")[0] == "torch"]
    assert heavy == []


def run(code: str) -> str:
    """What a fresh interpreter prints, standard error included."""
    environment = {"PYTHONPATH": str(SOURCE.parent), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_import_is_light_and_silent() -> None:
    assert run("import restr") == ""
    loaded = run("import restr, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    assert not {"torch", "numpy", "PIL", "rich", "tyro", "matplotlib"} & set(loaded)


def test_help_loads_no_torch() -> None:
    output = run("import sys; from restr.cli.main import main; main(['--help']); print('torch' in sys.modules)")
    assert "predict" in output
    assert output.endswith("False\n")


def test_everything_that_restr_offers_exists() -> None:
    assert run("import restr; [getattr(restr, name) for name in restr.__all__]") == ""


def tracked_texts() -> Iterator[tuple[Path, str]]:
    """Every text that ships, but for data files."""
    folders = ("src", "tests", "recipes", "benchmarks", "docs", "examples", "deploy", "tools", ".ci")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    paths += [ROOT / name for name in ("Makefile", "README.md", "pyproject.toml", "CHANGELOG.md", "NOTICE")]
    for path in paths:
        if path.is_file() and (path.suffix in {".py", ".md", ".toml", ".svg", ".json"} or not path.suffix):
            yield path, path.read_text(encoding="utf-8")


def test_no_file_is_longer_than_a_sitting() -> None:
    long = {str(p.relative_to(ROOT)): t.count("\n") for p, t in tracked_texts() if p.suffix == ".py"}
    too_long = {name: lines for name, lines in long.items() if lines > 300}
    assert too_long == {}, "more than 300 lines: move a part to a module of its own"


def test_no_path_of_somebodys_machine() -> None:
    # Split, so that this file does not find itself.
    machine = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "/" + "home/", "/" + "tmp/", "/" + "opt/", "/" + "Users/"])
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


def test_nothing_needs_torchvision() -> None:
    found = [
        str(path) for path in FILES for m, _ in imports(ast.parse(path.read_text())) if m.startswith("torchvision")
    ]
    assert found == []
    requirements = re.sub(r"#.*", "", (ROOT / "pyproject.toml").read_text())
    assert "torchvision" not in requirements
