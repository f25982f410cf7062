"""An index of a dataset's entries on disk: opened at once, and read entry by entry.

Reading RefCOCO's pickle and COCO's instances takes many seconds and gigabytes; the index (SQLite) is built from them
once and opens in milliseconds. It is built again when a source file or restr's format of the index changes.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from restr.data.entries.entry import Entry
from restr.data.entries.identity import Names, digest_of, stamp_of
from restr.data.entries.left_out import LeftOut, Read, summary
from restr.errors import DatasetError
from restr.files import LONGEST_NAME, atomic_path, cut_to_bytes
from restr.text.words import normal

FORMAT = 2
FOLDER = ".restr"  # in the dataset's root
_TEXT = "CAST(? AS TEXT)"  # for bytes from ``_bytes``
_COLUMNS = "id, image, text, regions, height, width, split, kind, image_id"


class Index:
    """Entries by number; images in order of first appearance, and an image's entries together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = -1  # of the process that opened the connection
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """This process's own connection: SQLite's cannot be used after a fork."""
        if self._connection is None or self._pid != os.getpid():
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            self._connection.text_factory = _text
            self._connection.create_function("normal", 1, _normal, deterministic=True)
            self._pid = os.getpid()
        return self._connection

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_pid": -1, "_connection": None}

    def rows_of(self, split: str | None) -> np.ndarray:
        """The row numbers of a split (all, if None): int64. Raises ``DatasetError`` naming the known splits."""
        ask, values = "SELECT rowid FROM entries", ()
        if split is not None:
            ask, values = f"{ask} WHERE split = {_TEXT}", (_bytes(split),)
        found = np.array([row for (row,) in self.connection.execute(f"{ask} ORDER BY rowid", values)], np.int64)
        if split is not None and not len(found):
            raise DatasetError(
                f"there is no split {split!r}; there are {', '.join(self.splits()) or 'no entries at all'}"
            )
        return found

    def column(self, name: Literal["id", "image", "text"], split: str | None) -> list[str]:
        """A field of every entry of a split (of all, if None), in order."""
        where, values = ("", ()) if split is None else (f" WHERE split = {_TEXT}", (_bytes(split),))
        return [
            value for (value,) in self.connection.execute(f"SELECT {name} FROM entries{where} ORDER BY rowid", values)
        ]

    def rows_with(self, split: str | None, words: Sequence[str]) -> np.ndarray:
        """The row numbers of a split (of all, if None) whose text contains each of ``words``, which may be parts of
        words: int64."""
        tests: list[str] = ["1"]
        values: list[str | bytes] = []
        if split is not None:
            tests, values = [f"split = {_TEXT}"], [_bytes(split)]
        for word in words:
            tests.append("instr(normal(CAST(text AS BLOB)), ?)")
            values.append(_bytes(normal(word)))
        ask = f"SELECT rowid FROM entries WHERE {' AND '.join(tests)} ORDER BY rowid"
        return np.array([row for (row,) in self.connection.execute(ask, values)], np.int64)

    def splits(self) -> dict[str, int]:
        """The number of entries in each split."""
        return dict(self.connection.execute("SELECT split, COUNT(*) FROM entries GROUP BY split ORDER BY split"))

    def left_out(self) -> list[LeftOut]:
        """Parts of the files that became no entry, and why."""
        rows = self.connection.execute("SELECT what, detail, count FROM left_out ORDER BY rowid")
        return [LeftOut(what=what, detail=detail, count=count) for what, detail, count in rows]

    def entry(self, row: int) -> Entry:
        """The entry of a row number."""
        found = self.connection.execute(f"SELECT {_COLUMNS} FROM entries WHERE rowid = ?", (int(row),)).fetchone()
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
    """Write an index, whole or not at all. Raises ``DatasetError`` for no entries, or for two with the same id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        connection = sqlite3.connect(partial)
        try:
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            _load(connection, path, entries)
            _arrange(connection, key)
        except sqlite3.Error as error:
            raise DatasetError(f"the index {path} cannot be written ({error}); is there space left?") from error
        finally:
            connection.close()
    return Index(path)


def _load(connection: sqlite3.Connection, path: Path, entries: Iterable[Read]) -> None:
    """Write entries to the table ``loaded``, in the order of the files, and the notes to ``left_out``."""
    connection.executescript(
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
                f"INSERT INTO loaded VALUES ({_TEXT}, {_TEXT}, {_TEXT}, ?, ?, ?, {_TEXT}, {_TEXT}, {_TEXT}, ?)",
                (*map(_bytes, (entry.id, entry.image, entry.text)), entry.region_json(), height, width,
                 *map(_bytes, (entry.split, entry.kind, entry.image_id or entry.image)), place),
            )  # fmt: skip
        connection.executemany(
            "INSERT INTO left_out VALUES (?, ?, ?)", [(each.what, each.detail, each.count) for each in left_out]
        )
    if not count:
        raise _nothing_left(path, left_out)


def _arrange(connection: sqlite3.Connection, key: str) -> None:
    """Make the table ``entries``, an image's entries together, from ``loaded``."""
    connection.executescript(
        "CREATE TABLE entries (id TEXT, image TEXT, text TEXT, regions TEXT, height INTEGER, width INTEGER, split TEXT,"
        f" kind TEXT, image_id TEXT); INSERT INTO entries SELECT {_COLUMNS} FROM loaded ORDER BY place, rowid;"
        "DROP TABLE loaded; CREATE TABLE facts (key TEXT);"
    )
    connection.text_factory = _text
    ask = "SELECT id, split FROM entries GROUP BY id, split HAVING COUNT(*) > 1 LIMIT 1"
    twice = connection.execute(ask).fetchone()
    if twice:
        raise DatasetError(f"two entries of the split {twice[1]!r} have the id {twice[0]!r}; ids must be unique")
    connection.execute("CREATE INDEX by_split ON entries (split)")
    connection.execute("INSERT INTO facts VALUES (?)", (key,))
    connection.commit()
    connection.execute("VACUUM")


def _nothing_left(path: Path, left_out: Sequence[LeftOut]) -> DatasetError:
    """The error for a dataset without entries. If annotations were left out, the first reason explains most."""
    if not left_out:
        return DatasetError(f"there are no entries to index in {path.parent.parent}; is the dataset complete?")
    first = min(left_out, key=lambda each: not each.bad)
    return DatasetError(f"no annotation is left: {summary(left_out)} left out. The first: {first.detail or first.what}")


def is_current(path: Path, key: str) -> bool:
    """Whether the file is an index with this key."""
    if not path.is_file():
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT key FROM facts").fetchone() == (key,)
        finally:
            connection.close()
    except sqlite3.DatabaseError:  # damaged, or no index: build it again
        return False


def key_of(files: Sequence[Path]) -> str:
    """All that an index depends on: names and stamps of the source files, and restr's format of the index."""
    known = [(str(path), stamp_of(path.stat())) for path in files if path.exists()]
    return json.dumps([FORMAT, known])


def open_index(
    places: Sequence[Path],
    key: str,
    entries: Callable[[], Iterable[Read]],
    usable: Callable[[Index], bool] = lambda _: True,
) -> Index:
    """The index of a dataset: the first current and usable one in ``places``, else a new one in the first writable
    place.

    If no place is writable, it becomes one of this process's temporary files. Raises ``DatasetError``.
    """
    for path in places:
        if is_current(path, key) and usable(index := Index(path)):
            return index
    path = next((path for path in places if _is_writable(path.parent)), None)
    return build_index(path or temporary_folder() / places[-1].name, entries(), key)


def index_paths(root: Path, name: str) -> list[Path]:
    """The places for the index of a dataset: its root, or the user's cache if the root is read-only."""
    whole = os.fsencode(root.absolute())
    local_name = f"{cut_to_bytes(root.absolute().name, 64)}-{hashlib.sha256(whole).hexdigest()[:16]}-{name}"
    return [root / FOLDER / _file_name(name), cache_folder() / _file_name(local_name)]


def index_name(form: str, root: Path, path: Path) -> str:
    """The index's name for a file or folder of a root; distinct even if two share their stem."""
    place = Path(os.path.relpath(path, root)).as_posix()
    return f"{form}-{Names().of(path.stem or form)}-{digest_of(place.encode('utf-8', 'surrogateescape'))[:8]}"


def cache_folder() -> Path:
    """The user's cache: everything in it can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restr"


@cache
def temporary_folder() -> Path:
    """This process's own; deleted when the process ends."""
    folder = tempfile.mkdtemp(prefix="restr-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _file_name(name: str) -> str:
    """An index's file name, shortened if file systems would refuse it."""
    content = name.encode("utf-8", "surrogateescape")
    if len(content) > LONGEST_NAME // 2:
        name = f"{cut_to_bytes(name, LONGEST_NAME // 2)}-{hashlib.sha256(content).hexdigest()[:16]}"
    return f"{name}.sqlite"


def _bytes(text: str) -> bytes:
    """A text for SQLite, which refuses unpaired surrogates; file names may contain them."""
    return text.encode("utf-8", "surrogatepass")


def _normal(content: bytes) -> bytes:
    return _bytes(normal(_text(content)))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
