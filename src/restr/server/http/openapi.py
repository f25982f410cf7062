"""The OpenAPI description. Adds what FastAPI cannot know: the bodies that routes read themselves, and the problems."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from restr.server.http.bodies import FORM, JSON, NDJSON
from restr.server.problems import MEDIA_TYPE, PREFIX, PROBLEMS
from restr.server.schemas import ImageFields, ImageUpload, ProblemDocument, Question, SegmentFields, SegmentUpload

DESCRIPTION = (
    "Name something in a photograph, get its pixels. Send an image and expressions to /v1/segment; or keep the image with "
    "/v1/images and ask about it as often as you like, which spares its encoding. Errors are RFC 9457 problems, whose "
    f"type is `{PREFIX}` and a name: "
    + ", ".join(f"`{name}` ({status})" for name, (status, _) in PROBLEMS.items())
    + "."
)
EXAMPLE = {
    "type": PREFIX + "invalid-request",
    "title": PROBLEMS["invalid-request"][1],
    "status": 422,
    "detail": "the body does not fit: threshold: Input should be less than 1",
}
_PNG = {"schema": {"type": "string", "format": "binary"}}


def question_body() -> dict[str, Any]:
    """The body of ``/v1/images/{id}/segment``."""
    return _body({JSON: {"schema": _schema(Question)}})


def image_body() -> dict[str, Any]:
    """The body of ``/v1/images``."""
    return _body(
        {
            FORM: {"schema": _with_file(ImageFields)},
            JSON: {"schema": _schema(ImageUpload)},
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        }
    )


def segment_body() -> dict[str, Any]:
    """The body of ``/v1/segment``."""
    return _body({FORM: {"schema": _with_file(SegmentFields)}, JSON: {"schema": _schema(SegmentUpload)}})


def batch_body() -> dict[str, Any]:
    """The body of ``/v1/batch``."""
    example = '{"image": "iVBORw0KGgo...", "texts": ["the left dog"]}\n'
    return _body({NDJSON: {"schema": {"type": "string", "examples": [example]}}})


def png_answer() -> dict[int | str, dict[str, Any]]:
    """The answer to a request for ``image/png``."""
    return {200: {"description": "What was found; with Accept: image/png one picture.", "content": {"image/png": _PNG}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document at ``/openapi.json``, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(title="restr", version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["ProblemDocument"] = _schema(ProblemDocument)
    found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    problem = {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "example": EXAMPLE}},
    }
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= {"4XX": problem, "5XX": problem}
            if path.startswith("/v1/"):
                operation["security"] = [{}, {"key": []}]
    app.openapi_schema = found
    return found


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _with_file(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a form: the document's members and the file."""
    schema = _schema(model)
    schema["properties"] = {"image": {"type": "string", "format": "binary"}} | schema["properties"]
    schema["required"] = ["image"]
    schema.pop("examples", None)
    return schema
