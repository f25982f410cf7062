"""The bodies of requests: JSON documents, forms and plain image files, each within its bounds."""

from __future__ import annotations

import asyncio
import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from restr.server.http.forms import parse_form
from restr.server.intake.decode import BASE64_OVERHEAD, from_base64, read_body
from restr.server.intake.fetch import Fetcher
from restr.server.problems import Problem, quoted
from restr.server.schemas import (
    ImageDocument,
    ImageFields,
    ImageUpload,
    Question,
    SegmentFields,
    SegmentUpload,
    invalid,
)
from restr.server.settings import ServerSettings

_M = TypeVar("_M", bound=BaseModel)

NO_STORE = {"Cache-Control": "no-store"}
JSON, FORM, NDJSON = "application/json", "multipart/form-data", "application/x-ndjson"
RAW = ("image/jpeg", "image/jpg", "image/png", "image/webp", "image/gif", "image/bmp", "image/*")
QUESTION_BYTES = 2**18  # of a body without an image: room for dozens of expressions
# Fields of a form that may be repeated, and their names in JSON.
_LISTS = {"text": "texts", "texts": "texts", "formats": "formats"}


async def read_question(request: Request, settings: ServerSettings) -> Question:
    """A question about a kept image. Raises ``Problem``."""
    content_type(request, JSON)
    body = await read_body(request, most=QUESTION_BYTES, seconds=settings.body_s)
    return _document(Question, body)


async def read_image_upload(request: Request, settings: ServerSettings, fetcher: Fetcher) -> tuple[bytes, str | None]:
    """(image file, model's name or None) of an image to keep. Raises ``Problem``."""
    kind = content_type(request, FORM, JSON, *RAW)
    if kind in RAW:
        data = await read_body(request, most=settings.image_bytes, seconds=settings.body_s)
        return data, request.query_params.get("model")
    body = await _read(request, kind, settings)
    if kind == JSON:
        upload = await asyncio.to_thread(_document, ImageUpload, body)
        return await image_of(upload, fetcher), upload.model
    data, fields = await asyncio.to_thread(_form, request, body, ImageFields)
    return data, fields.model


async def read_segment_upload(
    request: Request, settings: ServerSettings, fetcher: Fetcher
) -> tuple[bytes, SegmentFields]:
    """(image file, question). Raises ``Problem``."""
    kind = content_type(request, FORM, JSON)
    body = await _read(request, kind, settings)
    if kind == JSON:
        upload = await asyncio.to_thread(_document, SegmentUpload, body)
        return await image_of(upload, fetcher), upload
    return await asyncio.to_thread(_form, request, body, SegmentFields)


async def read_batch(request: Request, settings: ServerSettings) -> list[bytes]:
    """The lines of a batch, not parsed yet. Raises ``Problem``."""
    content_type(request, NDJSON, "application/ndjson", "application/jsonl")
    body = await read_body(request, most=settings.batch_bytes, seconds=settings.body_s)
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise Problem("invalid-request", 'the batch has no line; send {"image": BASE64, "texts": [...]} on each')
    if len(lines) > settings.batch_lines:
        raise Problem(
            "body-too-large",
            f"the batch has {len(lines)} lines; at most {settings.batch_lines} are taken: send several",
        )
    return lines


async def read_line(line: bytes, fetcher: Fetcher) -> tuple[bytes, SegmentUpload]:
    """(image file, question) of a line of a batch. Raises ``Problem``."""
    upload = await asyncio.to_thread(_document, SegmentUpload, line, "the line")
    return await image_of(upload, fetcher), upload


async def image_of(upload: ImageDocument, fetcher: Fetcher) -> bytes:
    """The image file that a document holds, or whose address it gives. Raises ``Problem``."""
    if upload.image is None:
        return await fetcher.get(upload.image_url or "")
    return await asyncio.to_thread(from_base64, upload.image, most=fetcher.most)


def _document(model: type[_M], body: bytes, where: str = "the body") -> _M:
    """A JSON document. Raises ``Problem``."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error, where) from error


def content_type(request: Request, *taken: str) -> str:
    """The body's media type, one of ``taken``. Raises ``Problem``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in taken:
        raise Problem(
            "unsupported-media-type",
            f"the content type is {quoted(kind) if kind else 'missing'}; send {', '.join(taken)}",
            headers={"Accept": ", ".join(taken)},
        )
    return kind


async def _read(request: Request, kind: str, settings: ServerSettings) -> bytes:
    """A body with an image, plain or in base64, and little else."""
    image = settings.image_bytes if kind == FORM else settings.image_bytes * 4 // 3
    return await read_body(request, most=image + BASE64_OVERHEAD + QUESTION_BYTES, seconds=settings.body_s)


def _form(request: Request, body: bytes, model: type[_M]) -> tuple[bytes, _M]:
    """The file in the field ``image``, and the other fields as a document."""
    image: bytes | None = None
    fields: dict[str, object] = {}
    lists: dict[str, list[str]] = {}
    for part in parse_form(request.headers["content-type"], body):
        if part.name == "image":
            if image is not None:
                raise Problem("invalid-request", "image: there are several; send one image a request")
            image = bytes(part.value)
        elif part.is_file:
            raise Problem("invalid-request", f"the field {quoted(part.name)} is a file; only 'image' may be one")
        elif part.name in _LISTS:
            value = part.text()
            values = [each.strip() for each in value.split(",")] if part.name == "formats" else [value]
            lists.setdefault(_LISTS[part.name], []).extend(values)
        elif part.name in fields:
            raise Problem("invalid-request", f"the field {quoted(part.name)} comes twice; send it once")
        else:
            fields[part.name] = part.text()
    if image is None:
        raise Problem(
            "invalid-request", "image: the field is missing; send the file, as curl -F image=@photo.jpg does",
            errors=[{"field": "image", "message": "missing"}],
        )  # fmt: skip
    try:
        return image, model.model_validate(fields | lists)
    except ValidationError as error:
        raise invalid(error, "the form") from error


def wants_png(accept: str) -> bool:
    """Whether an Accept header asks for a picture rather than a document."""
    kinds = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    return "image/png" in kinds and JSON not in kinds


def json_line(value: object) -> bytes:
    """A document as a line of NDJSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
