"""Bytes of shards: from files, or from any address that fsspec knows, with a bounded number of tries."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from restr.data.entries.identity import stamp_of
from restr.errors import DatasetError, MissingFileError, UnreachableError
from restr.formats.shards.address import ENDINGS, expand_braces, file_name_of, is_remote, redact

_logger = logging.getLogger("restr")

TRIES = 4
PAUSE = 0.5  # seconds before the second try; doubles before each further one
_AT_ONCE = 16  # requests for the sizes of shards
AHEAD = 4 << 20  # bytes; reading a gap of this size is cheaper than a second request
_TAGS = (  # names, in fsspec's backends, of a value that changes with the content; the most reliable first
    "ETag", "etag", "md5Hash", "Content-MD5", "mtime", "LastModified", "last_modified", "Last-Modified",
    "updated", "created",
)  # fmt: skip

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of samples."""

    url: str
    """A path, or an address for fsspec."""

    size: int
    """Bytes."""

    tag: str
    """Changes with the content."""

    @property
    def name(self) -> str:
        """The file's name."""
        return file_name_of(self.url)

    @property
    def display_name(self) -> str:
        """The address without secrets, for messages."""
        return redact(self.url)


def shards_of(pattern: str, root: Path) -> list[Shard]:
    """The shards of a pattern: a path, relative to ``root``, or an address, with globs and braces.

    A folder means every .tar in it or, if there is none, every .parquet. Raises ``DatasetError`` for no shards or other
    files.
    """
    urls = [url for each in expand_braces(pattern) for url in _files_of(each, root)]
    for url in urls:
        if not file_name_of(url).endswith(ENDINGS):
            raise DatasetError(
                f"the shard {redact(url)} ends in neither {' nor '.join(ENDINGS)}; of a compressed archive no part "
                "can be read "
                "alone: unpack it to a plain .tar"
            )
    if len({Path(file_name_of(url)).suffix for url in urls}) > 1:
        raise DatasetError(f"{redact(pattern)} means .tar and .parquet files; name one kind")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(look_up, urls))


def read_range(shard: Shard, start: int, stop: int) -> bytes:
    """The bytes from ``start`` to before ``stop``. Raises ``DatasetError`` naming the shard, ``UnreachableError`` for a
    remote one."""
    what = f"{shard.display_name}, bytes {start:,} to {stop:,}"
    if is_remote(shard.url):
        return with_retries(lambda: _fetch(shard, start, stop), shard.url, what)
    try:
        with open(shard.url, "rb", buffering=0) as file:
            file.seek(start)
            content = file.read(stop - start)
    except OSError as error:
        raise DatasetError(f"{what} cannot be read ({error}); is the dataset complete?") from error
    if len(content) != stop - start:
        raise DatasetError(f"{what}: only {len(content):,} are there; the shard is cut off: copy it again")
    return content


class ShardFile(io.RawIOBase):
    """A shard as a seekable file that holds nothing open: each read is a request.

    ahead: the least bytes of a request to a remote shard; the last answer is kept for the next read. (Local requests
    are cheap and therefore small.) most: the most bytes of one read, so that a damaged header cannot allocate all
    memory; more is an ``OSError``.
    """

    def __init__(self, shard: Shard, ahead: int = 0, most: int | None = None) -> None:
        self.most = most
        self.shard, self.ahead = shard, ahead if is_remote(shard.url) else 1 << 16
        self.place, self.first, self.kept = 0, 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.shard.size}[whence]
        return self.place

    def read(self, size: int = -1, /) -> bytes:
        left = max(self.shard.size - self.place, 0)
        size = left if size is None or size < 0 else min(size, left)
        if self.most is not None and size > self.most:
            raise OSError(f"{size:,} bytes of it are said to be one header")
        return super().read(size) or b""

    def readinto(self, buffer: Any, /) -> int:
        stop = min(self.place + len(buffer), self.shard.size)
        done = 0
        while self.place < stop:
            skip = self.place - self.first
            if not 0 <= skip < len(self.kept):
                last = min(max(stop, self.place + self.ahead), self.shard.size)
                self.first, self.kept, skip = self.place, read_range(self.shard, self.place, last), 0
            part = self.kept[skip : skip + stop - self.place]
            buffer[done : done + len(part)] = part
            done, self.place = done + len(part), self.place + len(part)
        return done


def _files_of(url: str, root: Path) -> list[str]:
    """The files of a path or an address without braces, sorted by name."""
    if not is_remote(url):
        path = root / url
        if path.is_dir():
            found = sorted(path.glob("*.tar")) or sorted(path.glob("*.parquet"))
        elif not path.is_file() and any(mark in url for mark in "*?["):
            anchor = Path(url).anchor
            found = sorted((Path(anchor) if anchor else root).glob(url[len(anchor) :]))
        else:
            found = [path]
        if not found:
            raise DatasetError(f"there is no shard {path}; expected .tar or .parquet files there")
        return [str(each) for each in found]
    address = url.partition("?")[0]
    if "*" not in address and "[" not in address and not address.endswith("/"):
        return [url]

    def listed() -> list[str]:
        system, path = system_of(url)
        patterns = [f"{path.rstrip('/')}/*{ending}" for ending in ENDINGS] if address.endswith("/") else [path]
        found = next(filter(None, (system.glob(pattern) for pattern in patterns)), [])
        return sorted(str(system.unstrip_protocol(each)) for each in found)

    found = with_retries(listed, url, redact(url))
    if not found:
        raise DatasetError(
            f"there is no shard {redact(url)}; not every address can be listed: name a range, {{000..012}}"
        )
    return found


def look_up(url: str) -> Shard:
    """A file of any kind by its path or address, with its size. Raises ``DatasetError``."""
    if not is_remote(url):
        try:
            facts = Path(url).stat()
        except OSError as error:
            raise DatasetError(f"there is no shard {url} ({error.strerror}); is the dataset complete?") from error
        return Shard(url, facts.st_size, stamp_of(facts))

    def info() -> dict[str, Any]:
        system, path = system_of(url)
        return system.info(path)

    facts = with_retries(info, url, redact(url))
    if not isinstance(facts.get("size"), int):
        raise DatasetError(
            f"the size of {redact(url)} is not told; expected a server that sends Content-Length: serve it by "
            "another one"
        )
    return Shard(url, facts["size"], next((str(facts[tag]) for tag in _TAGS if facts.get(tag) is not None), ""))


def _fetch(shard: Shard, start: int, stop: int) -> bytes:
    system, path = system_of(shard.url)
    content = system.cat_file(path, start=start, end=stop)
    if len(content) > stop - start:
        raise UnreachableError(
            f"{shard.display_name}: {len(content):,} bytes came where {stop - start:,} were asked for; expected a server that "
            "answers "
            "Range requests: serve the shards by another one, or copy them here"
        )
    if len(content) < stop - start:
        raise OSError(
            f"only {len(content):,} of {stop - start:,} bytes came; is the shard cut off, or changed since it was "
            "opened?"
        )
    return content


def system_of(url: str) -> tuple[Any, str]:
    """The file system of an address and the path there; fsspec keeps one for each process and kind."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise DatasetError(f"{redact(url)} needs fsspec; run: pip install 'restr[stream]'") from error
    try:
        return url_to_fs(url)
    except ImportError as error:
        raise DatasetError(f"{redact(url)} needs another package: {error}; install it with pip") from error
    except ValueError as error:
        raise DatasetError(f"{redact(url)} is not an address that fsspec knows ({error})") from error


def with_retries(act: Callable[[], _Answer], url: str, what: str) -> _Answer:
    """The result of ``act``, retried after a pause if the network may be the cause.

    Raises ``UnreachableError``, of a missing file ``MissingFileError``.
    """
    for number in range(1, TRIES + 1):
        try:
            return act()
        except DatasetError:
            raise
        except Exception as error:  # each of fsspec's backends has its own kinds of errors
            reason, final = _reason(error)
            missing = isinstance(reason, FileNotFoundError) or getattr(reason, "status", None) in (404, 410)
            text = "there is no such file" if missing else _without_secrets(reason, url)
            if final or number == TRIES:
                tries = "" if final else f" after {TRIES} tries"
                raise (MissingFileError if missing else UnreachableError)(
                    f"{what} cannot be read{tries} ({text}); check address, network and credentials, then run it again "
                    "(training: with --resume)"
                ) from None  # the cause shows the whole address
            _logger.warning("%s: %s; trying again", what, text)
            time.sleep(PAUSE * 2 ** (number - 1))
    raise AssertionError("unreachable")


def _without_secrets(error: BaseException, url: str) -> str:
    """An error's text without an address's query, however the backend writes it."""
    text = str(error).replace(url, redact(url)) or type(error).__name__
    return re.sub(r"\?[^\s'\"]*", "?...", text) if "?" in url else text


def _reason(error: Exception) -> tuple[BaseException, bool]:
    """The actual error, and whether retrying is useless. fsspec reports every failure over HTTP as a missing file."""
    cause = error.__cause__
    truly = isinstance(cause, (FileNotFoundError, KeyError)) or type(cause).__module__.startswith("botocore")
    if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and not truly:
        error = cause
    status = getattr(error, "status", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in (408, 429)
    return error, refused or isinstance(error, (FileNotFoundError, PermissionError, NotImplementedError))
