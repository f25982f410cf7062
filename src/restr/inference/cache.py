"""Encoded images kept in memory, so that a photograph that comes again is not encoded again."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from restr.bounded import Bounded
from restr.preprocess import Framing


class FeatureCache(Bounded[bytes, Any]):
    """Features by the content of the image; evicts the least recently used first.

    A file read twice, the same file under two names, and an array with the same pixels share one key.
    """

    def __init__(self, most: int) -> None:
        """most: bytes of features in all; 0 keeps nothing."""
        super().__init__(most=most)

    def key(self, pixels: np.ndarray, framing: Framing) -> bytes:
        """A digest of all that one model's features depend on; empty if nothing is kept. pixels: uint8 (H W 3), as
        read."""
        if not self.most:
            return b""
        digest = hashlib.blake2b(f"{pixels.shape} {framing}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(pixels).data)
        return digest.digest()

    def keep_features(self, key: bytes, features: Any) -> None:
        """Keep features, unless they alone exceed ``most``, or their size is unknown."""
        size = feature_bytes(features)
        if 0 < size <= self.most:
            self.keep(key, features, size)


def feature_bytes(features: Any) -> int:
    """Bytes of an array or a tensor, or of those in a tuple; grids and other small things count as 0."""
    if isinstance(features, tuple):
        return sum(feature_bytes(each) for each in features)
    return getattr(features, "nbytes", 0)
