"""A pool of actors on a Ray cluster (extra ``ray``).

Ray's actors are used, not Ray Data's ``map_batches``. There a task stays with its actor: with restarts it waits until that
very actor finds room again, and without them (tried with Ray 2.60) a lost node ends the whole run, whatever
``max_errored_blocks`` allows. It also reads all tasks before it begins.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from restr.bulk.pools.base import TaskOutcome, TaskWorker, describe_failure
from restr.bulk.pools.schedule import Attempt, Schedule, unmade
from restr.errors import ConfigError, WorkerError
from restr.fields import as_int

_Task = TypeVar("_Task")
_Report = TypeVar("_Report")

_logger = logging.getLogger("restr.bulk")
LOCAL = "local"  # as an address: a Ray of this machine alone, started for the run
_LONGEST_KNOCK = 10.0  # seconds for a cluster's address to answer
_PATIENCE = 30.0  # seconds without any worker until it is said that the cluster has no room


class RayPool:
    """Workers as actors of a Ray cluster, as ``Pool`` says; each begins when the cluster has room for it.

    workers: how many; 0 for as many as the cluster's machines have room for. cpus_per_worker: also the threads of each.
    gpus_per_worker: may be a part of one. address: of the cluster, as Ray takes it ("auto", "ray://host:10001"), or
    "local" for a Ray of this machine alone. Raises ``ConfigError``.
    """

    def __init__(
        self, workers: int = 0, cpus_per_worker: int = 1, gpus_per_worker: float = 0.0, address: str = "auto"
    ) -> None:
        for name, value, least in (("workers", workers, 0), ("cpus_per_worker", cpus_per_worker, 1)):
            if as_int(value) is None or value < least:
                raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least {least}")
        if not gpus_per_worker >= 0:
            raise ConfigError(f"gpus_per_worker is {gpus_per_worker!r}; it must be a number of at least 0")
        self.workers, self.address = workers, address
        self.cpus_per_worker, self.gpus_per_worker = cpus_per_worker, gpus_per_worker

    def run(
        self, tasks: Iterable[_Task], make_worker: Callable[[], TaskWorker[_Task, _Report]]
    ) -> Generator[TaskOutcome[_Task, _Report], None, None]:
        """As ``Pool.run``. One task a worker is in flight, and ``tasks`` is read no further than that. Raises
        ``WorkerError``, also if there is no such cluster."""
        ray = _import_ray()
        ours = not ray.is_initialized()  # in a program that uses Ray itself, the connection is that program's
        if ours:
            _connect(ray, self.address)
        try:
            run: _RayRun[_Task, _Report] = _RayRun(ray, self, tasks, make_worker)
            try:
                yield from run.outcomes()
            finally:
                run.close()
        finally:
            if ours:
                ray.shutdown()

    def room(self, nodes: Iterable[dict[str, Any]]) -> int:
        """How many workers the machines of a cluster can hold, all in all. nodes: as ``ray.nodes()`` lists them."""
        held = 0
        for resources in (node["Resources"] for node in nodes if node["Alive"]):
            places = resources.get("CPU", 0.0) / self.cpus_per_worker
            if self.gpus_per_worker:
                places = min(places, resources.get("GPU", 0.0) / self.gpus_per_worker)
            held += int(places)
        return held


@dataclass(kw_only=True, eq=False)
class _Place(Generic[_Task]):
    """The place of one worker: its actor, and what it does."""

    actor: Any
    awaited: Any
    """Ray's reference to the actor's next answer; None if it has nothing to do."""

    ready: bool = False
    """Whether the worker is made. Before that it has no task, so that no task waits for room in the cluster."""

    attempt: Attempt[_Task] | None = None


class _RayRun(Generic[_Task, _Report]):
    """One call of ``RayPool.run``."""

    def __init__(
        self, ray: Any, pool: RayPool, tasks: Iterable[_Task], make_worker: Callable[[], TaskWorker[_Task, _Report]]
    ) -> None:
        self.ray, self.pool, self.make_worker = ray, pool, make_worker
        self.schedule: Schedule[_Task, _Report] = Schedule(tasks, pool.workers or max(1, pool.room(ray.nodes())))
        self.places: list[_Place[_Task]] = []
        self.waiting: deque[Attempt[_Task]] = deque()  # for a worker that is being made; at most one for each
        self.without_since: float | None = None  # since when no worker is there; None if there is one, or it was said
        self.actor_class = ray.remote(_Actor).options(
            num_cpus=pool.cpus_per_worker,
            num_gpus=pool.gpus_per_worker,
            max_restarts=0,  # what takes the place of an actor that died is a new one, without its task
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(pool.cpus_per_worker)}},
        )

    def outcomes(self) -> Iterator[TaskOutcome[_Task, _Report]]:
        self.without_since = time.monotonic()
        while True:
            self.hand_out()
            if not self.waiting and all(place.attempt is None for place in self.places):
                return
            awaited = {place.awaited: place for place in self.places if place.awaited is not None}
            done, _ = self.ray.wait(list(awaited), num_returns=1, timeout=_PATIENCE)
            for reference in done:
                outcome = self.hear(awaited[reference])
                if outcome is not None:
                    self.hand_out()  # before the caller takes its time with the outcome
                    yield outcome
            self.say_if_there_is_no_room()

    def hand_out(self) -> None:
        """Give every free worker a task, then ask for workers, as long as there are tasks."""
        for place in self.places:
            if place.ready and place.attempt is None:
                place.attempt = self.waiting.popleft() if self.waiting else self.schedule.next()
                if place.attempt is None:
                    return
                place.awaited = place.actor.run.remote(place.attempt.task)
        while len(self.places) < self.schedule.places:
            if len(self.waiting) <= sum(not place.ready for place in self.places):
                attempt = self.schedule.next()
                if attempt is None:
                    return
                self.waiting.append(attempt)
            actor = self.actor_class.remote()
            self.places.append(_Place(actor=actor, awaited=actor.make.remote(self.make_worker)))

    def hear(self, place: _Place[_Task]) -> TaskOutcome[_Task, _Report] | None:
        """Read an actor's answer, or that it is dead."""
        try:
            kind, value = self.ray.get(place.awaited)
        except self.ray.exceptions.RayTaskError as error:  # what cannot be sent: a report, or the maker of workers
            kind, value = ("error" if place.ready else "unmade"), _in_short(error)
        except self.ray.exceptions.RayError as error:
            return self.bury(place, _cause_of_death(error))
        place.awaited = None
        if kind == "unmade":
            raise unmade(value)
        if kind == "ready":
            place.ready, self.without_since = True, None
            self.schedule.made()
            return None
        attempt, place.attempt = place.attempt, None
        assert attempt is not None
        return self.schedule.answered(attempt, kind, value)

    def bury(self, place: _Place[_Task], why: str) -> TaskOutcome[_Task, _Report] | None:
        """An actor is dead: its task is tried again, or has failed."""
        self.ray.kill(place.actor)  # if it is only out of reach
        self.places.remove(place)
        if not any(other.ready for other in self.places):
            self.without_since = time.monotonic()
        if place.attempt is not None:
            return self.schedule.died(place.attempt, why)
        self.schedule.died_early(why)
        return None

    def say_if_there_is_no_room(self) -> None:
        since = self.without_since
        if since is None or time.monotonic() - since < _PATIENCE:
            return
        self.without_since = None
        has = self.ray.cluster_resources()
        _logger.warning(
            "no worker could be made for %.0f s; each needs %d CPUs and %g GPUs, and the cluster has %g and %g in all. "
            "Waiting for room",
            time.monotonic() - since,
            self.pool.cpus_per_worker,
            self.pool.gpus_per_worker,
            has.get("CPU", 0),
            has.get("GPU", 0),
        )

    def close(self) -> None:
        """End all actors, also in the middle of a task."""
        for place in self.places:
            self.ray.kill(place.actor)
        self.places.clear()


class _Actor:
    """What runs in an actor's process: a worker."""

    def make(self, make_worker: Callable[[], TaskWorker[Any, Any]]) -> tuple[str, Any]:
        try:
            self.worker = make_worker()
        except BaseException as error:
            return "unmade", describe_failure(error)
        return "ready", None

    def run(self, task: Any) -> tuple[str, Any]:
        try:
            return "report", self.worker.run(task)
        except BaseException as error:
            return "error", describe_failure(error)


def _import_ray() -> Any:
    # Before the import, which reads them: nothing is reported to Ray's makers, and no tips are given.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with warnings.catch_warnings(action="ignore"):
            import ray
    except ImportError as error:
        raise WorkerError(f"ray cannot be imported ({error}); run: pip install 'restr[ray]'") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Join a cluster, without a word on the terminal. Raises ``WorkerError``."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        quiet["include_dashboard"] = False
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), timeout=_LONGEST_KNOCK).close()
        with warnings.catch_warnings(action="ignore"):
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises of everything, Exception itself too
        raise WorkerError(
            f"no Ray cluster at {address!r}: {_in_short(error)}; start one with 'ray start --head', "
            f"give the address of one, or use {LOCAL!r} for this machine alone"
        ) from error
    # Ray prints the last log lines of a machine that is lost on stdout, and has no switch for it.
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, *_, **__: _logger.debug("Ray: %s", "\n".join(data["lines"]))


def _cause_of_death(error: BaseException) -> str:
    """Why an actor ended, in a few words; Ray says it in the middle of a page."""
    text = str(error)
    if "OUT_OF_MEMORY" in text or "low on memory" in text:
        return "want of memory"
    if "node has died" in text:
        return "a lost machine"
    return "the end of its process, perhaps for want of memory"


def _in_short(error: BaseException) -> str:
    """The first sentence of Ray's long messages."""
    cause = getattr(error, "cause", None)
    text = describe_failure(cause if isinstance(cause, BaseException) else error)
    return text.partition(". ")[0][:200]
