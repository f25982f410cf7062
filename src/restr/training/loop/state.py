"""How far a run has come, what its processes agree on after each step, why it stopped, and its result."""

from __future__ import annotations

import logging
import math
import signal
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import torch

from restr.training.loop import distributed

_logger = logging.getLogger("restr")


class Stop(IntEnum):
    """Why a run stops before its last step; of several reasons the highest counts."""

    NO = 0
    PATIENCE = 1
    TIME = 2
    SIGINT = 3
    SIGTERM = 4

    @property
    def reason(self) -> str | None:
        """The name in logs and records: patience, time, SIGINT, SIGTERM; None for ``NO``."""
        if self is Stop.NO:
            return None
        return self.name if self.name.startswith("SIG") else self.name.lower()


def exit_code(stopped: str | None) -> int:
    """The exit code for ``TrainResult.stopped``: 128 + n after signal n, else 0."""
    return 128 + signal.Signals[stopped] if stopped and stopped.startswith("SIG") else 0


class StepStatus(NamedTuple):
    """The facts on which all processes must agree after each step; otherwise one would wait for another for ever."""

    nonfinite: bool
    """The loss or the gradient is not finite."""

    unreadable: int
    """Samples that could not be read."""

    stop: Stop
    """Whether to stop after this step."""

    save: bool
    """Whether a checkpoint is due by the clock."""

    def agree(self, device: torch.device) -> StepStatus:
        """The maximum over all processes: if one of them has seen something, all act on it."""
        nonfinite, unreadable, stop, save = distributed.all_max(self, device)
        return StepStatus(bool(nonfinite), int(unreadable), Stop(int(stop)), bool(save))


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The end of one call of ``Trainer.fit``."""

    step: int
    """Steps done in all calls."""

    stopped: str | None
    """Why it stopped before the last step (see ``Stop.reason``); None if it finished."""

    best: float | None
    """Highest value of the metric ``TrainConfig.best``; None without an evaluation."""

    metrics: dict[str, float]
    """The last evaluation."""


@dataclass(frozen=True, kw_only=True)
class ChosenWeights:
    """Which weights a run hands on as its model: those of its best evaluation, else the last ones."""

    step: int
    """The step after which the run had them."""

    metrics: dict[str, float]
    """Their evaluation; empty without one."""

    best_by: str | None
    """The metric of which they have the highest value; None for the last weights of a run without such a metric."""

    def __str__(self) -> str:
        if self.best_by is None:
            return f"the last weights, of step {self.step:,}: no evaluation had a score to choose by"
        return f"the weights of step {self.step:,}, the best by {self.best_by} ({self.metrics[self.best_by]:.4f})"


@dataclass(kw_only=True)
class RunState:
    """The counters of a run; part of every checkpoint."""

    step: int = 0
    """Steps done."""

    best: float | None = None
    """Highest value of the metric ``TrainConfig.best`` so far."""

    best_step: int | None = None
    """The step that had it."""

    stale: int = 0
    """Evaluations since the best one."""

    metrics: dict[str, float] = field(default_factory=dict)
    """The last evaluation."""

    skipped: int = 0
    """Steps skipped in a row."""

    rollbacks: int = 0
    """How often the run has rolled back to a checkpoint."""

    unreadable: int = 0
    """Samples that could not be read."""

    def compare(self, metric: str) -> bool:
        """Whether the last evaluation is the best by ``metric``; then it is noted as the best."""
        score = self.metrics.get(metric)
        self.stale += 1
        if score is None:
            _logger.warning("no weights can be chosen by %r; the evaluation has %s", metric, ", ".join(self.metrics))
            return False
        if not math.isfinite(score) or self.best is not None and score <= self.best:
            return False
        self.best, self.best_step, self.stale = score, self.step, 0
        return True

    def forget_best(self) -> None:
        """Choose among the evaluations from here on."""
        self.best, self.best_step, self.stale = None, None, 0
