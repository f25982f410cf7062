"""The state of a published dataset's files, and how missing ones are fetched and unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from restr.errors import DatasetError
from restr.published.fetch import FetchProgress, fetch, mismatch
from restr.published.releases import RELEASES, Published, Release
from restr.published.unpack import is_unfinished, unpack

State = Literal["there", "part", "packed", "missing", "wrong"]


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file of a release and its state on disk."""

    file: Published
    """The release's facts about it."""

    state: State
    """"there"; "part" (some of an archive's files, which may be enough); "packed" (an archive that is not unpacked
    yet); "missing"; "wrong" (another size or hash)."""

    detail: str = ""
    """The state in words."""

    @property
    def lacking(self) -> bool:
        """Whether a reader needs the file and cannot have it yet."""
        return self.state in ("missing", "wrong", "packed") and not self.file.optional


def release(name: str) -> Release:
    """The files of a dataset. Raises ``DatasetError`` listing the known names."""
    if name not in RELEASES:
        raise DatasetError(
            f"there is no published dataset {name!r}; choose from {', '.join(RELEASES)}. Data of your own needs no "
            "preparing: "
            "restr data check FORM:PATH"
        )
    return RELEASES[name]


def find_file(file: Published, root: Path) -> FoundFile:
    """A file's state below a root."""
    if file.into:
        return _archive(file, root)
    if file.name.endswith("/"):
        return _contents(file, [root / file.name])
    path = next((root / name for name in (file.name, *file.also) if (root / name).is_file()), None)
    if path is None:
        return FoundFile(file=file, state="missing")
    problem = mismatch(path, file.size, file.sha256)
    if problem:
        return FoundFile(file=file, state="wrong", detail=f"{path} is {problem}")
    return FoundFile(file=file, state="there", detail=path.relative_to(root).as_posix())


def fetch_and_unpack(
    found: FoundFile, root: Path, mirrors: Sequence[str], progress: FetchProgress | None = None
) -> FoundFile:
    """Fetch and unpack a missing file, if possible; returns its state afterwards.

    Existing files are never overwritten, not even wrong ones. Raises ``DatasetError`` if no mirror has the right file.
    """
    file, path = found.file, root / found.file.name
    if found.state == "missing" and mirrors and not file.name.endswith("/"):
        names = [name for full in (file.name, *file.also) for name in dict.fromkeys((full, Path(full).name))]
        fetch(names, path, mirrors, size=file.size, sha256=file.sha256, progress=progress)
        found = (
            FoundFile(file=file, state="packed") if file.into else FoundFile(file=file, state="there", detail=file.name)
        )
    if found.state == "packed":
        unpack(path, root / file.into, progress=progress)
        return _unpacked(file, root)
    return found


def _archive(file: Published, root: Path) -> FoundFile:
    """An archive counts as "there" when its files are, even if the archive itself was deleted."""
    found = _unpacked(file, root)
    path = root / file.name
    if not path.is_file() or (found.state == "there" and not is_unfinished(path)):
        return found
    problem = mismatch(path, file.size, file.sha256)
    if problem:
        return FoundFile(file=file, state="wrong", detail=f"{path} is {problem}")
    return FoundFile(file=file, state="packed", detail=f"{file.name} is there and not unpacked")


def _unpacked(file: Published, root: Path) -> FoundFile:
    return _contents(file, [root / folder for folder in (file.into, *file.elsewhere)])


def _contents(file: Published, folders: Sequence[Path]) -> FoundFile:
    """The state of the needed files in the best of some folders."""
    best, most = FoundFile(file=file, state="missing"), 0
    for folder in folders:
        counts = [sum(1 for _ in folder.glob(pattern)) for pattern, _ in file.holds] if folder.is_dir() else []
        if not counts or not all(counts):
            continue
        needed = zip(counts, file.holds, strict=True)
        words = ", ".join(
            name if wanted == 1 else f"{count:,} of {wanted:,} {name}" for count, (name, wanted) in needed
        )
        if all(count >= wanted for count, (_, wanted) in zip(counts, file.holds, strict=True)):
            return FoundFile(file=file, state="there", detail=f"{folder}: {words}")
        if sum(counts) > most:
            best, most = FoundFile(file=file, state="part", detail=f"{folder}: {words}"), sum(counts)
    return best
