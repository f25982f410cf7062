"""Where exports and measurements are kept: the user's cache, else a temporary folder that belongs to this user alone."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import tempfile
from pathlib import Path

CACHE_VARIABLE = "RESTR_CACHE"


def cache_folders() -> list[Path]:
    """Folders that may hold a cache, the first choice first; none need exist.

    ``$RESTR_CACHE``, or the platform's folder for caches; then a temporary one, for users without a home or with a
    home that they cannot write to.
    """
    found = [_of_user(), _temporary()]
    return [folder for folder in found if folder is not None]


def writable_cache() -> Path | None:
    """The first of ``cache_folders`` that can be written to, made if necessary; None if there is none."""
    for folder in cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _of_user() -> Path | None:
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).absolute()
    if (base := os.environ.get("XDG_CACHE_HOME")) and Path(base).is_absolute():
        return Path(base) / "restr"
    if sys.platform == "win32" and (base := os.environ.get("LOCALAPPDATA")):
        return Path(base) / "restr"
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and no entry among the users
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "restr"


def _temporary() -> Path | None:
    """A temporary folder named after the user; None if someone else has made it, or may write to it."""
    try:
        base = tempfile.gettempdir()
    except FileNotFoundError:  # no folder at all can be written to
        return None
    folder = Path(base) / f"restr-{os.getuid() if hasattr(os, 'getuid') else getpass.getuser()}"
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return folder
    except OSError:
        return None
    if hasattr(os, "getuid") and (
        not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        return None
    return folder
