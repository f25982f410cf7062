"""Ask a ``restr serve`` from Python (extra ``client``): no torch, and patience with a busy server, or one that dies.

>>> from restr.client import Client
>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     found = client.segment("photo.jpg", "the left dog")
...     found[0].found, found[0].presence, found[0].mask, found[0].score
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from restr.client.found import Found, ServerError

Photograph = str | os.PathLike[str] | bytes
RETRIED = (429, 503)  # the server did nothing yet, and asks to come back
LONGEST_WAIT = 30.0  # seconds between two tries, whatever the server says
# The server died, or was going down. Asking again is safe: a question changes nothing, an image that was kept in vain
# expires, and one that is forgotten twice is forgotten. A timeout is no such thing: the server may still be at work.
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)


_Outcome = httpx.Response | httpx.TransportError


class _Calls:
    """What both clients send and how long they wait: everything but the sending."""

    def __init__(self, retries: int) -> None:
        self.retries = retries

    def again_after(self, attempt: int, outcome: _Outcome) -> float | None:
        """Seconds until the next try: the server's wish or twice as long each time, and some luck; None to give up."""
        wait = 0.25 * 2**attempt
        if isinstance(outcome, httpx.Response):
            again = outcome.status_code in RETRIED
            wished = outcome.headers.get("retry-after", "")
            wait = float(wished) if wished.isdigit() else wait
        else:  # where nobody ever was, nobody is waited for
            again = isinstance(outcome, BROKEN) or isinstance(outcome, httpx.ConnectError) and attempt > 0
        if not again or attempt >= self.retries:
            return None
        return min(LONGEST_WAIT, wait * (1 + random.random() / 2))  # so that not all come back at once


def _options(api_key: str | None, timeout: float, base_url: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": base_url, "timeout": timeout, "headers": headers}


def _content(image: Photograph) -> bytes:
    return image if isinstance(image, bytes) else Path(image).read_bytes()


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
    named = {} if model is None else {"model": model}
    return {"image": base64.b64encode(_content(image)).decode("ascii")} | named


def _document(response: _Outcome) -> dict[str, Any]:
    """The answer's JSON. Raises ``ServerError``, or what kept the answer from coming."""
    if isinstance(response, httpx.TransportError):
        raise response
    try:
        document = response.json() if response.content else {}
    except ValueError:
        document = {}
    if response.is_error:
        raise ServerError(response.status_code, document)
    return document


def _found(document: dict[str, Any]) -> list[Found]:
    return [Found(document=each) for each in document["results"]]


class Client(_Calls):
    """Asks a server, one call at a time; usable from several threads.

    retries: further tries where the server is busy, or the connection breaks. timeout: seconds for each try. Every method
    raises ``ServerError``, and httpx's own errors where there is no connection.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(retries)
        self._http = httpx.Client(transport=transport, **_options(api_key, timeout, url))

    def segment(
        self,
        image: Photograph,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
        model: str | None = None,
    ) -> list[Found]:
        """What each of ``texts`` names in an image: a file's path or its bytes.

        threshold, presence: least probability of a mask's pixels, and that anything is meant; the model's own if not given.
        """
        body = _upload(image, model) | _question(texts, threshold, presence, formats, words)
        return _found(self._send("POST", "/v1/segment", body))

    def keep(self, image: Photograph, *, model: str | None = None) -> str:
        """Have an image encoded and kept; its id is for ``ask``."""
        return self._send("POST", "/v1/images", _upload(image, model))["id"]

    def ask(
        self,
        image_id: str,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
    ) -> list[Found]:
        """What each of ``texts`` names in a kept image."""
        body = _question(texts, threshold, presence, formats, words)
        return _found(self._send("POST", f"/v1/images/{image_id}/segment", body))

    def forget(self, image_id: str) -> None:
        """Have a kept image forgotten."""
        self._send("DELETE", f"/v1/images/{image_id}")

    def models(self) -> list[dict[str, Any]]:
        """The models that are served, the default first."""
        return self._send("GET", "/v1/models")["models"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        for attempt in itertools.count():
            try:
                outcome: _Outcome = self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                outcome = error
            wait = self.again_after(attempt, outcome)
            if wait is None:
                break
            time.sleep(wait)
        return _document(outcome)


class AsyncClient(_Calls):
    """``Client`` for asyncio, with the same methods."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(retries)
        self._http = httpx.AsyncClient(transport=transport, **_options(api_key, timeout, url))

    async def segment(
        self,
        image: Photograph,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
        model: str | None = None,
    ) -> list[Found]:
        """As ``Client.segment``."""
        body = _upload(image, model) | _question(texts, threshold, presence, formats, words)
        return _found(await self._send("POST", "/v1/segment", body))

    async def keep(self, image: Photograph, *, model: str | None = None) -> str:
        """As ``Client.keep``."""
        return (await self._send("POST", "/v1/images", _upload(image, model)))["id"]

    async def ask(
        self,
        image_id: str,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
    ) -> list[Found]:
        """As ``Client.ask``."""
        body = _question(texts, threshold, presence, formats, words)
        return _found(await self._send("POST", f"/v1/images/{image_id}/segment", body))

    async def forget(self, image_id: str) -> None:
        """As ``Client.forget``."""
        await self._send("DELETE", f"/v1/images/{image_id}")

    async def models(self) -> list[dict[str, Any]]:
        """As ``Client.models``."""
        return (await self._send("GET", "/v1/models"))["models"]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        for attempt in itertools.count():
            try:
                outcome: _Outcome = await self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                outcome = error
            wait = self.again_after(attempt, outcome)
            if wait is None:
                break
            await asyncio.sleep(wait)
        return _document(outcome)
