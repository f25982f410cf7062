"""Workers without a model, for tests of pools: what a task is to do, or to suffer, stands in it."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


class ToyTask(NamedTuple):
    """A number to double."""

    number: int
    fate: str = "done"
    """"done"; "raises"; "kills" its worker; "kills once"; "unpicklable" in its report; "slow", a second."""


class ToyReport(NamedTuple):
    doubled: int
    process: int
    threads: str | None
    """OMP_NUM_THREADS, as the worker's process had it when it began."""


@dataclass(frozen=True)
class ToyFactory:
    """Makes a worker that notes every task in ``journal`` when it begins it; ``fails`` in a way of its own."""

    journal: Path
    fails: str = ""
    """"raises": no worker can be made; "dies": its process dies first."""

    def __call__(self) -> ToyWorker:
        (self.journal / f"made-{os.getpid()}").touch()
        if self.fails == "raises":
            raise FileNotFoundError("no such model: toy")
        if self.fails == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return ToyWorker(self.journal)

    def made(self) -> list[int]:
        """The processes that made a worker."""
        return [int(path.name.removeprefix("made-")) for path in self.journal.glob("made-*")]

    def begun(self, number: int) -> int:
        """How often a task was begun."""
        return len(list(self.journal.glob(f"begun-{number}-*")))


class ToyWorker:
    def __init__(self, journal: Path) -> None:
        self.journal, self.threads = journal, os.environ.get("OMP_NUM_THREADS")

    def run(self, task: ToyTask) -> Any:
        before = len(list(self.journal.glob(f"begun-{task.number}-*")))
        (self.journal / f"begun-{task.number}-{time.time_ns()}").touch()
        if task.fate == "raises":
            raise ValueError("a task\nthat raises")
        if task.fate == "kills" or (task.fate == "kills once" and not before):
            os.kill(os.getpid(), signal.SIGKILL)
        if task.fate == "slow":
            time.sleep(1.0)
        if task.fate == "unpicklable":
            return threading.Lock()
        return ToyReport(2 * task.number, os.getpid(), self.threads)


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z" if os.path.exists("/proc") else True
