"""The requests that both clients send, how their answers are read, and when a failed one is sent again."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from restr.client.results import RemoteResult, ServerError

Photograph = str | os.PathLike[str] | bytes
"""An image: a file's path, or its bytes."""

Outcome = httpx.Response | httpx.TransportError
"""How a try ended."""

_T = TypeVar("_T")
_RETRIED = (429, 503)  # the server did nothing yet, and asks to come back
_LONGEST_WAIT = 30.0  # seconds between two tries, whatever the server says
# The server died, or was going down. Asking again is safe: a question changes nothing, an image that was kept in vain
# expires, and one that is forgotten twice is forgotten. After a timeout it is not: the server may still be at work.
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Call(Generic[_T]):
    """A request and the reader of its answer."""

    method: str
    """HTTP's."""

    path: str
    """The path below the server's address."""

    body: dict[str, Any] | None
    """The JSON document to send, if any."""

    read: Callable[[dict[str, Any]], _T]
    """Makes the client's result of the answer's JSON document."""

    def result(self, outcome: Outcome) -> _T:
        """The result of the last try. Raises ``ServerError``, or httpx's error if there is no answer."""
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        try:
            document = outcome.json() if outcome.content else {}
        except ValueError:
            document = {}
        if outcome.is_error:
            raise ServerError(outcome.status_code, document)
        return self.read(document)


def segment_call(
    image: Photograph,
    texts: str | Sequence[str],
    threshold: float | None,
    presence: float | None,
    formats: Sequence[str],
    words: bool,
    model: str | None,
) -> Call[list[RemoteResult]]:
    """A question that brings its image."""
    body = _upload(image, model) | _question(texts, threshold, presence, formats, words)
    return Call("POST", "/v1/segment", body, _results)


def keep_call(image: Photograph, model: str | None) -> Call[str]:
    """An image to keep."""
    return Call("POST", "/v1/images", _upload(image, model), lambda document: document["id"])


def ask_call(
    image_id: str,
    texts: str | Sequence[str],
    threshold: float | None,
    presence: float | None,
    formats: Sequence[str],
    words: bool,
) -> Call[list[RemoteResult]]:
    """A question about a kept image."""
    body = _question(texts, threshold, presence, formats, words)
    return Call("POST", f"/v1/images/{image_id}/segment", body, _results)


def forget_call(image_id: str) -> Call[None]:
    """A kept image to forget."""
    return Call("DELETE", f"/v1/images/{image_id}", None, lambda _: None)


def models_call() -> Call[list[dict[str, Any]]]:
    """The served models."""
    return Call("GET", "/v1/models", None, lambda document: document["models"])


def retry_after(attempt: int, outcome: Outcome, *, retries: int) -> float | None:
    """Seconds until the next try; None if there is none.

    attempt: tries before this one. The server's ``Retry-After`` decides, or else the pause doubles each time; a random
    part keeps clients from coming back all at once.
    """
    wait = 0.25 * 2**attempt
    if isinstance(outcome, httpx.Response):
        again = outcome.status_code in _RETRIED
        wished = outcome.headers.get("retry-after", "")
        wait = float(wished) if wished.isdigit() else wait
    else:  # a first connection that fails: there is no server to wait for
        again = isinstance(outcome, _BROKEN) or isinstance(outcome, httpx.ConnectError) and attempt > 0
    if not again or attempt >= retries:
        return None
    return min(_LONGEST_WAIT, wait * (1 + random.random() / 2))


def http_options(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """The options of httpx's clients."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": url, "timeout": timeout, "headers": headers}


def _question(
    texts: str | Sequence[str],
    threshold: float | None,
    presence: float | None,
    formats: Sequence[str],
    words: bool,
) -> dict[str, Any]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    chosen = {"threshold": threshold, "presence": presence}
    question: dict[str, Any] = {"texts": listed, "formats": list(formats), "words": words}
    return question | {name: value for name, value in chosen.items() if value is not None}


def _upload(image: Photograph, model: str | None) -> dict[str, Any]:
    content = image if isinstance(image, bytes) else Path(image).read_bytes()
    named = {} if model is None else {"model": model}
    return {"image": base64.b64encode(content).decode("ascii")} | named


def _results(document: dict[str, Any]) -> list[RemoteResult]:
    return [RemoteResult(document=each) for each in document["results"]]
