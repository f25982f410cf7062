"""How PyTorch computes here: the device, threads after a fork, and memory on a CPU."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from restr.errors import ConfigError

_logger = logging.getLogger("restr")

_process: int | None = None  # the process that used torch first; in a forked process, that is its parent

# glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


def choose_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" takes a GPU if there is one. Raises ``ConfigError`` if it does not exist."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device is {device!r}; choose 'auto', 'cpu', 'cuda' or 'cuda:1'") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device is {str(device)!r}, but torch sees {torch.cuda.device_count()} GPUs; use 'auto' or 'cpu'"
        )
    return chosen


def limit_threads_after_fork() -> None:
    """Use one thread in a forked process; call this before torch computes on the processor.

    If the parent had computed before the fork, its threads do not exist here, and torch would wait for them forever.
    torch's own DataLoader does the same.
    """
    global _process
    if _process not in (None, os.getpid()):
        torch.set_num_threads(1)
        _logger.warning(
            "this process was forked from one that has loaded a model, so PyTorch computes with one thread here; start "
            'processes with multiprocessing.get_context("spawn") to have more'
        )
    _process = os.getpid()


_limits: list[int] = []  # the number of threads before each ``limited_threads`` that is open
_limits_lock = threading.Lock()


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let every computation of PyTorch in this process use ``threads`` threads, until the block ends.

    Blocks may overlap: the number from before the first one returns when all have ended.
    """
    with _limits_lock:
        _limits.append(torch.get_num_threads())
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        with _limits_lock:
            before = _limits[0]
            _limits.pop()
            if not _limits:
                torch.set_num_threads(before)


def keep_freed_memory(most: int = 2**31 - 1) -> bool:
    """Let glibc keep up to ``most`` bytes of freed memory for the next step; False if this is not Linux with glibc.

    By default glibc returns every large block to the kernel, which hands it out again page by page, each cleared first:
    a third of a training step's time (measured in ``recipes/restr_small``). The process then keeps its largest size, or
    up to ``most`` bytes above its need.
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
