"""Threads that take tasks in order, and a loop that yields what became of them in the same order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

LONGEST_WAIT = 10.0  # seconds for a thread to end: it may be waiting for a pipe that nobody writes to


class _Task(Generic[_T, _R]):
    """One thing to do. ``done`` is set when either ``result`` or ``failure`` is there."""

    def __init__(self, given: _T) -> None:
        self.given = given
        self.done = threading.Event()
        self.result: list[_R] = []
        self.failure: BaseException | None = None


def in_order(
    work: Callable[[_T], _R], given: Iterable[_T], *, threads: int, window: int, stopped: threading.Event
) -> Generator[_R, None, None]:
    """``map(work, given)`` by several threads: what comes first is yielded first.

    At most ``window`` things are in work or wait to be taken; ``given`` is read no further ahead than that, in the
    caller's thread. An exception of ``work``, or of ``given``, is raised when its turn comes. When the loop ends, or is
    closed, ``stopped`` is set, and the threads end with their current work; ``work`` may look at it to end earlier.
    """
    tasks: queue.SimpleQueue[_Task[_T, _R] | None] = queue.SimpleQueue()

    def run() -> None:
        while (task := tasks.get()) is not None and not stopped.is_set():
            try:
                task.result.append(work(task.given))
            except BaseException as error:  # raised again where the result is taken
                task.failure = error
            finally:
                task.done.set()

    crew = [threading.Thread(target=run, name=f"restr-many-{number}", daemon=True) for number in range(threads)]
    waiting: deque[_Task[_T, _R]] = deque()
    source = iter(given)
    no_more: BaseException | None = None  # StopIteration, or the exception that ended the source
    try:
        for thread in crew:
            thread.start()
        while True:
            while no_more is None and len(waiting) < window:
                try:
                    task: _Task[_T, _R] = _Task(next(source))
                except Exception as error:
                    no_more = error
                else:
                    waiting.append(task)
                    tasks.put(task)
            if not waiting:
                break
            task = waiting.popleft()
            task.done.wait()
            if task.failure is not None:
                raise task.failure
            yield task.result.pop()
            del task  # the caller's turn is over: nothing here keeps its memory
        if not isinstance(no_more, StopIteration) and no_more is not None:
            raise no_more
    finally:
        stopped.set()
        for _ in crew:
            tasks.put(None)
        for thread in crew:
            if thread.ident is not None:
                thread.join(LONGEST_WAIT)
