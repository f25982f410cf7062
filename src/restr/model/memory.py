"""Memory of PyTorch on a CPU."""

from __future__ import annotations

import ctypes
import sys

# glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


def keep_freed_memory(most: int = 2**31 - 1) -> bool:
    """Let glibc keep what is freed for the next step, ``most`` bytes of it; whether that could be arranged (Linux with glibc).

    By default it returns every large block to the kernel, which hands it out again page by page, each cleared first:
    a third of a training step's time (measured in ``recipes/restr_small``). The process then stays as large as it once was, or that
    much larger than what it holds.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(
        mallopt(option, value)
        for option, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, most), (TOP_PAD, min(most, 2**29) // 2))
    )
