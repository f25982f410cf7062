"""What a pool and its workers are, whichever way the workers are run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from restr.errors import RestrError

_Task = TypeVar("_Task")
_Report = TypeVar("_Report")
_GivenTask = TypeVar("_GivenTask", contravariant=True)
_GivenReport = TypeVar("_GivenReport", covariant=True)

ATTEMPTS = 3  # of a task whose worker dies


class TaskWorker(Protocol[_GivenTask, _GivenReport]):
    """Does tasks, one after the other, in a process of its own."""

    def run(self, task: _GivenTask, /) -> _GivenReport:
        """Do one task. The report is sent to the caller's process: small, and picklable."""
        ...


@dataclass(frozen=True, kw_only=True)
class TaskOutcome(Generic[_Task, _Report]):
    """What became of one task."""

    task: _Task
    """The task, as given."""

    report: _Report | None = None
    """What the worker returned; None if the task failed."""

    error: str | None = None
    """Why the task failed, in a sentence; None if it is done."""

    attempts: int = 1
    """How many workers began it: more than 1 if some of them died."""


class Pool(Protocol):
    """Several workers, each in a process of its own."""

    def run(
        self, tasks: Iterable[_Task], make_worker: Callable[[], TaskWorker[_Task, _Report]]
    ) -> Generator[TaskOutcome[_Task, _Report], None, None]:
        """The outcome of every task, once each, as they are done: in any order.

        tasks: small and picklable; read only a few for each worker ahead of what is done.
        make_worker: picklable; called once in every worker's process.

        A task that raises has failed. If its worker dies (``kill -9``, out of memory, a lost node), the worker is replaced
        and the task tried again, ``ATTEMPTS`` times in all, so a task must be one that can be done twice. Closing the
        generator ends all workers. Raises ``WorkerError`` if no worker can be made.
        """
        ...


def describe_failure(error: BaseException) -> str:
    """An exception in one line, for ``TaskOutcome.error``: restr's own messages as they are, others with their type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, RestrError) and text else f"{type(error).__name__}: {text}".removesuffix(": ")
