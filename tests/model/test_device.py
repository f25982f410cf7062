"""Freed memory is kept for the next step."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from restr.model.device import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(64):
    if step == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10_000_000).mul(2)  # 40 MB: beyond 32, where glibc by itself never begins to keep blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_steps_after_the_first_ask_the_kernel_for_no_pages() -> None:
    def faults(mode: str) -> int:
        command = [sys.executable, "-c", SCRIPT, mode]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        return int(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)

    # a block more or less that comes once is 1%, and a system that takes back idle pages adds some
    assert faults("keep") < 0.1 * faults("give back")
