"""How long a request may take from the end of its body to its answer, and whether its client still listens."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from starlette.types import Receive

from restr.server.problems import Problem, client_gone

_T = TypeVar("_T")


class Deadline:
    """Waits for work, but only until the deadline, and only while the client is connected. Used with ``async with``.

    receive: the request's channel. Its body has been read, so the only message to come is the end of the connection.
    """

    def __init__(self, receive: Receive, seconds: float) -> None:
        self.seconds, self._receive = seconds, receive
        self._left: asyncio.Task[None] | None = None
        self.restart()

    async def __aenter__(self) -> Self:
        self._left = asyncio.create_task(self._leaving())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_task().cancel()

    def restart(self) -> None:
        """Restart the clock, for the next line of a batch."""
        self.time = time.monotonic() + self.seconds

    async def wait(self, future: Future[_T]) -> _T:
        """The future's result. Raises ``Problem``, and cancels the work, once it is too late or the client has left."""
        waiting, left = asyncio.wrap_future(future), self._leave_task()
        try:
            seconds = max(0.0, self.time - time.monotonic())
            done, _ = await asyncio.wait({waiting, left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if waiting in done:
                return waiting.result()
        finally:
            waiting.cancel()  # a job that has not begun is never computed
        if left in done:
            raise client_gone()
        raise Problem(
            "deadline-exceeded", f"no answer within {self.seconds:g} seconds; ask again later, or for less at once",
            retry_after=self.seconds,
        )  # fmt: skip

    async def pause(self, seconds: float) -> None:
        """Wait until there may be room in the queue. Raises ``Problem`` as ``wait`` does."""
        if time.monotonic() + seconds > self.time:
            raise Problem("queue-full", f"no place came free within {self.seconds:g} seconds; ask again", retry_after=1)
        done, _ = await asyncio.wait({self._leave_task()}, timeout=seconds)
        if done:
            raise client_gone()

    def _leave_task(self) -> asyncio.Task[None]:
        assert self._left is not None, "a Deadline is used with `async with`"
        return self._left

    async def _leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
