"""Everything that watches a run, in one place: its log, the live view, the loggers."""

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
    """Tells what a run in ``folder`` does after step ``start``: to log.jsonl always, to people, and to the config's loggers. Use
    as a context. silent: says nothing, for all processes but the first. Raises ``ConfigError`` where a logger cannot begin."""

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
        """The run goes back to after ``step`` steps."""
        self.log.rewind(step)
        self.view.advance(step)

    def trained(self, step: int, numbers: Mapping[str, float]) -> None:
        """What training came to since the last call; the meter's values are added."""
        minutes = (time.monotonic() - self._begun) / 60
        self._tell(step, {**numbers, **self.meter.values(), "minutes": minutes})

    def evaluated(self, step: int, metrics: Mapping[str, float], best: float | None) -> None:
        """The measures of an evaluation, and the best score so far; if a sheet was drawn, it goes to the loggers."""
        self._tell(
            step,
            {f"val_{name}": value for name, value in metrics.items()}
            | ({"val_best": best} if best is not None else {}),
        )
        path = sheet.sheet_path(self.folder, step)
        if path.exists():
            for logger in self.loggers:
                logger.picture(step, "sheet", path)

    def _tell(self, step: int, numbers: Mapping[str, Any]) -> None:
        self.log.write(step=step, **numbers)
        self.view.show(step, numbers)
        for logger in self.loggers:
            logger.log(step, numbers)

    def _settings(self) -> dict[str, Any]:
        """All that the run's record holds, where it has one already, or else how it trains."""
        path = self.folder / record.NAME
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))["settings"]
        return record.plain(self.config)
