"""Fetches one file over the network or from a folder: resumed, verified, and written as a whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from restr.errors import DatasetError

_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without a byte
_SCHEMES = ("http", "https", "file")
_NO_VERSION = ""  # neither ETag nor date: a part is resumed only if a hash will verify it

FetchProgress = Callable[[str, int, int | None], None]  # what, bytes so far, of how many


class _Unavailable(Exception):
    """A mirror lacks the file or has a wrong one; the next mirror is tried."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """A mirror's answer."""

    stream: BinaryIO
    """The bytes."""

    offset: int
    """The position of its first byte in the file."""

    total: int | None
    """Bytes of the whole file, if known."""

    version: str
    """Changes when the file changes: an ETag or a date."""


def fetch(
    names: Sequence[str],
    target: Path,
    mirrors: Sequence[str],
    *,
    size: int | None = None,
    sha256: str = "",
    progress: FetchProgress | None = None,
) -> str:
    """Write ``target`` from the first mirror that has the file; returns its address.

    names: possible names of the file below a mirror. The bytes go to ``target`` with ".part" appended until size and
    SHA-256, if known, are verified. After a broken connection the part is kept, and the next call resumes it. Raises
    ``DatasetError`` with every mirror's answer.
    """
    addresses = [address_of(mirror, name) for mirror in mirrors for name in names]
    target.parent.mkdir(parents=True, exist_ok=True)
    answers = []
    for address in addresses:
        try:
            _fetch_from(address, target, size, sha256, progress)
            return address
        except _Unavailable as error:
            answers.append(f"\n  {address}: {error}")
    raise DatasetError(
        f"no mirror gave {target.name}:{''.join(answers)}\nname another mirror, or put the file at {target} yourself"
    )


def address_of(mirror: str, name: str) -> str:
    """The address of a file below a mirror: a base address, or a folder. Raises ``DatasetError`` for any other kind."""
    if "://" not in mirror:
        return (Path(mirror).absolute() / name).as_uri()
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in _SCHEMES or parts.query or parts.fragment:
        raise DatasetError(
            f"the mirror is {mirror!r}; expected a folder, or a base address that begins with http://, https:// or "
            "file:// and "
            "has neither ? nor #"
        )
    return f"{mirror.rstrip('/')}/{urllib.parse.quote(name, safe='/+()')}"


def mismatch(path: Path, size: int | None, sha256: str) -> str | None:
    """How a file differs from the known size and hash, or None."""
    there = path.stat().st_size
    if size is not None and there != size:
        return f"of {there:,} bytes; expected {size:,}"
    if sha256:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            return f"of SHA-256 {found}; expected {sha256}"
    return None


def check_space(folder: Path, size: int) -> None:
    """Raises ``DatasetError`` if the disk has less than ``size`` free bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DatasetError(
            f"{folder} has room for {free / 1e9:,.1f} GB; {size / 1e9:,.1f} GB are needed: make room, or choose "
            "another --root"
        )


def _fetch_from(address: str, target: Path, size: int | None, sha256: str, progress: FetchProgress | None) -> None:
    part, version = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.from")
    while True:
        resumed = _receive(address, part, version, size, sha256, progress)
        problem = mismatch(part, size, sha256)
        if problem is None:
            os.replace(part, target)
            version.unlink(missing_ok=True)
            return
        part.unlink()
        version.unlink(missing_ok=True)
        if not resumed:
            raise _Unavailable(f"what it sent is {problem}; it is not kept")
        # the part was of another file: fetch again from the start


def _receive(
    address: str, part: Path, version: Path, size: int | None, sha256: str, progress: FetchProgress | None
) -> bool:
    """Complete ``part``; returns whether an earlier part was resumed."""
    earlier = version.read_text(encoding="utf-8") if version.is_file() else _NO_VERSION
    start = part.stat().st_size if part.is_file() and (earlier or sha256) else 0
    if size is not None and start >= size:
        return True
    with _open(address, start, earlier) as answer:
        if size is not None and answer.total not in (None, size):
            raise _Unavailable(f"it is of {answer.total:,} bytes; expected {size:,}")
        if answer.total is not None:
            check_space(part.parent, answer.total - answer.offset)
        version.write_text(answer.version, encoding="utf-8")
        done = answer.offset
        with open(part, "r+b" if done else "wb") as file:
            file.seek(done)
            file.truncate()
            while block := _read(answer.stream):
                done += len(block)
                if answer.total is not None and done > answer.total:
                    raise _Unavailable(f"it sends more than the {answer.total:,} bytes that it announced")
                file.write(block)
                if progress:
                    progress(part.name.removesuffix(".part"), done, answer.total)
    if answer.total is not None and done < answer.total:
        raise _Unavailable(
            f"it broke off after {done:,} of {answer.total:,} bytes; they are kept, and the next run resumes from there"
        )
    return bool(answer.offset)


def _read(stream: BinaryIO) -> bytes:
    """The next block; empty if the connection breaks, which the byte count then shows."""
    try:
        return stream.read(_BLOCK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException):
        return b""


@contextmanager
def _open(address: str, start: int, version: str) -> Iterator[_Answer]:
    """A file from ``start``, or from its beginning if it has changed or the server sends only whole files."""
    try:
        if address.startswith("file:"):
            path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
            with open(path, "rb") as file:
                facts = os.fstat(file.fileno())
                now = f"{facts.st_size} {facts.st_mtime_ns}"
                offset = start if start <= facts.st_size and version in (_NO_VERSION, now) else 0
                file.seek(offset)
                yield _Answer(stream=file, offset=offset, total=facts.st_size, version=now)
            return
        with _request(address, start, version) as response:
            yield _parse_response(response, start)
    except urllib.error.HTTPError as error:
        raise _Unavailable(f"the server says {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Unavailable(str(error) or type(error).__name__) from error


def _request(address: str, start: int, version: str) -> http.client.HTTPResponse:
    """The response to a request for the rest; for the whole file if the server refuses the range."""
    headers = {"User-Agent": "restr", "Accept-Encoding": "identity"}
    rest = {"Range": f"bytes={start}-", **({"If-Range": version} if version else {})} if start else {}
    try:
        return _make_opener().open(urllib.request.Request(address, headers=headers | rest), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        return _make_opener().open(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT)


def _parse_response(response: http.client.HTTPResponse, start: int) -> _Answer:
    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdecimal() else None
    tag = response.headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if response.headers.get_content_type() == "text/html":
        raise _Unavailable("it answers with a web page, not with the file")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return _Answer(stream=response, offset=0, total=total, version=version)
    span, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    if span.partition("-")[0] != str(start):
        raise _Unavailable(f"it was asked for the bytes from {start:,} on and sends {span or 'others'}")
    return _Answer(stream=response, offset=start, total=int(whole) if whole.isdecimal() else None, version=version)


def _make_opener() -> urllib.request.OpenerDirector:
    """An opener for HTTP and HTTPS that follows redirects to nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
