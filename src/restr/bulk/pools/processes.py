"""A pool of processes on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from restr.bulk.pools.base import TaskOutcome, TaskWorker, describe_failure
from restr.bulk.pools.schedule import Attempt, Schedule, unmade
from restr.errors import ConfigError, WorkerError
from restr.fields import as_int

_Task = TypeVar("_Task")
_Report = TypeVar("_Report")

_logger = logging.getLogger("restr.bulk")
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that torch's threads hold
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read when a library is imported
_LONGEST_END = 10.0  # seconds for a process to end by itself


@dataclass(kw_only=True, eq=False)
class _Slot(Generic[_Task]):
    """The place of one worker: its process, and what it does."""

    process: SpawnProcess
    pipe: Connection
    attempt: Attempt[_Task] | None = None
    ready: bool = False
    """Whether the worker is made: a process that dies before has not begun its task."""


class ProcessPool:
    """Workers in processes of this machine, as ``Pool`` says; a process is started when there is a task for it.

    processes: how many. threads: what each may use; 0 for the machine's cores divided by the processes. Raises
    ``ConfigError``.
    """

    def __init__(self, processes: int = 1, threads: int = 0) -> None:
        for name, value, least in (("processes", processes, 1), ("threads", threads, 0)):
            if as_int(value) is None or value < least:
                raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least {least}")
        self.processes = processes
        self.threads = threads or max(1, _usable_cores() // processes)

    def run(
        self, tasks: Iterable[_Task], make_worker: Callable[[], TaskWorker[_Task, _Report]]
    ) -> Generator[TaskOutcome[_Task, _Report], None, None]:
        """As ``Pool.run``. One task a worker is in flight, and ``tasks`` is read no further than that."""
        run: _Run[_Task, _Report] = _Run(self, tasks, make_worker)
        finished = False
        try:
            yield from run.outcomes()
            finished = True
        finally:
            run.close(finished)


class _Run(Generic[_Task, _Report]):
    """One call of ``ProcessPool.run``."""

    def __init__(
        self, pool: ProcessPool, tasks: Iterable[_Task], make_worker: Callable[[], TaskWorker[_Task, _Report]]
    ) -> None:
        self.threads, self.make_worker = pool.threads, make_worker
        self.schedule: Schedule[_Task, _Report] = Schedule(tasks, pool.processes)
        self.slots: list[_Slot[_Task]] = []

    def outcomes(self) -> Iterator[TaskOutcome[_Task, _Report]]:
        while True:
            self.hand_out()
            busy = [slot for slot in self.slots if slot.attempt is not None]
            if not busy:
                return
            signalled = set(wait([each for slot in busy for each in (slot.pipe, slot.process.sentinel)]))
            for slot in busy:
                if slot.pipe in signalled or slot.process.sentinel in signalled:
                    outcome = self.hear(slot)
                    if outcome is not None:
                        self.hand_out()  # before the caller takes its time with the outcome
                        yield outcome

    def hand_out(self) -> None:
        """Give every free worker a task, as long as there are any."""
        while True:
            free = next((slot for slot in self.slots if slot.attempt is None), None)
            if free is None and len(self.slots) >= self.schedule.places:
                return
            attempt = self.schedule.next()
            if attempt is None:
                return
            slot = free or self.start()
            slot.attempt = attempt
            try:
                slot.pipe.send(attempt.task)
            except OSError:  # it is dead, as its sentinel will tell
                _logger.debug("worker process %s ended before its task", slot.process.pid)

    def start(self) -> _Slot[_Task]:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs, self.make_worker), daemon=True, name="restr-bulk")
        try:
            with _environment({name: str(self.threads) for name in _THREAD_SETTINGS}):
                process.start()
        except OSError as error:
            raise WorkerError(f"a worker process cannot be started: {error}; use fewer processes") from error
        finally:
            theirs.close()  # so that a dead process is the end of the pipe
        slot: _Slot[_Task] = _Slot(process=process, pipe=ours)
        self.slots.append(slot)
        return slot

    def hear(self, slot: _Slot[_Task]) -> TaskOutcome[_Task, _Report] | None:
        """Read what a process says, or that it is dead."""
        try:
            kind, value = slot.pipe.recv() if slot.pipe.poll() else ("dead", None)
        except (EOFError, OSError):
            kind, value = "dead", None
        if kind == "dead":
            return self.bury(slot)
        if kind == "unmade":
            raise unmade(value)
        if kind == "ready":
            slot.ready = True
            self.schedule.made()
            return None
        attempt, slot.attempt = slot.attempt, None
        assert attempt is not None
        return self.schedule.answered(attempt, kind, value)

    def bury(self, slot: _Slot[_Task]) -> TaskOutcome[_Task, _Report] | None:
        """A process is dead: its task is tried again, or has failed."""
        _end(slot, patient=False)
        self.slots.remove(slot)
        attempt, why = slot.attempt, _cause(slot.process)
        assert attempt is not None
        if slot.ready:
            return self.schedule.died(attempt, why)
        self.schedule.give_back(attempt)
        self.schedule.died_early(why)
        return None

    def close(self, finished: bool) -> None:
        """End all processes; if finished, they may end by themselves."""
        for slot in self.slots:
            if finished:
                _tell(slot.pipe, None)
            elif slot.process.is_alive():
                slot.process.terminate()
        for slot in self.slots:
            _end(slot, patient=True)
        self.slots.clear()


def _end(slot: _Slot[Any], *, patient: bool) -> None:
    slot.process.join(_LONGEST_END if patient else 1.0)
    if slot.process.is_alive():
        slot.process.kill()
        slot.process.join()
    slot.pipe.close()


def _cause(process: SpawnProcess) -> str:
    """How a process ended, in a few words."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else f"signal {-code}"
    return f"{name}, perhaps for want of memory" if -code == signal.SIGKILL else name


def _usable_cores() -> int:
    from restr.inference.fastest.machine import usable_cores

    return usable_cores()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tell(pipe: Connection, message: Any) -> bool:
    """Send; False if nobody hears it any more."""
    try:
        pipe.send(message)
    except OSError:
        return False
    return True


def _work(pipe: Connection, make_worker: Callable[[], TaskWorker[Any, Any]]) -> None:
    """A worker's process: make the worker, then do what the pipe brings, until it brings None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the caller, who ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        worker = make_worker()
    except BaseException as error:
        _logger.debug("a worker cannot be made", exc_info=True)
        _tell(pipe, ("unmade", describe_failure(error)))
        return
    if not _tell(pipe, ("ready", None)):
        return
    while (task := pipe.recv()) is not None:
        try:
            answer = ("report", worker.run(task))
        except BaseException as error:
            _logger.debug("a task failed", exc_info=True)
            answer = ("error", describe_failure(error))
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:  # a report that cannot be pickled
            pipe.send(("error", describe_failure(error)))


def _end_with_parent() -> None:
    """A caller that is killed takes this process along, in the middle of a task."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
