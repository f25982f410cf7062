"""Zip archives of other people, unpacked so that nothing lands where it should not."""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from restr.errors import DatasetError
from restr.files import written_whole
from restr.published.fetch import FetchProgress, need_room

MOST_FILES = 1_000_000
SWELL = 200  # times its own size that an archive may unpack to
JUNK = frozenset({"__MACOSX", ".DS_Store"})
# what ``zipfile`` and the decompressors raise for a damaged archive
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
    """Put an archive's files into a folder; returns how many are new there.

    Whether the archive holds the folder itself or only its files makes no difference: an outermost folder of that name is left
    out of the paths. A file of the right size that is there already stays, so that what was broken off goes on; until all is there,
    ``unfinished(archive)`` says so. Raises ``DatasetError``, with nothing written, for an archive that names a path outside the
    folder, a link or an encrypted file, or that would unpack to far more than its size allows; also for a damaged one.
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
            need_room(folder, total)
            for info, target in written:
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source, written_whole(target) as partial, open(partial, "wb") as file:
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


def unfinished(archive: Path) -> bool:
    """Whether an archive's unpacking was broken off."""
    return _mark(archive).is_file()


def _mark(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.unpacking")


def _members(opened: zipfile.ZipFile, archive: Path, outer: str) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files by path below the folder. Raises ``DatasetError`` for what no dataset has."""
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    infos = opened.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_FILES or total > SWELL * archive.stat().st_size:
        raise DatasetError(
            f"{archive} would unpack to {len(infos):,} files of {total / 1e9:,.1f} GB, far more than its size allows; it is "
            "refused: fetch it again from a place you trust"
        )
    for info in infos:
        path = PureWindowsPath(info.filename)  # with either slash, and with drives
        kind = stat.S_IFMT(info.external_attr >> 16)
        if path.anchor or ".." in path.parts:
            raise _refused(archive, info, "is a path outside the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, info, "is a link or a device")
        if info.flag_bits & 1:
            raise _refused(archive, info, "is encrypted")
        if info.is_dir() or not path.parts or JUNK & set(path.parts):
            continue
        parts = path.parts[1:] if path.parts[0] == outer and len(path.parts) > 1 else path.parts
        found[PurePosixPath(*parts)] = info
    return found


def _refused(archive: Path, info: zipfile.ZipInfo, why: str) -> DatasetError:
    return DatasetError(
        f"{archive} holds {info.filename!r}, which {why}; nothing of it was unpacked: fetch it again from a place you trust"
    )


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
