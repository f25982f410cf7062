"""What a run tells: a JSONL file for machines, a progress bar or plain lines for people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Self

from restr.files import write_whole


class RunLog:
    """Appends one JSON object a line; a continued run first forgets the lines after the step that it starts from."""

    def __init__(self, path: Path, *, from_step: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read(path) if line["step"] <= from_step] if from_step else []
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def write(self, **values: Any) -> None:
        """One line, on disk when this returns; floats rounded to six significant digits."""
        rounded = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        self._file.write(json.dumps(rounded) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """A log's lines; a last line that was cut off is left out."""
    lines = []
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
    return lines


class Progress:
    """A rich progress bar on a terminal, else a plain line each time ``show`` is called. Use as a context."""

    def __init__(self, steps: int, start: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.steps = steps
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._bar = Bar(
                BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
                console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._bar.add_task("", total=steps, completed=start)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, step: int) -> None:
        """``step`` steps are done."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def show(self, step: int, values: dict[str, Any]) -> None:
        """The newest numbers."""
        text = "  ".join(f"{key} {_short(value)}" for key, value in values.items() if key != "step")
        if self._bar:
            self._bar.update(self._task, description=text)
        else:
            print(f"step {step}/{self.steps}  {text}", file=sys.stderr, flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
