"""The processor's clock while it computes, and which instructions it has.

In a virtual machine Linux only knows a nominal clock, often a third below the real one. So the clock is measured: a chain
of multiplications, each of which needs the one before, takes three cycles a step on every x86-64 processor since 2008.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_STEPS, _LOOPS = 64, 5000  # a chain takes about a quarter of a millisecond
_CYCLES = 3  # of imul between registers
_SAMPLES, _PAUSE = 80, 0.005


@dataclass(frozen=True)
class Clock:
    """A clock in GHz and how it was found."""

    ghz: float
    how: str


def clock_while(call: Callable[[], object]) -> Clock | None:
    """The clock while ``call`` is repeated; None if it cannot be found."""
    try:
        sample, how = _Chain().ghz, "measured"
    except OSError:
        sample, how = _stated_ghz, "as Linux states it"
    samples: list[float | None] = []

    def watch() -> None:
        for _ in range(_SAMPLES):
            samples.append(sample())
            time.sleep(_PAUSE)

    watching = threading.Thread(target=watch)
    watching.start()
    while watching.is_alive():
        call()
    watching.join()
    known = [each for each in samples if each]
    if not known:
        return None
    # an interruption makes a chain look slow, and nothing makes it look fast
    return Clock(sorted(known)[int(0.9 * len(known))], how)


def cpu_flags(path: Path = CPU_INFO) -> frozenset[str]:
    """The first processor's flags as Linux names them; empty where they are unknown."""
    return frozenset(_field(path, ("flags", "Features")).split())


def physical_cores() -> int:
    """How many cores this process may use; two threads of one core count once."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in usable:
        try:
            cores.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            cores.add(str(cpu))
    return len(cores)


def _field(path: Path, names: tuple[str, ...]) -> str:
    """The first line of a name in /proc/cpuinfo."""
    try:
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in names:
                return value.strip()
    except OSError:
        pass
    return ""


def _stated_ghz() -> float | None:
    try:
        return int(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").read_text()) / 1e6
    except (OSError, ValueError):
        stated = _field(CPU_INFO, ("cpu MHz",))
        return float(stated) / 1000 if stated else None


class _Chain:
    """The chain as machine code. Raises ``OSError`` where it cannot run."""

    def __init__(self) -> None:
        if platform.machine() not in ("x86_64", "AMD64") or not sys.platform.startswith("linux"):
            raise OSError("the chain is written for x86-64 and Linux")
        loop = b"\x48\x0f\xaf\xc0" * _STEPS + b"\x48\xff\xcf"  # imul rax, rax; dec rdi, the argument
        code = loop + b"\x0f\x85" + (-len(loop) - 6).to_bytes(4, "little", signed=True) + b"\xc3"  # jnz loop; ret
        self._memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._memory.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(address)

    def ghz(self) -> float | None:
        """Cycles by this thread's processor time."""
        start = time.thread_time_ns()
        self._run(_LOOPS)
        taken = time.thread_time_ns() - start
        return _CYCLES * _STEPS * _LOOPS / taken if taken else None
