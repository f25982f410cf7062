"""``benchmarks/bulk.py``: what it runs, counts, compares and says of memory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from scripts import load_script

bulk = load_script("benchmarks/bulk.py")
Memory = bulk.Memory


def memory_of(*sizes: int) -> Any:
    return Memory({1: [(float(at), size) for at, size in enumerate(sizes)]})


def test_memory_that_grows_is_told_from_memory_that_is_flat() -> None:
    assert memory_of(100, 104, 90, 104, 103).growth(3.0) == 1.0
    assert memory_of(100, 101, 102, 120, 140).growth(3.0) == pytest.approx(140 / 102)
    assert memory_of(100, 200).growth(3.0) is None, "too short to say anything"


def test_a_missing_row_other_bits_and_growth_are_failures() -> None:
    good = bulk.Run("1 process", 6, 6, 2.0, "a", memory_of(100, 100, 100))
    lines, fine = bulk.table_of([good], 6, 1.0)
    assert fine and lines[-1] == "| 1 process | 6 of 6 | 2 | 3.0 | yes | 0 | 1.000 |"
    for other in (
        bulk.Run("2 processes", 5, 5, 2.0, "a", Memory()),
        bulk.Run("2 processes", 6, 5, 2.0, "a", Memory()),
        bulk.Run("2 processes", 6, 6, 2.0, "b", Memory()),
        bulk.Run("2 processes", 6, 6, 2.0, "a", memory_of(100, 100, 110)),
    ):
        assert not bulk.table_of([good, other], 6, 1.0)[1]


@pytest.mark.slow
def test_a_driver_that_is_killed_gives_the_same_bits(tmp_path: Path) -> None:
    options = argparse.Namespace(count=40, size=48, rows_per_part=6, backend="torch", model="tiny")
    bench = bulk.Bench(tmp_path, options)
    one = bench.measure("1 process", ["--processes", "1", "--threads", "1"])
    killed = bench.measure("killed", ["--processes", "2", "--threads", "1"], bulk.kill_driver)
    assert one.rows == one.distinct == killed.rows == killed.distinct == 120
    assert one.digest == killed.digest and one.memory.most > 2**20
