"""Where the pictures are that an annotation tool's file names: looked for by one rule, so that no picture is taken for another.

The rule, for each name: the first of a list of folders that holds a file of this name (``folders``, the most particular first).
Where none does, the name's last parts are tried in the same way, the longest first, as tools write the paths of another machine;
but not where two names of the file would then mean one picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from urllib.parse import unquote

ANNOTATIONS = "annotations"  # COCO's, CVAT's and Datumaro's folder for the files; the pictures are beside it
ADDRESS = re.compile(r"^(https?|s3|gs|gcs|azure-blob|azure|file|upload)://", re.IGNORECASE)
DRIVE = re.compile(r"^[a-zA-Z]:/")
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio puts it before the name of an uploaded file
_SUFFIXES = (".png", ".PNG", ".jpg", ".jpeg")  # that CVAT gives pictures without one when it exports them


def root_of(path: Path) -> Path:
    """The folder that holds a file and the pictures that it names."""
    return path.parent.parent if path.parent.name == ANNOTATIONS else path.parent


def subset_of(path: Path) -> str:
    """The subset in the name of a file: "train" of instances_train.json."""
    return path.stem.rpartition("_")[2] if "_" in path.stem.strip("_") else ""


def folders(root: Path, path: Path, subset: str = "") -> list[str]:
    """The folders below ``root`` in which pictures are looked for, in this order, those that there are."""
    here = path.parent.relative_to(root)
    found: list[str] = []
    for base in dict.fromkeys((here, Path())):
        inside = [f"images/{subset}", "images", subset, "", "data"] if subset else ["images", "", "data"]
        found += [(base / each).as_posix() for each in [*inside, "images/default"]]
    return [each for each in dict.fromkeys(found) if (root / each).is_dir()]


class FoundPictures:
    """The pictures of one file. names: all that the file names, as it writes them."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self.root = root
        self.known: dict[tuple[str, tuple[str, ...]], str] = {}  # many annotations are of one picture
        # a shortened name counts for a picture only if no other name could mean it
        self.claims = Counter(end for name in dict.fromkeys(names) for end in {*spellings(name), *endings(name)})

    def path(self, name: str, folders: Sequence[str]) -> str:
        """The picture's path below the root; where it would have been expected if it is nowhere."""
        asked = name, tuple(folders)
        if asked not in self.known:
            self.known[asked] = self._found(name, folders)
        return self.known[asked]

    def _found(self, name: str, folders: Sequence[str]) -> str:
        if Path(name).is_absolute() and _is_file(Path(name)):
            return name
        for end in [*spellings(name), *(each for each in endings(name) if self.claims[each] == 1)]:
            for folder, suffix in product(folders, ("",) if "." in Path(end).name else ("", *_SUFFIXES)):
                found = (Path(folder) / (end + suffix)).as_posix()
                if _is_file(self.root / found):
                    return found
        usual = next((each for each in folders if "images" in Path(each).parts), "")
        return (Path(usual) / spellings(name)[-1]).as_posix()


def spellings(name: str) -> list[str]:
    """What a name may be as a path: as it is, without the query of an address, and with its %20 and the like decoded."""
    found = [_plain(name)]
    if ADDRESS.match(name):
        found.append(found[0].partition("?")[0])
    return list(dict.fromkeys([*found, _plain(unquote(found[-1]))]))


def endings(name: str) -> list[str]:
    """The last parts of a name, the longest first, and without what Label Studio puts before an uploaded file's name."""
    parts = [part for part in spellings(name)[-1].split("/") if part not in ("", ".")]
    found = ["/".join(parts[start:]) for start in range(1, len(parts)) if ".." not in parts[start:]]
    if parts and UPLOADED.match(parts[-1]):
        found.append(UPLOADED.sub("", parts[-1]))
    return found


def _plain(name: str) -> str:
    """A name with slashes, and without the parts that lead to a disk or a server."""
    name = ADDRESS.sub("", name.replace("\\", "/")).lstrip("/")
    return DRIVE.sub("", name).lstrip("/")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
