"""One file over the network or from a folder: taken up where it broke off, verified, there whole or not at all."""

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
TIMEOUT = 60  # seconds without a byte
SCHEMES = ("http", "https", "file")
RESUME_WITHOUT_PROOF = ""  # no ETag and no date: a part is only taken up where a hash will tell

FetchProgress = Callable[[str, int, int | None], None]  # what, how far, of how much


class Unavailable(Exception):
    """A mirror does not have the file, or not the right one; another may."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What a mirror sends. offset: of the first byte. total: bytes of the whole file. proof: changes when the file does."""

    stream: BinaryIO
    offset: int
    total: int | None
    proof: str


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

    names: what it may be called below a mirror. What arrives lies in ``target`` with ".part" behind its name until it is whole
    and of the right size and SHA-256, as far as they are known; a part stays when the connection breaks, and the next call goes
    on from there. Raises ``DatasetError`` with what each mirror answered.
    """
    addresses = [address_of(mirror, name) for mirror in mirrors for name in names]
    target.parent.mkdir(parents=True, exist_ok=True)
    answers = []
    for address in addresses:
        try:
            _fetch_from(address, target, size, sha256, progress)
            return address
        except Unavailable as error:
            answers.append(f"\n  {address}: {error}")
    raise DatasetError(
        f"no mirror gave {target.name}:{''.join(answers)}\nname another mirror, or put the file at {target} yourself"
    )


def address_of(mirror: str, name: str) -> str:
    """The address of a file below a mirror: a base address, or a folder. Raises ``DatasetError`` for any other kind."""
    if "://" not in mirror:
        return (Path(mirror).absolute() / name).as_uri()
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in SCHEMES or parts.query or parts.fragment:
        raise DatasetError(
            f"the mirror is {mirror!r}; expected a folder, or a base address that begins with http://, https:// or file:// and "
            "has neither ? nor #"
        )
    return f"{mirror.rstrip('/')}/{urllib.parse.quote(name, safe='/+()')}"


def mismatch(path: Path, size: int | None, sha256: str) -> str | None:
    """How a file differs from what is known of it, or None."""
    there = path.stat().st_size
    if size is not None and there != size:
        return f"of {there:,} bytes; expected {size:,}"
    if sha256:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            return f"of SHA-256 {found}; expected {sha256}"
    return None


def need_room(folder: Path, size: int) -> None:
    """Raises ``DatasetError`` where a disk has less room than that."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DatasetError(
            f"{folder} has room for {free / 1e9:,.1f} GB; {size / 1e9:,.1f} GB are needed: make room, or choose another --root"
        )


def _fetch_from(address: str, target: Path, size: int | None, sha256: str, progress: FetchProgress | None) -> None:
    part, proof = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.from")
    while True:
        resumed = _receive(address, part, proof, size, sha256, progress)
        problem = mismatch(part, size, sha256)
        if problem is None:
            os.replace(part, target)
            proof.unlink(missing_ok=True)
            return
        part.unlink()
        proof.unlink(missing_ok=True)
        if not resumed:
            raise Unavailable(f"what it sent is {problem}; it is not kept")
        # the part was of another file: once more, from the start


def _receive(
    address: str, part: Path, proof: Path, size: int | None, sha256: str, progress: FetchProgress | None
) -> bool:
    """Complete ``part``; returns whether an earlier one was taken up."""
    earlier = proof.read_text(encoding="utf-8") if proof.is_file() else RESUME_WITHOUT_PROOF
    start = part.stat().st_size if part.is_file() and (earlier or sha256) else 0
    if size is not None and start >= size:
        return True
    with _opened(address, start, earlier) as answer:
        if size is not None and answer.total not in (None, size):
            raise Unavailable(f"it is of {answer.total:,} bytes; expected {size:,}")
        if answer.total is not None:
            need_room(part.parent, answer.total - answer.offset)
        proof.write_text(answer.proof, encoding="utf-8")
        done = answer.offset
        with open(part, "r+b" if done else "wb") as file:
            file.seek(done)
            file.truncate()
            while block := _read(answer.stream):
                done += len(block)
                if answer.total is not None and done > answer.total:
                    raise Unavailable(f"it sends more than the {answer.total:,} bytes that it announced")
                file.write(block)
                if progress:
                    progress(part.name.removesuffix(".part"), done, answer.total)
    if answer.total is not None and done < answer.total:
        raise Unavailable(
            f"it broke off after {done:,} of {answer.total:,} bytes; they are kept, and the next run goes on from there"
        )
    return bool(answer.offset)


def _read(stream: BinaryIO) -> bytes:
    """The next block; nothing where the connection breaks, which the count of bytes will tell."""
    try:
        return stream.read(_BLOCK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException):
        return b""


@contextmanager
def _opened(address: str, start: int, proof: str) -> Iterator[_Answer]:
    """A file from ``start`` on, or from its beginning where it has changed or the server sends nothing but whole files."""
    try:
        if address.startswith("file:"):
            path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
            with open(path, "rb") as file:
                facts = os.fstat(file.fileno())
                now = f"{facts.st_size} {facts.st_mtime_ns}"
                offset = start if start <= facts.st_size and proof in (RESUME_WITHOUT_PROOF, now) else 0
                file.seek(offset)
                yield _Answer(stream=file, offset=offset, total=facts.st_size, proof=now)
            return
        with _asked(address, start, proof) as response:
            yield _answer(response, start)
    except urllib.error.HTTPError as error:
        raise Unavailable(f"the server says {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(str(error) or type(error).__name__) from error


def _asked(address: str, start: int, proof: str) -> http.client.HTTPResponse:
    """The response to a request for the rest; for all of it where the server knows no such rest."""
    headers = {"User-Agent": "restr", "Accept-Encoding": "identity"}
    rest = {"Range": f"bytes={start}-", **({"If-Range": proof} if proof else {})} if start else {}
    try:
        return _opener().open(urllib.request.Request(address, headers=headers | rest), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        return _opener().open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)


def _answer(response: http.client.HTTPResponse, start: int) -> _Answer:
    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdecimal() else None
    tag = response.headers.get("ETag", "")
    proof = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if response.headers.get_content_type() == "text/html":
        raise Unavailable("it answers with a web page, not with the file")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return _Answer(stream=response, offset=0, total=total, proof=proof)
    span, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    if span.partition("-")[0] != str(start):
        raise Unavailable(f"it was asked for the bytes from {start:,} on and sends {span or 'others'}")
    return _Answer(stream=response, offset=start, total=int(whole) if whole.isdecimal() else None, proof=proof)


def _opener() -> urllib.request.OpenerDirector:
    """One that speaks HTTP and HTTPS and is redirected to nothing else."""
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
