"""A run's clock and its log."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.files import write_atomically

ALSO = (1, 5, 20)  # steps that are logged beside the regular ones
PRINTED = 4  # one line in so many is printed too, after the first 50 steps


class Clock:
    """Seconds of training, on from those of an earlier process."""

    def __init__(self, seconds: float) -> None:
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Go on from so many seconds."""
        self.start = time.monotonic() - seconds

    def seconds(self) -> float:
        """So far."""
        return time.monotonic() - self.start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within, no time passes."""
        seconds = self.seconds()
        yield
        self.restart(seconds)


class Log:
    """Lines of JSON, one every so many steps. Those after ``step``, of an earlier run or of steps that were lost, are dropped."""

    def __init__(self, path: Path, every: int, step: int) -> None:
        self.path, self.every = path, every
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() and step else []
        known = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_atomically(path, "".join(line + "\n" for line in known))

    def due(self, step: int) -> bool:
        """Whether this step gets a line."""
        return step % self.every == 0 or step in ALSO

    def write(self, line: dict[str, Any]) -> None:
        """Append a line with its ``step``; now and then print it too."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if line["step"] % (PRINTED * self.every) == 0 or line["step"] <= 50:
            print(json.dumps(line), flush=True)
