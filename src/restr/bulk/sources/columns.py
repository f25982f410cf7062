"""Which columns of a table hold pictures, expressions and ids, and what their values mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restr.bulk.rows import BulkRecord, error_text, texts_of
from restr.errors import DataError, DatasetError
from restr.pictures.embedded import abbreviate

# The usual names; the first that a table has is taken.
_IMAGES = ("image", "image_path", "path", "file_name", "filename", "img", "img_name", "image_url", "url")
_TEXTS = (
    "text",
    "texts",
    "expression",
    "expressions",
    "sentence",
    "sentences",
    "sents",
    "prompt",
    "caption",
    "captions",
)
_IDS = ("id", "key", "uid")


@dataclass(frozen=True, kw_only=True)
class BulkColumns:
    """The names of a table's columns."""

    image: str = ""
    """The picture: a path, an address, a data: URI, or (parquet) the bytes of a file; "" looks for the usual names."""

    text: str = ""
    """The expression, or a list of them; "" looks for the usual names."""

    id: str = ""
    """An id that the output repeats; "" looks for the usual names, and there may be none."""

    def found_in(self, known: Sequence[str], where: str, *, fixed_texts: bool) -> BulkColumns:
        """The columns of a table that has the columns ``known``. Raises ``DatasetError`` if there are no such ones.

        fixed_texts: whether the table's own expressions are not wanted.
        """
        image = _choose(self.image, _IMAGES, known, where, "pictures", "--image-column")
        text = "" if fixed_texts else _choose(self.text, _TEXTS, known, where, "expressions", "--text-column")
        if self.id and self.id not in known:
            raise DatasetError(f"{where} has no column {self.id!r}; it has {', '.join(known[:20])}")
        return BulkColumns(image=image, text=text, id=self.id or next((each for each in _IDS if each in known), ""))

    def text_in(self, values: Mapping[str, Any]) -> Any:
        """The expressions in a sample's JSON, which may have none."""
        return values.get(self.text) if self.text else next((values[each] for each in _TEXTS if each in values), None)

    def record(self, values: Mapping[str, Any], texts: Sequence[str]) -> BulkRecord:
        """The record that a table's row means. texts: instead of its own, if there are any."""
        found = texts or texts_of(values.get(self.text))
        identity = values.get(self.id)
        known = str(identity) if isinstance(identity, (str, int)) and not isinstance(identity, bool) else None
        try:
            picture, name = _picture_of(values.get(self.image), self.image)
        except DataError as error:
            return BulkRecord(None, found, None, known, error_text(error))
        return BulkRecord(picture, found, name, known)


def _choose(given: str, usual: Sequence[str], known: Sequence[str], where: str, what: str, option: str) -> str:
    if given in known or (not given and any(each in known for each in usual)):
        return given or next(each for each in usual if each in known)
    expected = f"no column {given!r}" if given else f"no column that is called {', '.join(usual[:-1])} or {usual[-1]}"
    more = " (or --text for all pictures)" if option == "--text-column" else ""
    raise DatasetError(
        f"{where} has {expected}; it has {', '.join(known[:20]) or 'no columns'}: name the one of the {what} with {option}"
        f"{more}"
    )


def _picture_of(value: Any, column: str) -> tuple[str | bytes, str | None]:
    """(where the picture is, or its bytes; its name). A mapping is an image of Hugging Face's datasets."""
    if isinstance(value, Mapping):
        content, path = value.get("bytes"), value.get("path")
        name = path if isinstance(path, str) and path else None
        if isinstance(content, bytes) and content:
            return content, name
        value = name
    if isinstance(value, bytes) and value:
        return value, None
    if isinstance(value, str) and value:
        return value, abbreviate(value)
    got = repr(value)[:60]
    raise DataError(f"the column {column!r} is {got}; expected a path, an address, or the bytes of a picture")
