"""The memory of the worker processes of ``restr bulk``, sampled while it runs. Needs Linux."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Memory:
    """The resident memory of worker processes over time."""

    samples: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    """Process -> (seconds, bytes)."""

    def growth(self, seconds: float) -> float | None:
        """The most of the second half as a share of the most of the first, of the process that grew most; those that lived
        shorter than ``seconds`` do not count. None without any."""
        found = []
        for samples in self.samples.values():
            first, last = samples[0][0], samples[-1][0]
            if last - first >= seconds:
                halves = [
                    [size for at, size in samples if (at - first > (last - first) / 2) is late]
                    for late in (False, True)
                ]
                found.append(max(halves[1]) / max(halves[0]))
        return max(found, default=None)

    @property
    def most(self) -> int:
        return max((size for samples in self.samples.values() for _, size in samples), default=0)


def processes_below(driver: int) -> set[int]:
    """The processes of a pool: those that Python spawned for a driver, and on Ray the actors."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
        if (parent == driver and b"spawn_main" in command) or command.startswith(b"ray::_Actor"):
            found.add(int(path.name))
    return found


@contextmanager
def watched(driver: int, memory: Memory, begun: Callable[[], bool], pause: float = 0.5) -> Iterator[None]:
    """Sample the memory of a driver's workers, from when the first result is there: loading needs memory of its own."""
    done = threading.Event()

    def sample() -> None:
        while not done.wait(pause):
            if not begun():
                continue
            for process in processes_below(driver):
                try:
                    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue
                memory.samples.setdefault(process, []).append((time.monotonic(), pages * PAGE))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
