"""`restr serve` or `restr live` in a process of its own, for tests and benchmarks that ask it from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

_READY_S = 120.0


class ServerProcess:
    """The real server on a free port, with the bundled model unless the options name another; ready inside ``with``."""

    def __init__(self, *options: str, threads: int | None = None, verb: str = "serve") -> None:
        """threads: of OpenMP, if not its default. verb: that of restr, serve or live."""
        command = [sys.executable, "-m", "restr", verb, "--port", "0", *options]
        environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        try:
            self._until(lambda: self.address and self._ready())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def address(self) -> str:
        """Where it listens; empty until it says so."""
        return next((found[0] for line in list(self.said) if (found := re.search(r"http://[\d.]+:\d+", line))), "")

    def workers(self) -> list[int]:
        """Process numbers of all workers that have become ready so far."""
        return [int(found[1]) for line in list(self.said) if (found := re.search(r"worker (\d+) is ready", line))]

    def until_ready(self, count: int) -> list[int]:
        """Wait until ``count`` workers have become ready since the start; their process numbers."""
        self._until(lambda: len(self.workers()) >= count)
        return self.workers()

    def metric(self, name: str) -> float:
        """A number of /metrics, 0 if it is not there."""
        lines = httpx.get(f"{self.address}/metrics", timeout=60).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name), 0.0)

    def resident(self) -> int:
        """Bytes of memory of the process (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health/ready", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())

    def _until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + _READY_S
        while not holds():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the server did not become ready:\n" + "\n".join(self.said[-20:]))
            time.sleep(0.02)

    def _end(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self._listener.join(30)  # ends with the last worker
        assert self.process.stderr is not None
        self.process.stderr.close()
