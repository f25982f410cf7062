"""Whether every extra of a wheel resolves, from wheels alone, on each Python that restr supports; and to which copyleft.

``python tools/release/resolve.py dist/restr-*.whl`` asks the package index and installs nothing: some minutes a Python.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from licences import families
from steps import ROOT, DistError, run, say, step


def supported_pythons() -> list[str]:
    """``3.11`` and so on, by the classifiers of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in project["classifiers"]]
    return [match[1] for match in found if match]


def extras() -> list[str]:
    """The names of all extras in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["optional-dependencies"])


def resolved(wheel: Path, names: Sequence[str], python: str) -> dict[str, Any]:
    """pip's report on a wheel with extras on a Python, ``3.13``; nothing is installed.

    Takes the interpreter of that version if one is here. Without, this one reads requirements in its place, and what only
    that version asks for may be missing. Raises :class:`DistError` with pip's words if there is no solution.
    """
    interpreter = _interpreter(python)
    with tempfile.TemporaryDirectory(prefix="restr-resolve-") as name:
        folder = Path(name)
        run([interpreter or sys.executable, "-m", "venv", folder / "venv"])
        pip = [folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
        run([*pip, "install", "-qq", "--upgrade", "pip"])  # an old one leaves half of the licences out of its report
        other = [] if interpreter else ["--python-version", python]
        command = [*pip, "install", "--dry-run", "-qq", "--ignore-installed", "--only-binary=:all:", *other]
        asked = f"{wheel.resolve()}[{','.join(names)}]" if names else str(wheel.resolve())
        run([*command, "--report", folder / "report.json", asked], timeout=3600)
        return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def _interpreter(python: str) -> str | None:
    """The interpreter of a version, if one runs here."""
    for name in (sys.executable, f"python{python}"):
        found = shutil.which(name)
        asked = [found or "", "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        if found and subprocess.run(asked, capture_output=True, text=True).stdout.strip() == python:
            return found
    return None


def stated_copyleft(report: dict[str, Any], extra: str) -> dict[str, str]:
    """Package -> families of copyleft that its metadata states, of all that an extra brings beside the core.

    An extra of ``""`` is the core. Wheels may pack libraries that their metadata does not speak of.
    """
    packages: dict[str, dict[str, Any]] = {}
    packages |= {canonicalize_name(each["metadata"]["name"]): each["metadata"] for each in report["install"]}
    core = _reached(packages, report["environment"], "")
    reached = core if not extra else _reached(packages, report["environment"], extra) - core
    found = {name: ", ".join(families(_statements(packages[name]))) for name in sorted(reached)}
    return {name: named for name, named in found.items() if named}


def _reached(packages: dict[str, dict[str, Any]], environment: dict[str, str], extra: str) -> set[str]:
    done: set[tuple[str, str]] = set()
    todo = [("restr", ""), ("restr", extra)]
    while todo:
        name, of = todo.pop()
        if (name, of) in done or name not in packages:
            continue
        done.add((name, of))
        for each in map(Requirement, packages[name].get("requires_dist", ())):
            if not each.marker or each.marker.evaluate({**environment, "extra": of}):
                todo += [(canonicalize_name(each.name), asked) for asked in ("", *each.extras)]
    return {name for name, _ in done} - {"restr"}


def _statements(metadata: dict[str, Any]) -> str:
    classifiers = [each for each in metadata.get("classifier", ()) if "License ::" in each]
    return "\n".join([metadata.get("license_expression") or "", (metadata.get("license") or "")[:500], *classifiers])


def _one_by_one(wheel: Path, python: str) -> list[str]:
    """The extras that do not resolve on a Python, each with pip's last words."""
    failed = []
    for extra in extras():
        try:
            resolved(wheel, [extra], python)
        except DistError as error:
            failed.append(f"{extra}: {str(error).splitlines()[-1]}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="the wheel that make dist built")
    parser.add_argument("--python", nargs="*", default=supported_pythons(), help="versions, such as 3.13")
    options = parser.parse_args()
    failures = []
    for python in options.python:
        step(f"all {len(extras())} extras at once, on Python {python}, from wheels alone")
        say(
            "with its own interpreter"
            if _interpreter(python)
            else "with another interpreter: none of that version is here"
        )
        try:
            report = resolved(options.wheel, extras(), python)
        except DistError as error:
            say(f"not all at once; each alone: {str(error).splitlines()[-1]}")
            failures += [f"Python {python}, {each}" for each in _one_by_one(options.wheel, python)]
            continue
        versions: dict[str, str] = {each["metadata"]["name"]: each["metadata"]["version"] for each in report["install"]}
        say(
            f"{len(versions)} packages, torch {versions['torch']}, numpy {versions['numpy']}; so each resolves alone too"
        )
        for extra in extras():
            if named := stated_copyleft(report, extra):
                say(f"[{extra}] " + "; ".join(f"{package}: {licence}" for package, licence in named.items()))
    if failures:
        sys.exit("failed: " + "\n".join(failures))


if __name__ == "__main__":
    main()
