"""The benchmarks' clock: sides by turns, ratios within a turn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from timing import Times, by_turns


def test_every_side_has_its_turn_and_warming_up_is_not_counted() -> None:
    calls: list[str] = []
    times = by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm_up=1)
    assert calls == ["a", "b"] * 4
    assert {side: len(seconds) for side, seconds in times.seconds.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_the_median_of_each_turns_own() -> None:
    times = Times({"a": [1.0, 4.0, 9.0], "b": [1.0, 2.0, 9.0]})
    assert times.ratio("a", "b") == 1.0 and times.ratio("b", "a") == 1.0
    assert times.median("a") == 4.0
    assert Times({"a": [float(n) for n in range(101)]}).p95("a") == pytest.approx(95)
