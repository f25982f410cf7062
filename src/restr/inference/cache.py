"""Things that are kept in memory within a number of bytes; encoded images among them, so that a photograph that comes again costs
no encoding."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from restr.config import PreprocessConfig

K = TypeVar("K")
V = TypeVar("V")


@dataclass(kw_only=True, eq=False)
class CacheEntry(Generic[V]):
    """size: bytes. used: when last, on the keeper's clock."""

    value: V
    size: int
    used: float


class Bounded(Generic[K, V]):
    """At most ``most`` bytes of values by key, each until ``seconds`` after its last use; the least recently used is given up
    first. Safe among threads."""

    def __init__(self, *, most: int, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self._clock = most, seconds, clock
        self.held = 0
        self._kept: OrderedDict[K, CacheEntry[V]] = OrderedDict()  # the least recently used first
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """A copy, here or in another process, begins empty: what is kept is soon made again, and locks do not travel."""
        return self.__dict__ | {"held": 0, "_kept": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.RLock()})

    def __len__(self) -> int:
        return len(self._kept)

    def holds(self, key: K) -> bool:
        """Whether there is a value; does not count as a use."""
        with self._lock:
            self.trim()
            return key in self._kept

    def trim(self) -> None:
        """Give up what has expired, then the least recently used."""
        with self._lock:
            expired = self._clock() - self.seconds
            while self._kept:
                oldest = next(iter(self._kept.values()))
                if self.held <= self.most and oldest.used >= expired:
                    break
                self.held -= self._kept.popitem(last=False)[1].size
            self._changed()

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep a value of ``size`` bytes in place of what the key held; others make way for it."""
        with self._lock:
            self.drop(key)
            self._kept[key] = CacheEntry(value=value, size=size, used=self._clock())
            self.held += size
            self.trim()

    def find(self, key: K) -> V | None:
        """The value, which is from now on the most recently used; None where it is not here."""
        with self._lock:
            self.trim()
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
            entry.used = self._clock()
            return entry.value

    def drop(self, key: K) -> V | None:
        """The value, which is kept no longer; None where it is not here."""
        with self._lock:
            self.trim()
            entry = self._kept.pop(key, None)
            if entry is None:
                return None
            self.held -= entry.size
            self._changed()
            return entry.value

    def _changed(self) -> None:
        """Called, within the lock, when something may have come or gone."""


class FeatureCache(Bounded[bytes, Any]):
    """Features by what the image shows, the least recently used given up first; safe to share among threads.

    The key is the content: a file read twice, the same file under two names, and an array with the same pixels meet.
    """

    def __init__(self, most: int) -> None:
        """most: bytes of features in all; 0 keeps nothing."""
        super().__init__(most=most)

    def key(self, pixels: np.ndarray, preprocess: PreprocessConfig) -> bytes:
        """pixels: uint8 (H W 3), as read. What decides the features of one model; empty where nothing is kept."""
        if not self.most:
            return b""
        digest = hashlib.blake2b(f"{pixels.shape} {preprocess}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(pixels).data)
        return digest.digest()

    def get(self, key: bytes) -> Any | None:
        """The features, or None."""
        return self.find(key)

    def put(self, key: bytes, features: Any) -> None:
        """Keep features, unless they alone are more than may be held, or nobody can tell how large they are."""
        size = size_of(features)
        if 0 < size <= self.most:
            self.keep(key, features, size)


def size_of(features: Any) -> int:
    """Bytes of an array or a tensor, or of those in a tuple; grids and other small things count nothing."""
    if isinstance(features, tuple):
        return sum(size_of(each) for each in features)
    return getattr(features, "nbytes", 0)
