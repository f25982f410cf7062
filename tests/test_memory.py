"""Freed memory is kept for the next step."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from restr.training.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(20):
    if step == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(4_000_000).mul(2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_steps_after_the_first_ask_the_kernel_for_no_pages() -> None:
    def faults(mode: str) -> int:
        return int(subprocess.run([sys.executable, "-c", SCRIPT, mode], check=True, capture_output=True).stdout)

    assert faults("keep") < 0.02 * faults("give back")
