"""Ask a ``restr serve`` from Python (extra ``client``): without torch, and with retries if the server is busy or dies.

>>> from restr.client import Client
>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     results = client.segment("photo.jpg", "the left dog")
...     results[0].found, results[0].presence, results[0].mask, results[0].score
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from restr.client.calls import (
    Call,
    Outcome,
    Photograph,
    ask_call,
    forget_call,
    http_options,
    keep_call,
    models_call,
    retry_after,
    segment_call,
)
from restr.client.results import RemoteResult, ServerError

__all__ = ["AsyncClient", "Client", "Photograph", "RemoteResult", "ServerError"]

_T = TypeVar("_T")
_URL = "http://127.0.0.1:8000"


class Client:
    """Asks a server, one call at a time; usable from several threads.

    timeout: seconds for each try. retries: further tries if the server is busy or the connection breaks. Every method
    raises ``ServerError``, and httpx's own errors if there is no connection.
    """

    def __init__(
        self,
        url: str = _URL,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.retries = retries
        self._http = httpx.Client(transport=transport, **http_options(url, api_key, timeout))

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
    ) -> list[RemoteResult]:
        """Segment what each of ``texts`` names in an image: a file's path or its bytes.

        threshold: least probability of a mask's pixels. presence: least probability that the image shows anything that is
        named; below it the mask is empty. Both are the model's own by default.
        """
        return self._send(segment_call(image, texts, threshold, presence, formats, words, model))

    def keep(self, image: Photograph, *, model: str | None = None) -> str:
        """Have an image encoded and kept; returns its id, for ``ask``."""
        return self._send(keep_call(image, model))

    def ask(
        self,
        image_id: str,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
    ) -> list[RemoteResult]:
        """Segment what each of ``texts`` names in a kept image."""
        return self._send(ask_call(image_id, texts, threshold, presence, formats, words))

    def forget(self, image_id: str) -> None:
        """Have a kept image forgotten."""
        self._send(forget_call(image_id))

    def models(self) -> list[dict[str, Any]]:
        """The served models, the default first."""
        return self._send(models_call())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: Call[_T]) -> _T:
        for attempt in itertools.count():
            try:
                outcome: Outcome = self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                outcome = error
            wait = retry_after(attempt, outcome, retries=self.retries)
            if wait is None:
                break
            time.sleep(wait)
        return call.result(outcome)


class AsyncClient:
    """``Client`` for asyncio, with the same methods."""

    def __init__(
        self,
        url: str = _URL,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.retries = retries
        self._http = httpx.AsyncClient(transport=transport, **http_options(url, api_key, timeout))

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
    ) -> list[RemoteResult]:
        """As ``Client.segment``."""
        return await self._send(segment_call(image, texts, threshold, presence, formats, words, model))

    async def keep(self, image: Photograph, *, model: str | None = None) -> str:
        """As ``Client.keep``."""
        return await self._send(keep_call(image, model))

    async def ask(
        self,
        image_id: str,
        texts: str | Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        formats: Sequence[str] = ("rle",),
        words: bool = False,
    ) -> list[RemoteResult]:
        """As ``Client.ask``."""
        return await self._send(ask_call(image_id, texts, threshold, presence, formats, words))

    async def forget(self, image_id: str) -> None:
        """As ``Client.forget``."""
        await self._send(forget_call(image_id))

    async def models(self) -> list[dict[str, Any]]:
        """As ``Client.models``."""
        return await self._send(models_call())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, call: Call[_T]) -> _T:
        for attempt in itertools.count():
            try:
                outcome: Outcome = await self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                outcome = error
            wait = retry_after(attempt, outcome, retries=self.retries)
            if wait is None:
                break
            await asyncio.sleep(wait)
        return call.result(outcome)
