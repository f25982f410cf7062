"""Atomic writes, texts from any editor, and hashes of files."""

from __future__ import annotations

import codecs
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_NAME = 255  # bytes, on nearly every file system
_PART = 2**23  # bytes that are hashed at once: long enough for a thread to work beside one that imports modules
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A free path beside ``path`` to write to; it replaces ``path`` at the end of the block, or is removed on error.

    No reader ever sees half a file, and a process that is killed while it writes leaves the previous file unchanged.
    """
    partial = _beside(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # it may not even have been created
            partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file atomically: bytes, or text as UTF-8.

    Half a surrogate pair, which UTF-8 cannot encode, is written as ``\\udce9``: in JSON that still means the same.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(_encoded(content))


def write_if_free(path: Path, content: bytes | str) -> bool:
    """Write a file atomically unless its name is taken; returns whether it was free. Of several processes one wins."""
    partial = _beside(path)
    try:
        partial.write_bytes(_encoded(content))
        try:
            os.link(partial, path)  # unlike a rename, a link never replaces a file
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links: reserve the name with an empty file, then replace it
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                return False
            os.replace(partial, path)
        return True
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; line ends are kept.

    Raises ``OSError``, or a ``UnicodeError`` that names the likely encoding and the place.
    """
    return decode_text(path.read_bytes())


def read_lines(path: Path) -> list[str]:
    """The lines of ``read_text``; only "\\n" and "\\r\\n" end a line.

    ``str.splitlines`` would also cut at U+2028, U+0085 and other characters that may be part of a sentence.
    """
    return lines_of(read_text(path))


def lines_of(text: str) -> list[str]:
    """The lines of a text, as ``read_lines`` cuts them; the last one needs no line end."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def decode_text(content: bytes) -> str:
    """The text of a file's bytes. Raises ``UnicodeError`` as ``read_text`` does."""
    if content.startswith(_UTF16):
        raise UnicodeError("it is UTF-16, not UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnicodeError(
            f"byte 0x{content[error.start]:02x} in line {line} is not UTF-8 (Latin-1 or Windows-1252?); "
            "save it as UTF-8"
        ) from error


def cut_to_bytes(text: str, most: int) -> str:
    """The beginning of a text, in at most ``most`` bytes of UTF-8; no character is cut in two."""
    content = text.encode("utf-8", "surrogateescape")
    if len(content) <= most:
        return text
    while content[most] & 0xC0 == 0x80:  # inside a character
        most -= 1
    return content[:most].decode("utf-8", "surrogateescape")


def hash_of_files(paths: Iterable[Path]) -> str:
    """16 hexadecimal digits that depend on every byte of these files, and on their order."""
    digest = hashlib.sha256()
    for path in paths:
        each = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            part = memoryview(bytearray(min(_PART, os.fstat(file.fileno()).st_size + 1)))
            while length := file.readinto(part):
                each.update(part[:length])
        digest.update(each.digest())
    return digest.hexdigest()[:16]


def _beside(path: Path) -> Path:
    """A free name beside a path, short enough for file systems even if the name of the path is not."""
    ending = f".{secrets.token_hex(4)}.partial"
    return path.with_name(f".{cut_to_bytes(path.name, LONGEST_NAME - len(ending) - 1)}{ending}")


def _encoded(content: bytes | str) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
