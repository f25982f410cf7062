"""The bytes of a picture, from wherever a row says that it is."""

from __future__ import annotations

import os

from restr.errors import ImageError, MissingFileError, UnreachableError
from restr.formats.shards.address import is_remote, redact
from restr.formats.shards.storage import system_of, with_retries
from restr.pictures.embedded import abbreviate, decode_embedded

_WEB = ("http://", "https://")


def fetch_picture(address: str, base: str) -> bytes:
    """The bytes of the file at a path or an address, or inside a ``data:`` URI or base64.

    base: what a relative path is relative to.
    The message of an error does not depend on the machine. Raises ``ImageError`` if there is no such picture, also for
    an address of the web that does not answer; ``UnreachableError`` if a storage does not, as all pictures wait for it.
    """
    content = decode_embedded(address)
    if content is not None:
        return _filled(content, abbreviate(address))
    place = address if is_remote(address) or os.path.isabs(address) else _joined(base, address)
    name = redact(address)
    if not is_remote(place):
        return _filled(_read_file(place, name), name)

    def fetch() -> bytes:
        system, path = system_of(place)
        return system.cat_file(path)

    try:
        return _filled(with_retries(fetch, place, name), name)
    except MissingFileError as error:
        raise ImageError(f"there is no file {name}") from error
    except UnreachableError as error:
        if place.startswith(_WEB):
            raise ImageError(str(error)) from error
        raise


def _joined(base: str, name: str) -> str:
    """A name below a folder or an address."""
    return f"{base.rstrip('/')}/{name}" if is_remote(base) else os.path.join(base, name)


def _read_file(place: str, name: str) -> bytes:
    try:
        with open(place, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name} is a folder; expected a picture") from error
    except (OSError, ValueError) as error:  # no permission, or an invalid file name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ImageError(f"{name} cannot be read: {reason}") from error


def _filled(content: bytes, name: str) -> bytes:
    if not content:
        raise ImageError(f"{name} has 0 bytes; expected the content of a picture")
    return content
