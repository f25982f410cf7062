"""What goes through a bulk run: records of the input, the pieces they are cut into, and rows of the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from restr.inference.result import Result


class BulkPiece(NamedTuple):
    """A run of records that lie beside each other in the input, and how to read them."""

    rows: int
    """How many rows they give."""
    file: int = 0
    """The number of the input's file that holds them."""
    start: int = 0
    """Where they begin: a byte, or a row of a parquet file."""
    stop: int = 0
    """Where they end."""
    record: int = 0
    """The number of the first record in its file, from 0."""
    names: tuple[str, ...] = ()
    """The pictures' names, if the input is a list of pictures; else empty."""
    error: str = ""
    """Why the rest of the file cannot be read; such a piece is one row."""


@dataclass(frozen=True, slots=True)
class BulkShard:
    """A fixed piece of the input, which gives exactly one part of the output."""

    index: int
    """The part's number."""

    first_row: int
    """The number of its first row in the whole output."""

    piece: BulkPiece
    """What to read."""


@dataclass(frozen=True, slots=True)
class BulkRecord:
    """A picture and its expressions, as the input has them: one row for each expression, at least one."""

    picture: str | bytes | None = field(repr=False)
    """Where the picture is, or the bytes of its file; None if there is none."""

    texts: Sequence[Any]
    """The expressions; what is not text becomes a row with an error."""

    image: str | None = None
    """The picture's name, as the output has it."""

    id: str | None = None
    """The record's own id."""

    error: str | None = None
    """Why the record cannot be used."""


@dataclass(slots=True)
class BulkRow:
    """A row of the output: the answer to one expression about one picture, or why there is none.

    Numbers are those of ``Result``, not rounded. Where there is an error, all of the answer is None.
    """

    row: int
    """The row's number in the whole output, from 0, in the input's order."""

    id: str | None
    """The record's own id, if it has one."""

    image: str | None
    """The picture's name; None for bytes without a name."""

    text: str | None
    """The expression."""

    found: bool | None = None
    """Whether the mask has any pixel."""

    presence: float | None = None
    """The probability that the picture shows what the text names; None from a model without a presence head."""

    score: float | None = None
    """The probability that the mask is right."""

    box: list[int] | None = None
    """The tightest box [x0, y0, x1, y1], x1 and y1 exclusive; None if nothing was found."""

    area: int | None = None
    """Pixels in the mask."""

    width: int | None = None
    """Of the picture, in pixels, upright."""

    height: int | None = None
    """Of the picture, in pixels, upright."""

    rle: dict[str, Any] | None = None
    """The mask as COCO's compressed run lengths: {"size": [H, W], "counts": str}."""

    error: str | None = None
    """The kind of the error, a colon, and what is wrong; None if all went well."""


def answer_of(result: Result) -> dict[str, Any]:
    """The fields of a row that a result fills."""
    height, width = (int(side) for side in result.mask.shape)
    return {
        "found": result.found,
        "presence": result.presence,
        "score": float(result.score),
        "box": None if result.box is None else list(result.box),
        "area": result.area,
        "width": width,
        "height": height,
        "rle": result.rle,
    }


def error_text(error: Exception) -> str:
    """An error as a row has it: kind and message, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def error_kind(text: str) -> str:
    """The kind of a row's error."""
    return text.partition(":")[0]


def texts_of(value: Any) -> list[Any]:
    """The expressions of an input's value: a text, or a list of them. Never empty, so that no record is lost."""
    if isinstance(value, (list, tuple)):
        return list(value) or [None]
    return [value]


def plain_text(value: str | None) -> str | None:
    """A text that can be written as UTF-8: half a surrogate pair, as file names may have it, becomes an escape."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
