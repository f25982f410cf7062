"""Unpacks untrusted zip archives; nothing is ever written outside the folder."""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from restr.errors import DatasetError
from restr.files import atomic_path
from restr.published.fetch import FetchProgress, check_space

_MOST_FILES = 1_000_000
_MOST_RATIO = 200  # of unpacked to packed size
_JUNK = frozenset({"__MACOSX", ".DS_Store"})
# raised by ``zipfile`` and the decompressors for a damaged archive
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
)


def unpack(archive: Path, folder: Path, *, progress: FetchProgress | None = None) -> int:
    """Put an archive's files into a folder; returns how many are new.

    An outermost folder of the same name in the archive is dropped from the paths. Existing files of the right size
    stay, so an interrupted unpacking is resumed; ``is_unfinished(archive)`` is true until it is complete. Raises
    ``DatasetError``, with nothing written, for an archive with a path outside the folder, a link or an encrypted file,
    and for one that would unpack to far more than its size allows; also for a damaged one.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, archive, folder.name)
            written = [
                (info, folder / path) for path, info in members.items() if not _is_there(folder / path, info.file_size)
            ]
            _mark(archive).touch()
            folder.mkdir(parents=True, exist_ok=True)
            total, done = sum(info.file_size for info, _ in written), 0
            check_space(folder, total)
            for info, target in written:
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source, atomic_path(target) as partial, open(partial, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                done += info.file_size
                if progress:
                    progress(f"unpacking {archive.name}", done, total)
            _mark(archive).unlink()
    except _DAMAGE as error:
        raise DatasetError(
            f"{archive} cannot be unpacked ({error}); if it is damaged, delete it and fetch it again"
        ) from error
    return len(written)


def is_unfinished(archive: Path) -> bool:
    """Whether an archive's unpacking was interrupted."""
    return _mark(archive).is_file()


def _mark(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.unpacking")


def _members(opened: zipfile.ZipFile, archive: Path, outer: str) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files by path below the folder. Raises ``DatasetError`` for suspicious members."""
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    infos = opened.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > _MOST_FILES or total > _MOST_RATIO * archive.stat().st_size:
        raise DatasetError(
            f"{archive} would unpack to {len(infos):,} files of {total / 1e9:,.1f} GB, far more than its size allows; "
            "it is "
            "refused: fetch it again from a place you trust"
        )
    for info in infos:
        path = PureWindowsPath(info.filename)  # knows both slashes, and drives
        kind = stat.S_IFMT(info.external_attr >> 16)
        if path.anchor or ".." in path.parts:
            raise _refused(archive, info, "is a path outside the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, info, "is a link or a device")
        if info.flag_bits & 1:
            raise _refused(archive, info, "is encrypted")
        if info.is_dir() or not path.parts or _JUNK & set(path.parts):
            continue
        parts = path.parts[1:] if path.parts[0] == outer and len(path.parts) > 1 else path.parts
        found[PurePosixPath(*parts)] = info
    return found


def _refused(archive: Path, info: zipfile.ZipInfo, why: str) -> DatasetError:
    return DatasetError(
        f"{archive} holds {info.filename!r}, which {why}; nothing of it was unpacked: fetch it again from a place you "
        "trust"
    )


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
