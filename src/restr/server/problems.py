"""Every way in which a request can fail, as RFC 9457 problem documents.

``type`` is for programs: it is stable and starts with ``PREFIX``. ``detail`` is for people and may change.
"""

from __future__ import annotations

import http
import json
import math
from collections.abc import Mapping
from typing import Any

PREFIX = "urn:restr:problem:"
MEDIA_TYPE = "application/problem+json"

# name -> (status, title)
PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed-body": (400, "The body is not what its content type says"),
    "malformed-http": (400, "The request is not HTTP"),
    "not-authorized": (401, "An API key is needed"),
    "cross-site": (403, "Other web sites may not use this server"),
    "fetching-off": (403, "This server does not fetch images"),
    "not-found": (404, "There is nothing at this path"),
    "unknown-image": (404, "No such image is kept"),
    "unknown-model": (404, "No model has this name"),
    "method-not-allowed": (405, "This path does not take this method"),
    "too-slow": (408, "The request took too long to arrive"),
    "stream-idle": (408, "The viewer of a live stream was silent"),
    "body-too-large": (413, "The body is too large"),
    "image-too-large": (413, "The image has too many pixels"),
    "too-much-at-once": (413, "The masks asked for are too many for an image of this size"),
    "unsupported-media-type": (415, "The body's content type is not taken here"),
    "not-an-image": (415, "The data is not an image of a kind that is taken"),
    "wrong-host": (421, "This server does not go by the name asked for"),
    "invalid-request": (422, "The request does not say what is needed"),
    "address-refused": (422, "The image's address may not be fetched"),
    "fetch-failed": (422, "The image could not be fetched"),
    "image-damaged": (422, "The image cannot be decoded"),
    "more-than-an-image": (422, "The file is an image and something else as well"),
    "queue-full": (429, "Too much work is waiting"),
    "rate-limited": (429, "Too many requests from you"),
    "headers-too-large": (431, "The request's headers are too large"),
    "client-gone": (499, "The client left before its answer"),
    "internal-error": (500, "The server failed; the request may be fine"),
    "starting": (503, "The models are still loading"),
    "draining": (503, "The server is going down"),
    "overloaded": (503, "There is no room for more"),
    "too-many-streams": (503, "There are as many live streams as are taken"),
    "camera-failed": (503, "The machine's camera gives no picture"),
    "model-failed": (503, "The model could not be loaded"),
    "deadline-exceeded": (504, "The answer was not ready in time"),
}


class Problem(Exception):
    """An error that is the answer to a request.

    name: one of ``PROBLEMS``. detail: the value, the expectation and the next step. retry_after: seconds after which the
    same request may succeed. extra: further members of the document.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.name, self.detail, self.extra = name, detail, extra
        self.status, self.title = PROBLEMS[name]
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    def document(self) -> dict[str, Any]:
        """The members of the problem document."""
        standard = {"type": PREFIX + self.name, "title": self.title, "status": self.status, "detail": self.detail}
        return standard | self.extra

    def body(self) -> bytes:
        """The document as UTF-8 JSON."""
        return json.dumps(self.document(), ensure_ascii=False).encode("utf-8", "replace")

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """ASGI headers of the answer with ``body``."""
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(self.body())), "cache-control": "no-store"}
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers | self.headers).items()]


def quoted(value: str, longest: int = 80) -> str:
    """A client's own text as a message may repeat it: quoted, escaped and cut to ``longest`` characters."""
    return repr(value if len(value) <= longest else value[: longest - 3] + "...")


def draining() -> Problem:
    """The answer to every request after the server was told to stop."""
    return Problem("draining", "the server is going down; ask another one, or again in a while", retry_after=5)


def client_gone() -> Problem:
    """Ends the work for a client that has left."""
    return Problem("client-gone", "the connection ended before the answer was ready")


def problem_of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for an HTTP status that the framework chose."""
    names = {400: "malformed-body", 404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
    name = names.get(status, "invalid-request" if status < 500 else "internal-error")
    return Problem(name, detail or http.HTTPStatus(status).phrase, headers=headers)
