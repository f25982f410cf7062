"""What a wheel and an sdist of restr hold: the tracked files, all of them, and nothing else."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from steps import DistError

# A release without one of these installs, and then fails at its first use.
NEEDED = (
    "restr/py.typed",
    "restr/assets/restr_small/model.safetensors",
    "restr/assets/restr_small/config.json",
    "restr/assets/restr_small/MODEL_CARD.md",
    "restr/server/page/index.html",
)
# Beside these, a wheel holds the files of src/ under their own names.
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"}
OF_THE_SDIST_ALONE = {"PKG-INFO"}
# Folders of somebody's machine, in two pieces so that this line does not match itself.
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:" + rb"work|root|home|tmp|opt|Users)/[\w.-]+/[\w./-]+")
MAY_NAME_PATHS = re.compile(r"\.(safetensors|jpg|png|gz|npz|onnx|woff2)$")  # bytes of pictures and weights say anything


def read_wheel(path: Path) -> dict[str, bytes]:
    """Name -> content of every file in a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def read_sdist(path: Path) -> dict[str, bytes]:
    """Name -> content of every file in an sdist, without the folder that all of them lie in."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.isfile():
                raise DistError(
                    f"{path.name} holds {member.name}, which is no plain file; leave it out in pyproject.toml"
                )
            content = archive.extractfile(member)
            assert content is not None  # it is a plain file
            found[member.name.partition("/")[2]] = content.read()
    return found


def check_wheel(files: Mapping[str, bytes], tracked: Iterable[str], version: str) -> None:
    """Raises :class:`DistError` unless a wheel is the tracked files of ``src/`` and its metadata."""
    info = f"restr-{version}.dist-info/"
    expected = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    _check_names(files, expected | {info + name for name in DIST_INFO}, "the wheel")
    missing = [name for name in NEEDED if not files.get(name) and name != "restr/py.typed"]
    missing += [] if "restr/py.typed" in files else ["restr/py.typed"]
    if missing:
        raise DistError(f"the wheel lacks {', '.join(missing)}, or it is empty there; is it tracked?")
    _check_paths(files, "the wheel")


def check_sdist(files: Mapping[str, bytes], tracked: Iterable[str]) -> None:
    """Raises :class:`DistError` unless an sdist is every tracked file, and its metadata."""
    _check_names(files, set(tracked) | OF_THE_SDIST_ALONE, "the sdist")
    _check_paths(files, "the sdist")


def _check_names(files: Mapping[str, bytes], expected: set[str], what: str) -> None:
    extra, absent = sorted(set(files) - expected), sorted(expected - set(files))
    if extra:
        raise DistError(f"{what} holds what git does not track: {', '.join(extra[:10])}; see [tool.hatch.build]")
    if absent:
        raise DistError(f"{what} lacks tracked files: {', '.join(absent[:10])}; see [tool.hatch.build]")


def _check_paths(files: Mapping[str, bytes], what: str) -> None:
    for name, content in files.items():
        found = None if MAY_NAME_PATHS.search(name) else MACHINE_PATH.search(content)
        if found:
            raise DistError(f"{what} names a folder of somebody's machine, {found[0].decode()}, in {name}; take it out")
