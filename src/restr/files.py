"""Files that appear whole or not at all, texts that come from any editor; and what tells files apart."""

from __future__ import annotations

import codecs
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_NAME = 255  # bytes, on nearly every file system
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A free path beside ``path`` to write to; it takes ``path``'s place when the block ends, and is gone if it fails.

    Nobody ever reads half a file, and a process that is stopped while it writes leaves the previous one as it was.
    """
    partial = _beside(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # one that could not be made is not there to be removed
            partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file's bytes, or its text as UTF-8, in one step.

    Half a surrogate pair, which no UTF-8 can hold, is written as ``\\udce9``: in JSON that still means the same.
    """
    with written_whole(path) as partial:
        partial.write_bytes(_encoded(content))


def write_if_free(path: Path, content: bytes | str) -> bool:
    """Write a file in one step where nothing has the name yet; whether it was free. Of several processes one wins."""
    partial = _beside(path)
    try:
        partial.write_bytes(_encoded(content))
        try:
            os.link(partial, path)  # unlike a rename it never replaces anything
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links: hold the name with an empty file, then fill it in one step
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
    """A file's text, which is UTF-8 with or without a byte order mark; line ends stay as they are.

    Raises ``OSError``, and a ``UnicodeError`` that says which encoding the file seems to have and where.
    """
    return decoded(path.read_bytes())


def read_lines(path: Path) -> list[str]:
    """The lines of ``read_text``: one ends at "\\n" or "\\r\\n" alone.

    ``str.splitlines`` also cuts at U+2028, U+0085 and other characters that may stand inside a sentence.
    """
    return lines_of(read_text(path))


def lines_of(text: str) -> list[str]:
    """A text's lines, as ``read_lines`` cuts them; what follows the last line's end is a line if it is not empty."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def decoded(content: bytes) -> str:
    """The text of a file's bytes. Raises ``UnicodeError`` as ``read_text``."""
    if content.startswith(_UTF16):
        raise UnicodeError("it is UTF-16, not UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnicodeError(
            f"byte 0x{content[error.start]:02x} in line {line} is not UTF-8 (Latin-1 or Windows-1252?); save it as UTF-8"
        ) from error


def cut_to_bytes(text: str, most: int) -> str:
    """The beginning of a text that takes at most so many bytes of UTF-8; no character is cut in two."""
    content = text.encode("utf-8", "surrogateescape")
    if len(content) <= most:
        return text
    while content[most] & 0xC0 == 0x80:  # in the middle of a character
        most -= 1
    return content[:most].decode("utf-8", "surrogateescape")


def hash_of_files(paths: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits that change with any byte of these files, and with their order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _beside(path: Path) -> Path:
    """A free name beside a path, in a length that file systems take, however long the path's own name is."""
    ending = f".{secrets.token_hex(4)}.partial"
    return path.with_name(f".{cut_to_bytes(path.name, LONGEST_NAME - len(ending) - 1)}{ending}")


def _encoded(content: bytes | str) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
