"""An index of a dataset's entries on disk: opened at once, read entry by entry, however many there are.

Reading RefCOCO's pickle and COCO's instances takes many seconds and gigabytes; the index (SQLite) is built from them once and
opens in milliseconds. It is built again when a source file is another one or has changed, or restr has another format.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from restr.data.entry import Entry
from restr.data.identity import Names, digest_of, stamp_of
from restr.data.left_out import LeftOut, Read, summary
from restr.errors import DatasetError
from restr.files import written_whole

FORMAT = 2
FOLDER = ".restr"  # in the dataset's root
COLUMNS = "id, image, text, regions, height, width, split, kind, image_id"


class Index:
    """Entries by number, in the order in which images first came, an image's entries together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = -1
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """This process's own connection; SQLite's must not be carried over a fork."""
        if self._connection is None or self._pid != os.getpid():
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            self._pid = os.getpid()
        return self._connection

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state["path"])

    def rows_of(self, split: str | None) -> np.ndarray:
        """The row numbers of a split (all, if None): int64. Raises ``DatasetError`` naming the splits that there are."""
        ask, values = "SELECT rowid FROM entries", ()
        if split is not None:
            ask, values = f"{ask} WHERE split = ?", (split,)
        found = np.array([row for (row,) in self.connection.execute(f"{ask} ORDER BY rowid", values)], np.int64)
        if split is not None and not len(found):
            raise DatasetError(
                f"there is no split {split!r}; there are {', '.join(self.splits()) or 'no entries at all'}"
            )
        return found

    def column(self, name: Literal["id", "image", "text"], split: str | None) -> list[str]:
        """A field of every entry of a split (of all, if None), in order."""
        where, values = ("", ()) if split is None else (" WHERE split = ?", (split,))
        return [
            value for (value,) in self.connection.execute(f"SELECT {name} FROM entries{where} ORDER BY rowid", values)
        ]

    def rows_with(self, split: str | None, words: Sequence[str]) -> np.ndarray:
        """The row numbers of a split (of all, if None) whose text holds each of some words, or parts of words: int64."""
        tests, values = ["1"], []
        if split is not None:
            tests, values = ["split = ?"], [split]
        for word in words:
            tests.append("instr(lower(text), ?)")
            values.append(word.lower())
        ask = f"SELECT rowid FROM entries WHERE {' AND '.join(tests)} ORDER BY rowid"
        return np.array([row for (row,) in self.connection.execute(ask, values)], np.int64)

    def splits(self) -> dict[str, int]:
        """How many entries each split has."""
        return dict(self.connection.execute("SELECT split, COUNT(*) FROM entries GROUP BY split ORDER BY split"))

    def left_out(self) -> list[LeftOut]:
        """What the reader made no entry of, and why."""
        rows = self.connection.execute("SELECT what, detail, count FROM left_out ORDER BY rowid")
        return [LeftOut(what=what, detail=detail, count=count) for what, detail, count in rows]

    def entry(self, row: int) -> Entry:
        """The entry of a row number."""
        found = self.connection.execute(f"SELECT {COLUMNS} FROM entries WHERE rowid = ?", (int(row),)).fetchone()
        if found is None:
            raise IndexError(row)
        identity, image, text, regions, height, width, split, kind, image_id = found
        return Entry(
            id=identity,
            image=image,
            text=text,
            regions=tuple(json.loads(regions)),
            size=None if height is None else (height, width),
            split=split,
            kind=kind,
            image_id=image_id,
        )


def build_index(path: Path, entries: Iterable[Read], key: str) -> Index:
    """Write an index, whole or not at all. Raises ``DatasetError`` where there are no entries, or two of one id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        Path(partial).unlink(missing_ok=True)
        connection = sqlite3.connect(partial)
        try:
            connection.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                "CREATE TABLE loaded (id TEXT, image TEXT, text TEXT, regions TEXT, height INTEGER, width INTEGER, split TEXT,"
                " kind TEXT, image_id TEXT, place INTEGER);"
                "CREATE TABLE left_out (what TEXT, detail TEXT, count INTEGER);"
            )
            places: dict[tuple[str, str], int] = {}
            count, left_out = 0, []
            with connection:
                for entry in entries:
                    if isinstance(entry, LeftOut):
                        left_out.append(entry)
                        continue
                    count += 1
                    place = places.setdefault((entry.split, entry.image), len(places))
                    height, width = entry.size or (None, None)
                    connection.execute(
                        "INSERT INTO loaded VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (entry.id, entry.image, entry.text, entry.region_json(), height, width, entry.split, entry.kind,
                         entry.image_id or entry.image, place),
                    )  # fmt: skip
                connection.executemany(
                    "INSERT INTO left_out VALUES (?, ?, ?)", [(each.what, each.detail, each.count) for each in left_out]
                )
            if not count:
                raise _nothing_left(path, left_out)
            connection.executescript(
                "CREATE TABLE entries (id TEXT, image TEXT, text TEXT, regions TEXT, height INTEGER, width INTEGER, split TEXT,"
                f" kind TEXT, image_id TEXT); INSERT INTO entries SELECT {COLUMNS} FROM loaded ORDER BY place, rowid;"
                "DROP TABLE loaded; CREATE TABLE facts (key TEXT);"
            )
            twice = connection.execute(
                "SELECT id, split FROM entries GROUP BY id, split HAVING COUNT(*) > 1 LIMIT 1"
            ).fetchone()
            if twice:
                raise DatasetError(
                    f"two entries of the split {twice[1]!r} have the id {twice[0]!r}; ids must be unique"
                )
            connection.execute("CREATE INDEX by_split ON entries (split)")
            connection.execute("INSERT INTO facts VALUES (?)", (key,))
            connection.commit()
            connection.execute("VACUUM")
        finally:
            connection.close()
    return Index(path)


def _nothing_left(path: Path, left_out: Sequence[LeftOut]) -> DatasetError:
    """The error for a dataset without an entry. Where all was left out, the first reason tells most."""
    if not left_out:
        return DatasetError(f"there are no entries to index in {path.parent.parent}; is the dataset complete?")
    first = min(left_out, key=lambda each: not each.bad)
    return DatasetError(f"no annotation is left: {summary(left_out)} left out. The first: {first.detail or first.what}")


def is_current(path: Path, key: str) -> bool:
    """Whether there is an index of this key."""
    if not path.is_file():
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT key FROM facts").fetchone() == (key,)
        finally:
            connection.close()
    except sqlite3.DatabaseError:  # half of another program's file, or a damaged one: build it again
        return False


def key_of(files: Sequence[Path]) -> str:
    """What an index of these source files depends on: their names and stamps, and restr's format."""
    known = [(str(path), stamp_of(path.stat())) for path in files if path.exists()]
    return json.dumps([FORMAT, known])


def index_path(root: Path, name: str) -> Path:
    """Where the index of a dataset lies: in its root, or in the user's cache where the root cannot be written to."""
    folder = root / FOLDER
    if os.access(folder if folder.exists() else root, os.W_OK):
        return folder / f"{name}.sqlite"
    return cache_folder() / f"{digest_of(str(root.absolute()).encode())[:16]}-{name}.sqlite"


def index_name(form: str, root: Path, path: Path) -> str:
    """The index's name for a file or folder of a root: another one for each, whatever stem or folder they share."""
    place = Path(os.path.relpath(path, root)).as_posix()
    return f"{form}-{Names().of(path.stem or form)}-{digest_of(place.encode('utf-8', 'surrogateescape'))[:8]}"


def cache_folder() -> Path:
    """The user's own, for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restr"
