"""The peak: what flags, clock and measured rates say about the processor, and small products in every runtime."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from peak import Peak, measure_peak, theoretical_peak
from processor_clock import Clock, clock_while, cpu_flags, physical_cores

CLOCK = Clock(3.0, "measured")


@pytest.mark.parametrize(
    ("flags", "measured", "flop_per_cycle"),
    [
        ({"avx512f", "avx2", "fma"}, 150.0, 32),  # below the 192 GFLOP/s that one unit reaches on two cores
        ({"avx512f", "avx2", "fma"}, 250.0, 64),
        ({"avx2", "fma"}, 150.0, 32),
        ({"avx2", "fma"}, 90.0, 16),
        ({"asimd"}, 20.0, 8),
        ({"asimd"}, 120.0, 32),
        ({"avx512f"}, 1000.0, 64),  # more than any processor does: the most that is known
    ],
)
def test_the_units_are_the_fewest_that_the_measured_rate_does_not_exceed(
    flags: set[str], measured: float, flop_per_cycle: int
) -> None:
    theory = theoretical_peak(measured, flags, 2, CLOCK)
    assert theory is not None
    assert theory.flop_per_cycle == flop_per_cycle
    assert theory.gflops == 2 * flop_per_cycle * 3.0


def test_without_known_instructions_or_clock_there_is_no_theory() -> None:
    assert theoretical_peak(10.0, {"sse2"}, 2, CLOCK) is None
    assert theoretical_peak(10.0, {"avx512f"}, 2, None) is None


def test_a_share_is_of_the_best_runtime_in_the_same_precision() -> None:
    peak = Peak({"fp32": {"torch": 100.0, "onnx": 200.0}, "int8": {"torch": 500.0}}, None)
    assert peak.share(100.0, "fp32") == 0.5
    assert peak.share(100.0, "int8") == 0.2
    assert peak.share(100.0, "bf16") is None
    assert "200 GFLOP/s at best (torch 100, onnx 200)" in peak.sentences()


def test_small_products_run_in_every_runtime_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peak.PAUSE", 0.0)
    peak = measure_peak([(4, 8, 16), (4, 16, 8)], rounds=1)
    assert {"torch", "onnx", "openvino"} >= set(peak.gflops["fp32"]) >= {"torch"}
    assert all(rate > 0 for rates in peak.gflops.values() for rate in rates.values())


def test_flags_are_read_as_linux_writes_them(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nflags\t\t: fpu avx2 fma\n\nprocessor : 1\nflags\t\t: fpu\n")
    assert cpu_flags(info) == {"fpu", "avx2", "fma"}
    info.write_text("Features : fp asimd\n")
    assert cpu_flags(info) == {"fp", "asimd"}
    assert cpu_flags(tmp_path / "none") == frozenset()


def test_the_clock_is_one_that_a_processor_can_have() -> None:
    assert physical_cores() >= 1
    clock = clock_while(lambda: sum(range(1000)))
    assert clock is None or 0.5 < clock.ghz < 8
