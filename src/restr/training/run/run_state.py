"""How far a run has come, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """step: steps done in all. stopped: why before the end ("time", "patience", "SIGINT", "SIGTERM"), None when finished.
    best: highest value of the chosen metric; metrics: the last evaluation."""

    step: int
    stopped: str | None
    best: float | None
    metrics: dict[str, float]


@dataclass(kw_only=True)
class RunState:
    """How far a run has come; part of every checkpoint. stale: evaluations since the best. skipped: steps left out in a row.
    rollbacks: times that it went back. unreadable: samples that could not be read."""

    step: int = 0
    best: float | None = None
    stale: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    rollbacks: int = 0
    unreadable: int = 0
