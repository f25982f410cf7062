"""Every test file is found from the module that it tests; the others are in the table of ``tests/README.md``."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import source

TESTS = source.ROOT / "tests"
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
ROW = re.compile(r"^\| `([\w/.]+\.py)` \| (.+) \|$", re.MULTILINE)


def modules_of(path: Path) -> list[str]:
    """The modules that a test file is named after.

    ``a/b/test_m.py`` tests ``restr.a.b.m``. Where another folder has a ``test_m.py``, it may be called
    ``test_b_m.py``; ``a/b/test_b.py`` tests the package.
    """
    folder, name = path.parent.parts, path.stem.removeprefix("test_")
    short = [name.removeprefix(f"{each}_") for each in folder if name.startswith(f"{each}_")]
    candidates = [".".join((*folder, each)) for each in (name, *short)]
    if folder and name == folder[-1]:
        candidates.append(".".join(folder))
    return [module for module in candidates if module in source.modules()]


def table() -> dict[str, str]:
    """Test file -> what it covers, as ``tests/README.md`` lists the files that are named after no module."""
    return dict(ROW.findall((TESTS / "README.md").read_text(encoding="utf-8")))


def test_every_test_file_is_found() -> None:
    lost = {str(path) for path in FILES if not modules_of(path)}
    listed = {name for name in table() if Path(name).name.startswith("test_")}
    assert lost - listed == set(), "name the file after its module, or add a row to tests/README.md"
    assert listed - lost == set(), "found by its name, or gone: take the row out of tests/README.md"


def test_no_two_test_files_have_one_name() -> None:
    names = Counter(path.name for path in FILES)
    assert [name for name, count in names.items() if count > 1] == [], "pytest could import only one of them"


def test_every_support_module_is_in_the_table() -> None:
    helpers = {str(path.relative_to(TESTS)) for path in (TESTS / "support").glob("*.py")}
    listed = {name for name in table() if name.startswith("support/")}
    assert listed == helpers, "the table of helpers in tests/README.md has a row for every file of tests/support"
