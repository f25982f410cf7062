"""What a run notes: a JSONL file, always."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from restr.files import read_lines, write_whole

logger = logging.getLogger("restr")


class RunLog:
    """Appends one JSON object a line; a continued run first forgets the lines after the step that it starts from.

    silent: nothing is written, for all processes but the first. A full disk costs lines, never the run.
    """

    def __init__(self, path: Path, *, from_step: int = 0, silent: bool = False) -> None:
        self.path, self._file = path, None
        self._failed = False
        if not silent:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._begin(from_step)

    def write(self, **values: Any) -> None:
        """One line, on disk when this returns; floats rounded to six significant digits."""
        rounded = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        if self._file:
            with self._tolerated():
                self._file.write(json.dumps(rounded) + "\n")
                self._file.flush()

    def rewind(self, step: int) -> None:
        """Forget the lines after a step, as the run goes on from there."""
        if self._file:
            self.close()
            self._begin(step)

    def close(self) -> None:
        if self._file:
            with self._tolerated():
                self._file.close()

    def _begin(self, step: int) -> None:
        kept = [line for line in read(self.path) if line["step"] <= step] if step else []
        with self._tolerated():
            write_whole(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = open(self.path, "a", encoding="utf-8")

    @contextlib.contextmanager
    def _tolerated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._failed:
                logger.warning("%s cannot be written (%s); lines are lost until it can", self.path, error)
            self._failed = True


def read(path: Path) -> list[dict[str, Any]]:
    """A log's lines; a last line that was cut off is left out."""
    lines = []
    if path.exists():
        for text in read_lines(path):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
    return lines
