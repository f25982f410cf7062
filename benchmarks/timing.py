"""Timing in which a busy moment cannot favour one side: all sides take turns; medians, and ratios within each turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Times:
    """Seconds of every turn, by side."""

    seconds: dict[str, list[float]]

    def median(self, side: str) -> float:
        return statistics.median(self.seconds[side])

    def p95(self, side: str) -> float:
        """The 95th percentile; of few turns, the slowest."""
        ordered = sorted(self.seconds[side])
        return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]

    def ratio(self, top: str, bottom: str) -> float:
        """The time of ``top`` divided by that of ``bottom``: the median of each turn's own ratio."""
        return statistics.median(a / b for a, b in zip(self.seconds[top], self.seconds[bottom], strict=True))

    def milliseconds(self) -> dict[str, dict[str, float]]:
        return {
            side: {"p50": round(1000 * self.median(side), 2), "p95": round(1000 * self.p95(side), 2)}
            for side in self.seconds
        }


PAUSE = 0.2  # seconds; thread pools spin for a while after their work, and would take the next side's cores
WARM_UP = 2


def by_turns(
    sides: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = WARM_UP, pause: float = 0.0
) -> Times:
    """Time every side once per turn, after a pause if sides have their own thread pools."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    with torch.inference_mode():
        for turn in range(warm_up + rounds):
            for side, call in sides.items():
                time.sleep(pause)
                start = time.perf_counter()
                call()
                if turn >= warm_up:
                    seconds[side].append(time.perf_counter() - start)
    return Times(seconds)
