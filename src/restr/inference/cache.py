"""Encoded images that are kept, so that a photograph that comes again costs no encoding."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from restr.config import PreprocessConfig


class FeatureCache:
    """Features by what the image shows, the least recently used given up first; safe to share among threads.

    The key is the content: a file read twice, the same file under two names, and an array with the same pixels meet.
    """

    def __init__(self, most: int) -> None:
        """most: bytes of features in all; 0 keeps nothing."""
        self.most, self.held = most, 0
        self._found: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def key(self, pixels: np.ndarray, preprocess: PreprocessConfig) -> bytes:
        """pixels: uint8 (H W 3), as read. What decides the features of one model; empty where nothing is kept."""
        if not self.most:
            return b""
        digest = hashlib.blake2b(f"{pixels.shape} {preprocess}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(pixels).data)
        return digest.digest()

    def get(self, key: bytes) -> Any | None:
        """The features, or None."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: bytes, features: Any) -> None:
        """Keep features, unless they alone are more than may be held, or nobody can tell how large they are."""
        size = size_of(features)
        if not 0 < size <= self.most:
            return
        with self._lock:
            self.held += size - size_of(self._found.pop(key, ()))
            self._found[key] = features
            while self.held > self.most:
                self.held -= size_of(self._found.popitem(last=False)[1])


def size_of(features: Any) -> int:
    """Bytes of an array or a tensor, or of those in a tuple; grids and other small things count nothing."""
    if isinstance(features, tuple):
        return sum(size_of(each) for each in features)
    return getattr(features, "nbytes", 0)
