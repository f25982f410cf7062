"""Everything that reports a run's progress: its log, the live view, the loggers."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from restr.training.config import TrainConfig
from restr.training.run import record, sheet
from restr.training.run.live import LiveView
from restr.training.run.log import RunLog
from restr.training.run.loggers import RunLogger, open_loggers
from restr.training.run.meter import Meter


class RunReporter:
    """Reports a run in ``folder`` from step ``start`` on: to log.jsonl, the terminal, and the loggers of the config.

    Use as a context. With ``silent`` nothing is reported (for all processes but rank 0). Raises ``ConfigError`` if a
    logger cannot start.
    """

    def __init__(
        self, config: TrainConfig, folder: Path, meter: Meter, *, start: int = 0, silent: bool = False
    ) -> None:
        self.config, self.folder, self.meter, self.start, self.silent = config, folder, meter, start, silent
        self.loggers: list[RunLogger] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if not self.silent:
            self.loggers = open_loggers(self.config.loggers, self.folder, self._settings(), start=self.start)
        with contextlib.ExitStack() as opened:
            for logger in self.loggers:
                opened.callback(logger.close)
            log = RunLog(self.folder / "log.jsonl", from_step=self.start, silent=self.silent)
            self.log = opened.enter_context(contextlib.closing(log))
            view = LiveView(self.config.steps, self.start, title=str(self.folder), silent=self.silent)
            self.view = opened.enter_context(view)
            self._open = opened.pop_all()
        self._begun = time.monotonic()
        self.meter.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def advance(self, step: int) -> None:
        """``step`` steps are done."""
        self.view.advance(step)

    def rewind(self, step: int) -> None:
        """The run rolls back to the state after ``step`` steps."""
        self.log.rewind(step)
        self.view.advance(step)

    def log_training(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report numbers of the training since the last call; the meter's values are added."""
        minutes = (time.monotonic() - self._begun) / 60
        self._report(step, {**numbers, **self.meter.values(), "minutes": minutes})

    def log_evaluation(
        self, step: int, metrics: Mapping[str, float], best: float | None, best_step: int | None = None
    ) -> None:
        """Report the metrics of an evaluation and the best score so far; a sheet, if drawn, goes to the loggers.

        best_step: the step that had the best score, whose weights become the model.
        """
        numbers: dict[str, float] = {f"val_{name}": value for name, value in metrics.items()}
        known = {"val_best": best, "val_best_step": best_step}
        self._report(step, numbers | {name: value for name, value in known.items() if value is not None})
        path = sheet.sheet_path(self.folder, step)
        if path.exists():
            for logger in self.loggers:
                logger.picture(step, "sheet", path)

    def _report(self, step: int, numbers: Mapping[str, Any]) -> None:
        self.log.write(step=step, **numbers)
        self.view.show(step, numbers)
        for logger in self.loggers:
            logger.log(step, numbers)

    def _settings(self) -> dict[str, Any]:
        """The settings in the run's record; without a record, the training config."""
        path = self.folder / record.RECORD_FILE
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))["settings"]
        return record.to_json(self.config)
