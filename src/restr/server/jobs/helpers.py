"""Threads beside each model's own: they decode images, write answers and read files."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from restr.server.jobs.deadline import Deadline

_T = TypeVar("_T")
_THREADS = 2


class Helpers:
    """Runs blocking work for requests."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="restr-helper")

    async def run(self, deadline: Deadline, work: Callable[..., _T], *arguments: Any) -> _T:
        """The result of ``work(*arguments)``. Raises ``Problem`` as ``Deadline.wait`` does."""
        return await deadline.wait(self._pool.submit(work, *arguments))

    def close(self) -> None:
        """Finish the accepted work."""
        self._pool.shutdown()
