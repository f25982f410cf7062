"""The log of a run: a JSONL file."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.files import read_lines, write_atomically

_logger = logging.getLogger("restr")


class RunLog:
    """Appends one JSON object per line; a resumed run first drops the lines after the step that it starts from.

    With ``silent`` nothing is written (for all processes but rank 0). A full disk costs lines, never the run.
    """

    def __init__(self, path: Path, *, from_step: int = 0, silent: bool = False) -> None:
        self.path, self._file = path, None
        self._failed = False
        if not silent:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._begin(from_step)

    def write(self, **values: Any) -> None:
        """Append one line at once; floats are rounded to six significant digits."""
        rounded = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        if self._file:
            with self._disk_errors_logged():
                self._file.write(json.dumps(rounded) + "\n")
                self._file.flush()

    def rewind(self, step: int) -> None:
        """Drop the lines after a step, from which the run will continue."""
        if self._file:
            self.close()
            self._begin(step)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            with self._disk_errors_logged():
                self._file.close()

    def _begin(self, step: int) -> None:
        kept = [line for line in read(self.path) if line["step"] <= step] if step else []
        with self._disk_errors_logged():
            write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = open(self.path, "a", encoding="utf-8")

    @contextlib.contextmanager
    def _disk_errors_logged(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._failed:
                _logger.warning("%s cannot be written (%s); lines are lost until it can", self.path, error)
            self._failed = True


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, without a last line that was cut off; [] if there is no log."""
    lines = []
    if path.exists():
        for text in read_lines(path):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
    return lines
