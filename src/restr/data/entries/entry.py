"""The output of every reader: an expression, and where its image and its regions are stored; neither is opened."""

from __future__ import annotations

import json
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restr.errors import DatasetError
from restr.fields import as_int
from restr.files import read_text

_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One (region, expression) pair, in JSON's types."""

    id: str
    """Unique within its dataset and split."""
    image: str
    """The picture's path, relative to the dataset's root."""
    text: str
    """The expression."""
    regions: tuple[dict[str, Any], ...]
    """The regions that the expression means, in the forms of ``restr.data.entries.regions``; their union is the mask.
    Empty if it means nothing in the image."""
    size: tuple[int, int] | None = None
    """(H, W) of the image, if the files say it."""
    split: str = ""
    """The dataset's split, such as "val"; empty if it has none."""
    kind: str = "other"
    """As in ``Sample``."""
    image_id: str = ""
    """As in ``Sample``."""

    def region_json(self) -> str:
        """``regions`` as the index stores them."""
        return json.dumps(self.regions, separators=(",", ":"))


class JsonRecord:
    """A JSON object of a file, with typed access to its fields.

    A missing field or a wrong type is a ``DatasetError`` that names file and record, never a bare ``KeyError``.
    """

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, Mapping):
            raise DatasetError(f"{where} is {_short(values)}; expected an object with named fields")
        self.values, self.where = values, where

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, *names: str, default: str | None = None) -> str:
        """The first present field of ``names``, as text; numbers, such as ids, become text."""
        value = self._first(names, default)
        if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
            raise self.wrong(names[0], value, "text")
        return str(value)

    def integer(self, *names: str, default: int | None = None) -> int:
        """The first present field of ``names``, as a whole number; "640" and 640.0 are taken too."""
        value = self._first(names, default)
        number = _whole(value)
        if number is None:
            raise self.wrong(names[0], value, "a whole number")
        return number

    def items(self, *names: str, default: list | None = None) -> list[Any]:
        """The first present field of ``names``, as a list."""
        value = self._first(names, default)
        if not isinstance(value, (list, tuple)):
            raise self.wrong(names[0], value, "a list")
        return list(value)

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        found = self.items(name)
        for number, text in enumerate(found):
            if not isinstance(text, str):
                raise self.wrong(f"{name} {number}", text, "text")
        return found

    def records(self, *names: str) -> list[JsonRecord]:
        """A list of objects."""
        return [JsonRecord(each, f"{self.where}, {names[0]} {i}") for i, each in enumerate(self.items(*names))]

    def size(self) -> tuple[int, int] | None:
        """(height, width), or None if either is missing."""
        if "height" not in self or "width" not in self:
            return None
        height, width = self.integer("height"), self.integer("width")
        if not 0 < height < 1 << 16 or not 0 < width < 1 << 16:
            raise self.wrong("height, width", (height, width), "a picture's size")
        return height, width

    def wrong(self, name: str, value: Any, expected: str) -> DatasetError:
        """The error for a field with a wrong value."""
        return DatasetError(f"{self.where}: {name} is {_short(value)}; expected {expected}")

    def _first(self, names: tuple[str, ...], default: Any) -> Any:
        for name in names:
            if self.values.get(name) is not None:
                return self.values[name]
        if default is None:
            known = ", ".join(sorted(map(str, self.values))[:12])
            raise DatasetError(f"{self.where} has no {' or '.join(names)}; it has {known or 'nothing'}")
        return default


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises ``DatasetError`` naming the file if it is missing or damaged."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        raise DatasetError(f"there is no file {path}; restr data prepare says which files a dataset needs") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} is not readable JSON ({error}); it is damaged or something else: fetch it again"
        ) from error


def records_of(content: Any, path: Path) -> list[JsonRecord]:
    """A file's list of objects. Raises ``DatasetError``."""
    if not isinstance(content, (list, tuple)):
        raise DatasetError(f"{path} holds {_short(content)}; expected a list of records")
    return [JsonRecord(each, f"{path}, record {number}") for number, each in enumerate(content)]


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        number = float(value)
        return int(number) if number.is_integer() else None  # False for infinity and NaN
    return as_int(value)


def _short(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:60] + '...' if len(text) > 60 else text}"
