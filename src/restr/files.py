"""Files that appear whole or not at all, written beside their place and then moved there; and what tells them apart."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A free path beside ``path`` to write to; it takes ``path``'s place when the block ends, and is gone if it fails.

    Nobody ever reads half a file, and a process that is stopped while it writes leaves the previous one as it was.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file's bytes, or its text as UTF-8, in one step."""
    with written_whole(path) as partial:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def hash_of_files(paths: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits that change with any byte of these files, and with their order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
