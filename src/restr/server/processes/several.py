"""Several worker processes behind one socket, and a supervisor that replaces dead ones. The supervisor loads no torch."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from restr.errors import ConfigError
from restr.server.settings import IMAGES_FOLDER, METRICS_FOLDER, ServerSettings

_logger = logging.getLogger("restr.server")
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that threads of the parent hold

_BACKLOG = 2048  # connections that wait for a worker; they survive the death of any worker
_STEADY = 10.0  # seconds after which a worker's death is an accident, not a fault that will repeat at once
_LONGEST_PAUSE = 30.0  # seconds until a dead worker is replaced
_HOPELESS = 3  # deaths before any worker was ever ready
GRACE = 10.0  # seconds beside the deadline until a worker that does not end is killed


@dataclass(kw_only=True, eq=False)
class Worker:
    """A worker's slot: its process, or the time to start the next one."""

    process: SpawnProcess | None = None
    """None between two processes."""

    news: Connection | None = None
    """Where the process says that it is ready."""

    since: float = 0.0
    """``time.monotonic()`` when the process was started, or became ready."""

    ready: bool = False
    """Whether the process takes connections."""

    short_lives: int = 0
    """Processes in a row that died soon."""

    start_at: float | None = 0.0
    """``time.monotonic()`` when to start a process; None while one runs."""


class Supervisor:
    """Runs ``settings.workers`` processes until SIGTERM or Ctrl-C. It passes these signals on to them, and SIGHUP too.

    A dead worker is replaced at once. If its successors die soon, the pauses grow to half a minute.
    """

    def __init__(self, settings: ServerSettings, listening: socket.socket, shared: Path) -> None:
        self.settings, self.listening, self.shared = settings, listening, shared
        self.workers = [Worker() for _ in range(settings.workers)]
        self.ever_ready, self.deaths = False, 0

    def run(self) -> int:
        """The exit status: 0 if all accepted requests were answered, 1 if the models do not load or a worker had to be killed."""
        with _signals() as signals:
            while True:
                self._start_due()
                self._wait_for_news(signals)
                for number in _read(signals):
                    if number in (signal.SIGTERM, signal.SIGINT):
                        return self._stop()
                    self._pass_on(number)
                if not self.ever_ready and self.deaths >= _HOPELESS:
                    _logger.error("no worker could load the models; see above why")
                    self._stop()
                    return 1

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            if worker.start_at is None or worker.start_at > now:
                continue
            worker.news, theirs = _SPAWN.Pipe(duplex=False)
            worker.process = _SPAWN.Process(
                target=run_worker, args=(self.settings, self.listening, self.shared, theirs), daemon=True
            )
            worker.process.start()
            theirs.close()
            worker.since, worker.ready, worker.start_at = now, False, None

    def _wait_for_news(self, signals: socket.socket) -> None:
        """Wait for a signal, a worker's death or readiness, or the time to start one."""
        sentinels = {worker.process.sentinel: worker for worker in self.workers if worker.process is not None}
        pipes = {worker.news: worker for worker in self.workers if worker.news is not None}
        due = [worker.start_at for worker in self.workers if worker.start_at is not None]
        seconds = max(0.0, min(due) - time.monotonic()) if due else None
        signalled = wait([signals, *sentinels, *pipes], seconds)
        for news, worker in pipes.items():
            if news in signalled:
                self._became_ready(worker, news)
        for sentinel, worker in sentinels.items():
            if sentinel in signalled:
                self._died(worker)

    def _became_ready(self, worker: Worker, news: Connection) -> None:
        try:
            news.recv()
            worker.ready, worker.since, self.ever_ready = True, time.monotonic(), True
            _logger.info("worker %s is ready", worker.process and worker.process.pid)
        except EOFError:  # it is dying, as its sentinel will tell
            pass
        news.close()
        worker.news = None

    def _died(self, worker: Worker) -> None:
        assert worker.process is not None
        process, worker.process = worker.process, None
        process.join()
        _forget_gauges(process.pid, self.shared)
        self.deaths += 1
        steady = worker.ready and time.monotonic() - worker.since > _STEADY
        worker.short_lives = 0 if steady else worker.short_lives + 1
        pause = 0.0 if worker.short_lives <= 1 else min(_LONGEST_PAUSE, 0.5 * 2 ** (worker.short_lives - 1))
        worker.start_at = time.monotonic() + pause
        _logger.error("worker %s ended (%s); another is started in %g seconds", process.pid, _status(process), pause)

    def _pass_on(self, number: int) -> None:
        # A worker that is not ready yet ignores it; it reads the new files anyway.
        for worker in self.workers:
            if worker.ready and worker.process is not None and worker.process.pid is not None:
                os.kill(worker.process.pid, number)

    def _stop(self) -> int:
        """Let all workers finish the accepted requests; returns the exit status."""
        self.listening.close()
        running = [worker.process for worker in self.workers if worker.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + self.settings.deadline_s + GRACE
        for process in running:
            process.join(max(0.0, until - time.monotonic()))
            if process.exitcode is None:
                _logger.error("worker %s did not end and is killed", process.pid)
                process.kill()
                process.join()
        return 0 if all(process.exitcode in (0, -signal.SIGTERM) for process in running) else 1


def supervise(settings: ServerSettings) -> int:
    """Serve with several workers; returns the exit status. Raises ``ConfigError`` if it cannot listen at the address."""
    listening = listen(settings)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    with listening, tempfile.TemporaryDirectory(prefix="restr-serve-", ignore_cleanup_errors=True) as folder:  # 0700
        shared = Path(folder)
        (shared / IMAGES_FOLDER).mkdir()
        (shared / METRICS_FOLDER).mkdir()
        _logger.info("http://%s:%s with %s workers", settings.host, listening.getsockname()[1], settings.workers)
        return Supervisor(settings_of_worker(settings), listening, shared).run()


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that listens at the address. Raises ``ConfigError`` if that is impossible."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a host name
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another --host or --port"
        ) from error


def settings_of_worker(settings: ServerSettings) -> ServerSettings:
    """The settings of each worker: the processor's threads are divided among them."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = settings.threads or max(1, processors // settings.workers)
    return replace(settings, threads=threads)


def run_worker(settings: ServerSettings, listening: socket.socket, shared: Path, parent: Connection) -> None:
    """The main function of a worker process."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the application handles it
    # Read when prometheus_client is first imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared / METRICS_FOLDER)
    threading.Thread(target=_end_with_the_parent, args=(shared,), daemon=True).start()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the supervisor logs instead
    from restr.server.processes.one import serve_one  # torch loads here

    sys.exit(serve_one(settings, listening=listening, shared=shared, ready=lambda: parent.send(True)))


def _forget_gauges(pid: int | None, shared: Path) -> None:
    """Drop a dead worker's gauges from the metrics; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, str(shared / METRICS_FOLDER))


def _end_with_the_parent(shared: Path) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(shared, ignore_errors=True)  # nobody else would, and it holds clients' images
    os.kill(os.getpid(), signal.SIGTERM)


def _status(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    return f"status {code}" if code >= 0 else signal.Signals(-code).name


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Signals as bytes on a socket, so that one wait covers them and the processes."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(theirs.fileno())
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()


def _read(signals: socket.socket) -> bytes:
    try:
        return signals.recv(64)
    except BlockingIOError:
        return b""
