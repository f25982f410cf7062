"""Memory of a worker that runs for days."""

from __future__ import annotations

import ctypes
import sys

ARENA_MAX = -8  # of glibc's malloc.h


def share_freed_memory(pools: int) -> bool:
    """Let all threads share so many of glibc's memory pools (arenas); False if this is not Linux with glibc.

    Every shard has new threads, and by default each may get another pool, of which there are 8 for each core. As freed
    memory is kept (``restr.model.device.keep_freed_memory``), each pool grows to the largest computation and stays there: a
    worker with two threads took 1.5 GB after 14 shards and went on growing, with two pools it stays at 0.8 GB. To be called
    before there are many threads.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL("libc.so.6").mallopt(ARENA_MAX, max(1, pools)))
    except (OSError, AttributeError):  # another C library
        return False
