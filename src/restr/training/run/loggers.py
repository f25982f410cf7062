"""Optional loggers: TensorBoard, Weights & Biases, MLflow, trackio; a failing one never stops a run."""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from restr.errors import ConfigError
from restr.files import write_atomically
from restr.training.run.record import flatten

_logger = logging.getLogger("restr")

_RUNS = "loggers.json"  # in a run's folder: the name that each logger has given the run, so that it can be resumed
_PROJECT = "restr"
Settings = Mapping[str, Any]


class RunLogger(Protocol):
    """Takes the numbers and pictures of one run."""

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log numbers by name."""
        ...

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file."""
        ...

    def close(self) -> None:
        """End the run."""
        ...


class NamedLogger(RunLogger, Protocol):
    """A logger with a name for its run, under which the run can be resumed."""

    run: str


def open_loggers(names: Sequence[str], folder: Path, settings: Settings, *, start: int = 0) -> list[RunLogger]:
    """Open the named loggers for the run in ``folder``, which continues after step ``start``.

    A logger that already knows the run resumes it. ``settings`` are the run's, as values that JSON has. Raises
    ``ConfigError`` for an unknown name, a missing package, or a logger that cannot start. One that fails later is reported
    once and then ignored.
    """
    for name in names:
        if name not in LOGGERS:
            raise ConfigError(f"there is no logger {name!r}; choose from {', '.join(LOGGERS)}")
        try:
            importlib.import_module(LOGGERS[name].module)
        except ImportError as error:
            raise ConfigError(
                f"the logger {name} is not installed ({error}); run: pip install 'restr[{name}]'"
            ) from error
    runs = folder / _RUNS
    known: dict[str, str] = json.loads(runs.read_text(encoding="utf-8")) if runs.exists() else {}
    opened: list[RunLogger] = []
    for name in names:
        try:
            inner = LOGGERS[name].open(folder, settings, known.get(name), start)
        except Exception as error:  # packages raise all kinds of errors: no server, no account, a locked file
            for other in opened:
                other.close()
            problem = f"{type(error).__name__}: {error}"
            raise ConfigError(f"the logger {name} cannot start ({problem}); {LOGGERS[name].remedy}") from error
        opened.append(FailSafeLogger(name, inner))
        known[name] = inner.run
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(runs, json.dumps(known, indent=2) + "\n")
    return opened


class FailSafeLogger:
    """A logger that is ignored once it has failed. It gets only finite numbers, in groups ("train/loss", ...)."""

    def __init__(self, name: str, inner: RunLogger) -> None:
        self.name, self.inner = name, inner
        self._failed = False

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log the numbers after a step; other and non-finite values are dropped."""
        numbers = {_grouped(name): float(value) for name, value in values.items() if name != "step" and _finite(value)}
        if numbers:
            self._try(self.inner.log, step, numbers)

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file of a step."""
        self._try(self.inner.picture, step, name, path)

    def close(self) -> None:
        """Close the logger at the end of the run."""
        self._try(self.inner.close)

    def _try(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._failed:
            return
        try:
            call(*arguments)
        except Exception as error:  # packages raise all kinds of errors; none is worth a run
            self._failed = True
            problem = f"{type(error).__name__}: {error}"
            _logger.warning(
                "the logger %s has failed and is ignored from now on; log.jsonl is still written (%s)",
                self.name,
                problem,
            )


class TensorBoard:
    """TensorBoard event files in the run's folder: tensorboard --logdir RUNS."""

    def __init__(self, folder: Path, settings: Settings, run: str | None, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.run = "tensorboard"
        # drop what an earlier process logged of steps that are repeated now
        self._writer = SummaryWriter(str(folder / self.run), purge_step=start + 1 if run else None)
        if not run:
            self._writer.add_text("settings", f"```json\n{json.dumps(settings, indent=2)}\n```")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file."""
        import numpy as np
        from PIL import Image

        with Image.open(path) as picture:
            self._writer.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        """End the run."""
        self._writer.close()


class WandB:
    """Weights & Biases, configured by its own variables (WANDB_PROJECT, WANDB_MODE=offline, ...)."""

    def __init__(self, folder: Path, settings: Settings, run: str | None, start: int) -> None:
        import wandb

        self.run = run or secrets.token_hex(4)
        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            id=self.run, name=folder.name, dir=str(folder), config=dict(settings), resume="allow",
        )  # fmt: skip
        # A separate axis: wandb's own would refuse the steps that a resumed run repeats.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        self._run.log({"step": step, **values})

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file."""
        self._run.log({"step": step, name: self._wandb.Image(str(path))})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class MLflow:
    """MLflow, configured by its own variables (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, ...)."""

    def __init__(self, folder: Path, settings: Settings, run: str | None, start: int) -> None:
        import mlflow

        self._mlflow = mlflow
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ and "MLFLOW_EXPERIMENT_ID" not in os.environ:
            mlflow.set_experiment(_PROJECT)
        begun = mlflow.start_run(run_id=run) if run else mlflow.start_run(run_name=folder.name)
        self.run = begun.info.run_id
        if not run:  # MLflow lets no setting change afterwards
            mlflow.log_params(flatten(settings))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        self._mlflow.log_metrics(dict(values), step=step, run_id=self.run)

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file."""
        self._mlflow.log_artifact(str(path), name, run_id=self.run)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class Trackio:
    """trackio, on this machine unless configured otherwise (TRACKIO_DIR, TRACKIO_SPACE_ID, ...)."""

    def __init__(self, folder: Path, settings: Settings, run: str | None, start: int) -> None:
        import trackio

        self._trackio = trackio
        self.run = run or f"{folder.name}-{secrets.token_hex(2)}"  # trackio knows a run by its name
        self._run = trackio.init(project=_PROJECT, name=self.run, config=dict(settings), resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """Log a PNG file."""
        self._run.log({name: self._trackio.Image(str(path))}, step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class Adapter(NamedTuple):
    """How to open a logger."""

    module: str
    """The module that must be installed."""

    remedy: str
    """What to do if it cannot start."""

    open: Callable[[Path, Settings, str | None, int], NamedLogger]
    """(folder, settings, name of the run to resume, step to start after) -> the logger."""


LOGGERS = {
    "tensorboard": Adapter("tensorboard", "can the run's folder be written to?", TensorBoard),
    "wandb": Adapter("wandb", "run: wandb login, or set WANDB_MODE=offline, which needs no account", WandB),
    "mlflow": Adapter("mlflow", "look at MLFLOW_TRACKING_URI, or leave it out", MLflow),
    "trackio": Adapter("trackio", "look at TRACKIO_DIR and TRACKIO_SPACE_ID, or leave it out", Trackio),
}


def _grouped(name: str) -> str:
    return f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
