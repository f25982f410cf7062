"""One request from the end of its body to its answer: how long it may take, and whether anybody still listens."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from starlette.types import Receive

from restr.server.problems import Problem, client_gone

T = TypeVar("T")


class Deadline:
    """Waits for work, but not past the deadline and not once the client has left.

    receive: the request's, whose body has been read: all that can still come is the end of the connection.
    """

    def __init__(self, receive: Receive, seconds: float) -> None:
        self.seconds, self._receive = seconds, receive
        self.deadline = time.monotonic() + seconds

    async def __aenter__(self) -> Self:
        self._left = asyncio.create_task(self._leaving())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.cancel()

    def again(self) -> None:
        """Start the clock anew, for the next line of a batch."""
        self.deadline = time.monotonic() + self.seconds

    async def wait(self, future: Future[T]) -> T:
        """What the future gives. Raises ``Problem``, and cancels the work, when nobody wants it any more."""
        waiting = asyncio.wrap_future(future)
        try:
            left = max(0.0, self.deadline - time.monotonic())
            done, _ = await asyncio.wait({waiting, self._left}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if waiting in done:
                return waiting.result()
        finally:
            waiting.cancel()  # a job that has not begun is never computed
        if self._left in done:
            raise client_gone()
        raise Problem(
            "deadline-exceeded", f"no answer within {self.seconds:g} seconds; ask again later, or for less at once",
            retry_after=self.seconds,
        )  # fmt: skip

    async def pause(self, seconds: float) -> None:
        """Wait a little for something to change. Raises ``Problem`` as ``wait`` does."""
        if time.monotonic() + seconds > self.deadline:
            raise Problem("queue-full", f"no place came free within {self.seconds:g} seconds; ask again", retry_after=1)
        done, _ = await asyncio.wait({self._left}, timeout=seconds)
        if done:
            raise client_gone()

    async def _leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
