"""Finds the pictures that an annotation tool's file names, by one rule, so that no picture is taken for another.

The rule, for each name: take the first folder of a list (``folders``, the most specific first) that holds a file of
this name. If none does, try the name's last parts in the same way, the longest first, because tools write the paths of
another machine. Skip a shortened name if two names of the file would then mean one picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from urllib.parse import unquote

_ANNOTATIONS = "annotations"  # COCO's, CVAT's and Datumaro's folder for annotation files; pictures are beside it
_ADDRESS = re.compile(r"^(https?|s3|gs|gcs|azure-blob|azure|file|upload)://", re.IGNORECASE)
_DRIVE = re.compile(r"^[a-zA-Z]:/")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio's prefix of an uploaded file's name
_SUFFIXES = (".png", ".PNG", ".jpg", ".jpeg")  # CVAT exports pictures without a suffix under one of these


def root_of(path: Path) -> Path:
    """The folder that holds a file and the pictures that it names."""
    return path.parent.parent if path.parent.name == _ANNOTATIONS else path.parent


def subset_of(path: Path) -> str:
    """The subset in the name of a file: "train" of instances_train.json."""
    return path.stem.rpartition("_")[2] if "_" in path.stem.strip("_") else ""


def folders(root: Path, path: Path, subset: str = "") -> list[str]:
    """The existing folders below ``root`` where pictures may be, in the order of the search."""
    here = path.parent.relative_to(root)
    found: list[str] = []
    for base in dict.fromkeys((here, Path())):
        inside = [f"images/{subset}", "images", subset, "", "data"] if subset else ["images", "", "data"]
        found += [(base / each).as_posix() for each in [*inside, "images/default"]]
    return [each for each in dict.fromkeys(found) if (root / each).is_dir()]


class PictureFinder:
    """The pictures of one annotation file. names: all picture names in it, as written."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.root = root
        self.known: dict[tuple[str, tuple[str, ...]], str] = {}  # many annotations share a picture
        # a shortened name is used only if no other name could mean it
        self.claims = Counter(end for name in dict.fromkeys(names) for end in {*_spellings(name), *_endings(name)})

    def path(self, name: str, folders: Sequence[str]) -> str:
        """The picture's path below the root; the usual path if it is not found."""
        key = name, tuple(folders)
        if key not in self.known:
            self.known[key] = self._found(name, folders)
        return self.known[key]

    def _found(self, name: str, folders: Sequence[str]) -> str:
        if Path(name).is_absolute() and _is_file(Path(name)):
            return name
        for end in [*_spellings(name), *(each for each in _endings(name) if self.claims[each] == 1)]:
            for folder, suffix in product(folders, ("",) if "." in Path(end).name else ("", *_SUFFIXES)):
                found = (Path(folder) / (end + suffix)).as_posix()
                if _is_file(self.root / found):
                    return found
        usual = next((each for each in folders if "images" in Path(each).parts), "")
        return (Path(usual) / _spellings(name)[-1]).as_posix()


def _spellings(name: str) -> list[str]:
    """The paths that a name may mean: as written, without an address's query, and with %20 and the like decoded."""
    found = [_plain(name)]
    if _ADDRESS.match(name):
        found.append(found[0].partition("?")[0])
    return list(dict.fromkeys([*found, _plain(unquote(found[-1]))]))


def _endings(name: str) -> list[str]:
    """The last parts of a name, the longest first, and the last one without Label Studio's upload prefix."""
    parts = [part for part in _spellings(name)[-1].split("/") if part not in ("", ".")]
    found = ["/".join(parts[start:]) for start in range(1, len(parts)) if ".." not in parts[start:]]
    if parts and _UPLOADED.match(parts[-1]):
        found.append(_UPLOADED.sub("", parts[-1]))
    return found


def _plain(name: str) -> str:
    """A name with forward slashes, without drive or server."""
    name = _ADDRESS.sub("", name.replace("\\", "/")).lstrip("/")
    return _DRIVE.sub("", name).lstrip("/")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no possible file name
        return False
