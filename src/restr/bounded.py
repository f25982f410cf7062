"""A cache with a limit in bytes that threads can share."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(kw_only=True, eq=False)
class CacheEntry(Generic[_V]):
    """A value of a ``Bounded``."""

    value: _V
    """The value itself."""
    size: int
    """Its size in bytes."""
    used: float
    """When it was last used, in seconds on the cache's clock."""


class Bounded(Generic[_K, _V]):
    """Values by key, ``most`` bytes at most, each until ``seconds`` after its last use; evicts the least recently used
    first.

    Safe to share among threads.
    """

    def __init__(self, *, most: int, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self._clock = most, seconds, clock
        self.held = 0
        self._kept: OrderedDict[_K, CacheEntry[_V]] = OrderedDict()  # the least recently used first
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """A copy, here or in another process, starts empty: values are soon made again, and locks cannot be sent."""
        return self.__dict__ | {"held": 0, "_kept": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.RLock()})

    def __len__(self) -> int:
        return len(self._kept)

    def holds(self, key: _K) -> bool:
        """Whether there is a value; does not count as a use."""
        with self._lock:
            self.trim()
            return key in self._kept

    def trim(self) -> None:
        """Evict expired values, then the least recently used."""
        with self._lock:
            expired = self._clock() - self.seconds
            while self._kept:
                oldest = next(iter(self._kept.values()))
                if self.held <= self.most and oldest.used >= expired:
                    break
                self.held -= self._kept.popitem(last=False)[1].size
            self._changed()

    def keep(self, key: _K, value: _V, size: int) -> None:
        """Keep a value of ``size`` bytes, instead of the key's old one; evicts others to make room."""
        with self._lock:
            self.drop(key)
            self._kept[key] = CacheEntry(value=value, size=size, used=self._clock())
            self.held += size
            self.trim()

    def find(self, key: _K) -> _V | None:
        """The value, now the most recently used; None if there is none."""
        with self._lock:
            self.trim()
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
            entry.used = self._clock()
            return entry.value

    def drop(self, key: _K) -> _V | None:
        """Remove a value and return it; None if there is none."""
        with self._lock:
            self.trim()
            entry = self._kept.pop(key, None)
            if entry is None:
                return None
            self.held -= entry.size
            self._changed()
            return entry.value

    def _changed(self) -> None:
        """Called, with the lock held, when values may have been added or removed."""
