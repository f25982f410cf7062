"""Which task is next, and what becomes of it when its worker dies: the same in every pool."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from restr.bulk.pools.base import ATTEMPTS, TaskOutcome
from restr.errors import WorkerError

_Task = TypeVar("_Task")
_Report = TypeVar("_Report")

_logger = logging.getLogger("restr.bulk")
HOPELESS = 3  # deaths in a row of workers that were not made yet


@dataclass(kw_only=True, eq=False)
class Attempt(Generic[_Task]):
    """A task that a worker has, or waits to have."""

    task: _Task
    """The task."""

    deaths: int = 0
    """How many workers died of it."""


class Schedule(Generic[_Task, _Report]):
    """The tasks of one run, and the number of its workers.

    places: how many workers there may be; falls when they die while they load.
    """

    def __init__(self, tasks: Iterable[_Task], places: int) -> None:
        self.places = places
        self._source = iter(tasks)
        self._again: deque[Attempt[_Task]] = deque()
        self._early_deaths = 0

    def next(self) -> Attempt[_Task] | None:
        """The next task: one that lost its worker, or a new one; None if there is none now."""
        if self._again:
            return self._again.popleft()
        for task in self._source:
            return Attempt(task=task)
        return None

    def give_back(self, attempt: Attempt[_Task]) -> None:
        """A task that no worker began."""
        self._again.appendleft(attempt)

    def answered(self, attempt: Attempt[_Task], kind: str, value: object) -> TaskOutcome[_Task, _Report]:
        """The outcome of a task. kind: "report" or "error"."""
        told = {kind: value}
        return TaskOutcome(task=attempt.task, attempts=attempt.deaths + 1, **told)  # type: ignore[arg-type]

    def made(self) -> None:
        """A worker was made, so others can be."""
        self._early_deaths = 0

    def died(self, attempt: Attempt[_Task], why: str) -> TaskOutcome[_Task, _Report] | None:
        """The outcome of a task whose worker died; None if it will be tried again."""
        attempt.deaths += 1
        _logger.warning("a worker ended (%s); another takes its place", why)
        if attempt.deaths < ATTEMPTS:
            self.give_back(attempt)
            return None
        error = f"its worker ended {attempt.deaths} times, the last time by {why}"
        return TaskOutcome(task=attempt.task, error=error, attempts=attempt.deaths)

    def died_early(self, why: str) -> None:
        """A worker ended while it was made. If that repeats, continue with fewer; raises ``WorkerError`` if none is left."""
        self._early_deaths += 1
        if self._early_deaths < HOPELESS:
            _logger.warning("a worker ended while it loaded (%s); another takes its place", why)
            return
        self._early_deaths, self.places = 0, self.places - 1
        if not self.places:
            raise WorkerError(
                f"a worker ended {HOPELESS} times while it loaded, the last time by {why}; see above why, "
                "or whether there is enough memory"
            )
        _logger.warning("workers end while they load (%s); continuing with %d", why, self.places)


def unmade(why: object) -> WorkerError:
    """The error of a worker whose ``make_worker`` raised: the next one would raise too."""
    return WorkerError(f"no worker can be made: {why}")
